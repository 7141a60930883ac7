// Questions to the person, in the browser's own modal dialogs.

import { button, el } from "./dom.js";

/** Show `content` with buttons [{label, value, kind}]; the first is "back". Resolve to the value. */
export function ask(title, content, choices) {
  return new Promise((resolve) => {
    const before = document.activeElement;
    const id = `dialog-${Math.random().toString(36).slice(2)}`;
    const dialog = el("dialog", { "aria-labelledby": id }, el("h2", { id }, title), content);
    const finish = (value) => {
      dialog.close();
      dialog.remove();
      before?.focus?.();
      resolve(value);
    };
    dialog.append(el("div", { class: "row" }, choices.map((choice) =>
      button(choice.label, () => finish(choice.value()), { class: choice.kind || "" }))));
    dialog.addEventListener("cancel", (event) => { event.preventDefault(); finish(null); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Ask for a text; null if the person goes back. */
export function askText(title, text, { label = "Save", hint = "" } = {}) {
  const area = el("textarea", { rows: 4, "aria-label": title, value: text });
  const content = el("div", {}, hint && el("p", { class: "quiet small" }, hint), area);
  const answer = ask(title, content, [
    { label: "Cancel", value: () => null },
    { label, value: () => area.value.trim() || null, kind: "main" },
  ]);
  area.focus();
  return answer;
}
