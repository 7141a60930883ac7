// Privacy: how the profile is protected, what leaves the machine (nothing), what happened, its end.

import { download, get, post } from "./api.js";
import { ask, askPassphrase, dialog } from "./dialog.js";
import { attempt, button, counted, el, heading, moment, size, toast } from "./dom.js";
import { keys } from "./keys.js";

const KINDS = {
  fact_days: "Facts",
  sample_days: "Imported texts",
  turn_days: "Conversations",
  feedback_days: "Verdicts on answers",
};
const SHOWN = 12; // of the log, at first

/** Make the view. */
export function create() {
  const part = el("div", {});
  const node = el("div", { class: "view" }, heading("Privacy"), part);

  async function show() {
    const [state, protection, kept, log] = await Promise.all([
      get("/api/privacy"),
      get("/api/privacy/keys"),
      get("/api/privacy/retention"),
      get("/api/privacy/log"),
    ]);
    part.replaceChildren(
      el(
        "div",
        { class: "card" },
        el("h2", {}, "What leaves this machine: nothing"),
        el(
          "p",
          {},
          "There is no account, no telemetry and no connection to anywhere. This page comes " +
            "from a server on your own machine, loads nothing from outside, and shows links in " +
            "answers as plain text.",
        ),
      ),
      el(
        "div",
        { class: "card" },
        el("h2", {}, "What is kept"),
        el("p", {}, `Profile “${state.profile}” is encrypted (AES-256, every page authenticated).`),
        el(
          "div",
          { class: "numbers" },
          [
            [state.facts, "fact"],
            [state.passages, "passage"],
            [state.turns, "turn"],
            [state.verdicts, "verdict"],
            [state.adapters, "adapter"],
          ].map(([n, what]) => {
            const [number, ...words] = counted(n, what).split(" ");
            return el("div", {}, el("strong", {}, number), el("span", {}, words.join(" ")));
          }),
        ),
        el("p", { class: "quiet small" }, `${size(state.bytes)} in `, el("code", {}, state.folder)),
      ),
      keys(protection, again),
      retention(kept.retention),
      copies(state),
      history(log.events),
      el(
        "div",
        { class: "card" },
        el("h2", {}, "Lock"),
        el(
          "p",
          {},
          "Closes the profile in every program and destroys its keys in the keyring and in key " +
            "files: only your passphrase or the recovery code opens it again.",
        ),
        button("Lock now", () => attempt(lock)),
      ),
      el(
        "div",
        { class: "card" },
        el("h2", {}, "Wipe"),
        el(
          "p",
          {},
          "Destroys the keys and then every file of this profile: memories, conversations, " +
            "adapters. It cannot be undone.",
        ),
        button("Wipe this profile…", () => attempt(() => wipe(state.profile)), { class: "danger" }),
      ),
    );
  }

  function again() {
    return attempt(show);
  }

  function retention(kept) {
    const fields = Object.entries(KINDS).map(([name, label]) => [
      name,
      el("input", { type: "number", min: 0, max: 100_000, id: name, value: kept[name] }),
      label,
    ]);
    const save = () =>
      attempt(async () => {
        const days = Object.fromEntries(
          fields.map(([name, field]) => [name, Number(field.value || 0)]),
        );
        let done = await post("/api/privacy/retention", days);
        if (done.due) {
          const sure = await ask(
            "Forget what is older?",
            el(
              "p",
              {},
              `${counted(done.due, "record")} ${done.due === 1 ? "is" : "are"} older than that ` +
                "and would be forgotten for good now, with what adapters learned from them.",
            ),
            [
              { label: "Keep them", value: () => false },
              { label: "Forget them", value: () => true, kind: "danger" },
            ],
          );
          if (!sure) {
            await again();
            return;
          }
          done = await post("/api/privacy/retention", { ...days, confirm: true });
        }
        toast(
          done.forgotten ? `Saved. Forgotten now: ${counted(done.forgotten, "record")}.` : "Saved.",
        );
        await again();
      });
    return el(
      "div",
      { class: "card" },
      el("h2", {}, "How long it is kept"),
      el(
        "p",
        {},
        "Days after which records are forgotten for good, whenever the profile is opened. 0 " +
          "keeps them until you forget them.",
      ),
      el(
        "form",
        {
          onsubmit: (event) => {
            event.preventDefault();
            save();
          },
        },
        el(
          "div",
          { class: "days" },
          fields.map(([name, field, label]) => el("label", { for: name }, label, field)),
        ),
        el("button", { type: "submit" }, "Save"),
      ),
    );
  }

  function copies(state) {
    return el(
      "div",
      { class: "card" },
      el("h2", {}, "Copies"),
      el(
        "p",
        {},
        "An export is one encrypted file that a passphrase of its own opens on any machine. A " +
          "backup opens with what opens this profile. Bring them back in a terminal: ",
        el("code", {}, "ondevice profile import FILE"),
        " makes a profile of an export, ",
        el("code", {}, "ondevice profile restore FILE --replace"),
        " puts a backup in the place of this one.",
      ),
      el(
        "div",
        { class: "row" },
        button("Export…", () => attempt(exportIt)),
        button("Back up", () =>
          attempt(async () => {
            toast(`Saved ${await download("/api/privacy/backup")}.`);
            await again();
          }),
        ),
      ),
      state.copies.length > 0 &&
        el(
          "div",
          { class: "after" },
          el(
            "p",
            { class: "small" },
            "What you forget later is still in these; delete them, or make them anew:",
          ),
          el(
            "ul",
            { class: "small plain-list" },
            state.copies
              .toReversed()
              .slice(0, 20)
              .map((one) =>
                el(
                  "li",
                  {},
                  `${one.kind}, ${moment(one.time)}: `,
                  el("span", { class: "quiet" }, one.path),
                ),
              ),
          ),
        ),
    );
  }

  function history(events) {
    const rows = el("tbody", {}, events.slice(0, SHOWN).map(line));
    const more = button(
      `Show all ${events.length}`,
      () => {
        rows.replaceChildren(...events.map(line));
        more.remove();
      },
      { class: "plain" },
    );
    return el(
      "div",
      { class: "card", id: "log" },
      el("h2", {}, "What happened"),
      el(
        "p",
        { class: "quiet small" },
        "Imported, learned, forgotten and so on: times and numbers, no text.",
      ),
      events.length
        ? el(
            "div",
            { class: "wide" },
            el(
              "table",
              { "aria-label": "What happened" },
              el(
                "thead",
                {},
                el(
                  "tr",
                  {},
                  ["When", "What", "About"].map((one) => el("th", { scope: "col" }, one)),
                ),
              ),
              rows,
            ),
          )
        : el("p", {}, "Nothing yet: imports, learning and forgetting are noted here."),
      events.length > SHOWN && more,
    );
  }

  async function exportIt() {
    const passphrase = await askPassphrase(
      "A passphrase for the export",
      "Whoever has the file and the passphrase can read everything. Nobody can open it without.",
      "Export",
    );
    if (passphrase === null) return;
    toast(`Saved ${await download("/api/privacy/export", { passphrase })}.`);
    await again();
  }

  async function lock() {
    await post("/api/privacy/lock");
    window.dispatchEvent(new Event("profile_locked"));
  }

  async function wipe(name) {
    const typed = el("input", {
      type: "text",
      "aria-label": "Name of the profile",
      autocomplete: "off",
      id: "wipe-name",
    });
    const content = el(
      "div",
      {},
      el(
        "p",
        {},
        "Everything about you is destroyed. To confirm, type the name of the profile: ",
        el("strong", {}, name),
      ),
      typed,
    );
    const shown = dialog("Wipe this profile?", content, [
      { label: "Keep everything", value: () => null },
      { label: "Wipe", value: () => typed.value, kind: "danger" },
    ]);
    typed.focus();
    const given = await shown.closed;
    if (given === null) return;
    await post("/api/privacy/wipe", { confirm: given });
    document
      .getElementById("main")
      .replaceChildren(
        el(
          "div",
          { class: "view" },
          heading("It is gone"),
          el(
            "p",
            { class: "lead" },
            `The profile “${name}” was destroyed: its keys first, then its files. Start ` +
              "ondevice serve again to begin a new one.",
          ),
        ),
      );
  }

  return { node, enter: again };
}

function line(event) {
  const about = Object.entries(event.about)
    .filter(([, value]) => !/^[0-9a-z]{16}$/.test(value))
    .map(
      // ids tell a reader nothing
      ([name, value]) => `${name} ${value}`,
    )
    .join(", ");
  return el(
    "tr",
    {},
    el("td", { class: "when" }, moment(event.time)),
    el("td", {}, event.kind),
    el("td", { class: "quiet" }, about),
  );
}
