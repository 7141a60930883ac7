// What opens the profile: passphrase, recovery code, keyring.

import { post } from "./api.js";
import { ask, askPassphrase } from "./dialog.js";
import { attempt, button, el, toast } from "./dom.js";

const KEYS = {
  recovery: "a recovery code",
  keyring: "your system's keyring",
  passphrase: "your passphrase",
  file: "a key file that only you can read",
};

/**
 * Show what opens the profile, with what can be changed about it; `changed` is called after that.
 */
export function keys({ profile, keys: ways, keyring_here: keyringHere }, changed) {
  const has = (way) => ways.includes(way);
  const change = (path, fields, said) =>
    attempt(async () => {
      await post(path, fields);
      toast(said);
      await changed();
    });
  return el(
    "div",
    { class: "card", id: "keys" },
    el("h2", {}, "What opens it"),
    el("p", {}, `Its key is kept by ${ways.map((one) => KEYS[one] ?? one).join(" and ")}.`),
    ways.length === 1 &&
      has("file") &&
      el(
        "p",
        { class: "note" },
        "A key file protects a copy of the folder “profiles”, not a copy of your whole home. A " +
          "passphrase protects more.",
      ),
    !has("recovery") &&
      has("passphrase") &&
      el(
        "p",
        { class: "note" },
        "If you lose the passphrase nobody can open the profile. A recovery code, on paper, can.",
      ),
    el(
      "div",
      { class: "row" },
      button(has("passphrase") ? "Change the passphrase…" : "Set a passphrase…", () =>
        attempt(setPassphrase),
      ),
      has("passphrase") && button("Remove the passphrase…", () => attempt(removePassphrase)),
      button(has("recovery") ? "New recovery code…" : "Make a recovery code…", () =>
        attempt(recoveryCode),
      ),
      has("recovery") &&
        button("Remove the recovery code", () =>
          change(
            "/api/privacy/recovery/remove",
            {},
            "No recovery code opens the profile any more.",
          ),
        ),
      (keyringHere || has("keyring")) &&
        button(has("keyring") ? "Take it out of the keyring" : "Let the keyring open it", () =>
          change("/api/privacy/keyring", { on: !has("keyring") }, "Changed."),
        ),
    ),
  );

  async function setPassphrase() {
    const passphrase = await askPassphrase(
      "A passphrase for this profile",
      "From the next start on, ondevice asks for it. There is no way to find it out: write it " +
        "down, or make a recovery code too.",
      "Set it",
    );
    if (passphrase !== null)
      await change("/api/privacy/passphrase", { passphrase }, "The passphrase is set.");
  }

  async function removePassphrase() {
    const sure = await ask(
      "Open without a passphrase?",
      el("p", {}, "The key goes to the system's keyring, or to a key file that only you can read."),
      [
        { label: "Keep it", value: () => false },
        { label: "Remove it", value: () => true, kind: "danger" },
      ],
    );
    if (sure)
      await change("/api/privacy/passphrase/remove", {}, "No passphrase is asked for any more.");
  }

  async function recoveryCode() {
    const { code } = await post("/api/privacy/recovery");
    await ask(
      "Write this down",
      el(
        "div",
        {},
        el(
          "p",
          {},
          `It opens the profile “${profile}” wherever the passphrase is asked for. It is shown ` +
            "once and kept nowhere; an earlier code no longer works.",
        ),
        el("p", { class: "code", id: "recovery-code", tabindex: 0 }, code),
      ),
      [{ label: "I have written it down", value: () => true, kind: "main" }],
    );
    await changed();
  }
}
