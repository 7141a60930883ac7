// Questions to the person, in the browser's own modal dialogs.

import { button, el } from "./dom.js";

let made = 0;

/**
 * Show `content` with buttons [{label, value, kind}] in a dialog.
 * Return {closed, finish}: `closed` resolves to the chosen value, null if the person goes back.
 */
export function dialog(title, content, choices) {
  const before = document.activeElement;
  made += 1;
  const id = `dialog-${made}`;
  const node = el("dialog", { "aria-labelledby": id }, el("h2", { id }, title), content);
  let finish;
  const closed = new Promise((resolve) => {
    finish = (value) => {
      node.close();
      node.remove();
      if (before?.isConnected) before.focus();
      resolve(value);
    };
  });
  node.append(
    el(
      "div",
      { class: "row" },
      choices.map((choice) =>
        button(choice.label, () => finish(choice.value()), { class: choice.kind || "" }),
      ),
    ),
  );
  node.addEventListener("cancel", (event) => {
    event.preventDefault();
    finish(null);
  });
  node.addEventListener("mousedown", (event) => {
    if (event.target === node && outside(node, event)) finish(null);
  });
  document.body.append(node);
  node.showModal();
  return { closed, finish };
}

function outside(node, event) {
  const box = node.getBoundingClientRect();
  return (
    event.clientX < box.left ||
    event.clientX > box.right ||
    event.clientY < box.top ||
    event.clientY > box.bottom
  );
}

/** Show a dialog and resolve to the chosen value. */
export function ask(title, content, choices) {
  return dialog(title, content, choices).closed;
}

/** Send what is to be stored; where the chat is temporary only after asking. Null: it was not. */
export async function kept(send) {
  try {
    return await send({});
  } catch (error) {
    if (error.code !== "temporary_chat") throw error;
  }
  const sure = await ask(
    "Keep this anyway?",
    el("p", {}, "Your chat is temporary and keeps nothing. This would be stored for good."),
    [
      { label: "Do not keep", value: () => false },
      { label: "Keep it", value: () => true, kind: "main" },
    ],
  );
  return sure ? send({ keep: true }) : null;
}

/** Ask for a text; null if the person goes back. */
export function askText(title, text, { label = "Save", hint = "" } = {}) {
  const area = el("textarea", { rows: 4, "aria-label": title, value: text });
  const shown = dialog(
    title,
    el("div", {}, hint && el("p", { class: "quiet small" }, hint), area),
    [
      { label: "Cancel", value: () => null },
      { label, value: () => area.value.trim() || null, kind: "main" },
    ],
  );
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey))
      shown.finish(area.value.trim() || null);
  });
  area.focus();
  return shown.closed;
}

/** Ask for a new passphrase, twice; null if the person goes back. */
export async function askPassphrase(title, hint, label) {
  const field = (name) =>
    el("input", {
      type: "password",
      "aria-label": name,
      autocomplete: "new-password",
      placeholder: name,
    });
  const [first, second] = [field("Passphrase"), field("Passphrase again")];
  const problem = el("p", { class: "problem small", role: "alert" });
  for (;;) {
    const shown = dialog(
      title,
      el(
        "form",
        {
          class: "stack",
          onsubmit: (event) => {
            event.preventDefault();
            shown.finish(true);
          },
        },
        el("p", {}, hint),
        first,
        second,
        problem,
        el("button", { type: "submit", hidden: true }),
      ),
      [
        { label: "Cancel", value: () => null },
        { label, value: () => true, kind: "main" },
      ],
    );
    first.focus();
    if ((await shown.closed) === null) return null;
    if (first.value && first.value === second.value) return first.value;
    problem.textContent = first.value
      ? "The two passphrases differ."
      : "An empty passphrase protects nothing.";
  }
}
