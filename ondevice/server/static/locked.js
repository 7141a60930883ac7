// The profile is locked: its passphrase, or its recovery code, opens it again.

import { get, post } from "./api.js";
import { el, heading } from "./dom.js";

/** Make the view; `opened` is called when the profile is open again. */
export function create(profile, opened) {
  const secret = el("input", {
    type: "password",
    class: "grow",
    id: "unlock",
    "aria-label": "Passphrase or recovery code",
    placeholder: "Passphrase or code",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    "aria-describedby": "unlock-problem",
  });
  const go = el("button", { type: "submit", class: "main" }, "Unlock");
  const problem = el("p", { class: "problem small", role: "alert", id: "unlock-problem" });
  const node = el(
    "div",
    { class: "view locked" },
    heading("Locked"),
    el(
      "p",
      { class: "lead" },
      `The profile “${profile}” is closed: no program can read it, and nothing of it is on ` +
        "this page. Its passphrase or its recovery code opens it again.",
    ),
    el(
      "div",
      { class: "card" },
      el(
        "form",
        {
          class: "row",
          onsubmit: (event) => {
            event.preventDefault();
            unlock();
          },
        },
        secret,
        go,
      ),
      problem,
      el(
        "p",
        { class: "quiet small" },
        "It is used once, by the server on this machine, and kept nowhere.",
      ),
    ),
  );

  async function unlock() {
    go.disabled = true;
    problem.textContent = "";
    try {
      await post("/api/privacy/unlock", { passphrase: secret.value });
      secret.value = "";
      opened();
    } catch (error) {
      if (
        await get("/api/state").then(
          ({ locked }) => !locked,
          () => false,
        )
      ) {
        opened();
        return;
      } // in another tab, meanwhile
      problem.textContent = error.message;
      secret.select();
    } finally {
      go.disabled = false;
    }
  }

  return { node, enter: () => secret.focus() };
}
