// Privacy: how the profile is protected, what leaves the machine (nothing), and its end.

import { download, get, post } from "./api.js";
import { ask } from "./dialog.js";
import { attempt, button, counted, el, heading, size, toast } from "./dom.js";

const KEYS = { recovery: "a recovery code", keyring: "your system's keyring", passphrase: "your passphrase", file: "a key file that only you can read" };

/** Make the view. */
export function create() {
  const part = el("div", {});
  const node = el("div", { class: "view" }, heading("Privacy"), part);

  function show(state) {
    part.replaceChildren(
      el("div", { class: "card" }, el("h2", {}, "What leaves this machine: nothing"),
        el("p", {}, "There is no account, no telemetry and no connection to anywhere. This page comes from a server on your own machine, loads nothing from outside, and shows links in answers as plain text.")),
      el("div", { class: "card" }, el("h2", {}, "Encryption"),
        el("p", {}, `Profile “${state.profile}” is encrypted (AES-256, every page authenticated). Its key is kept by ${state.keys.map((one) => KEYS[one] ?? one).join(" and ")}.`),
        state.keys.length === 1 && state.keys[0] === "file" && el("p", { class: "note" }, "A key file protects a copy of the data folder, not a copy of your whole home. A keyring or a passphrase protects more."),
        el("div", { class: "numbers" }, [[state.facts, "fact"], [state.passages, "passage"], [state.turns, "turn"], [state.verdicts, "verdict"], [state.adapters, "adapter"]].map(([n, what]) => {
          const [number, ...words] = counted(n, what).split(" ");
          return el("div", {}, el("strong", {}, number), el("span", {}, words.join(" ")));
        })),
        el("p", { class: "quiet small" }, `${size(state.bytes)} in `, el("code", {}, state.folder))),
      el("div", { class: "card" }, el("h2", {}, "Copies"),
        el("p", {}, "An export is one encrypted file that a passphrase of its own opens on any machine. A backup opens with what opens this profile. What you forget later is still in them."),
        el("div", { class: "row" }, button("Export…", () => attempt(exportIt)), button("Back up", () => attempt(async () => { toast(`Saved ${await download("/api/privacy/backup")}.`); })))),
      el("div", { class: "card" }, el("h2", {}, "Lock"),
        el("p", {}, "Closes the profile in every program and destroys its keys in the keyring and in key files: only your passphrase opens it again."),
        button("Lock now", () => attempt(lock))),
      el("div", { class: "card" }, el("h2", {}, "Wipe"),
        el("p", {}, "Destroys the keys and then every file of this profile: memories, conversations, adapters. It cannot be undone."),
        button("Wipe this profile…", () => attempt(() => wipe(state.profile)), { class: "danger" })));
  }

  async function exportIt() {
    const first = el("input", { type: "password", "aria-label": "Passphrase", autocomplete: "new-password", placeholder: "Passphrase" });
    const second = el("input", { type: "password", "aria-label": "Passphrase again", autocomplete: "new-password", placeholder: "Once more" });
    const given = await ask("A passphrase for the export", el("form", { class: "stack", onsubmit: (event) => event.preventDefault() }, el("p", {}, "Whoever has the file and the passphrase can read everything. Nobody can open it without."), first, second), [
      { label: "Cancel", value: () => null }, { label: "Export", value: () => [first.value, second.value], kind: "main" }]);
    if (given === null) return;
    if (given[0] !== given[1]) throw new Error("The two passphrases differ; nothing was exported.");
    toast(`Saved ${await download("/api/privacy/export", { passphrase: given[0] })}.`);
  }

  async function lock() {
    const { locked } = await post("/api/privacy/lock");
    document.getElementById("main").replaceChildren(el("div", { class: "view" }, heading("Locked"),
      el("p", { class: "lead" }, `The profile “${locked}” is closed. To open it again: `, el("code", {}, `ondevice profile unlock ${locked}`), ", then ondevice serve.")));
  }

  async function wipe(name) {
    const typed = el("input", { type: "text", "aria-label": "Name of the profile", autocomplete: "off", id: "wipe-name" });
    const content = el("div", {}, el("p", {}, "Everything about you is destroyed. To confirm, type the name of the profile: ", el("strong", {}, name)), typed);
    const given = await ask("Wipe this profile?", content, [
      { label: "Keep everything", value: () => null }, { label: "Wipe", value: () => typed.value, kind: "danger" }]);
    if (given === null) return;
    await post("/api/privacy/wipe", { confirm: given });
    document.getElementById("main").replaceChildren(el("div", { class: "view" }, heading("It is gone"),
      el("p", { class: "lead" }, `The profile “${name}” was destroyed: its keys first, then its files. Start ondevice serve again to begin a new one.`)));
  }

  return { node, enter: () => attempt(async () => show(await get("/api/privacy"))) };
}
