// One message of the chat, and under an answer what was remembered and used for it.

import { patch, post } from "./api.js";
import { askText, kept } from "./dialog.js";
import { attempt, button, counted, el, toast } from "./dom.js";
import { forgetWithPreview } from "./forget.js";
import { markdown } from "./markdown.js";
import { replacedLine } from "./replaced.js";

const PLACES = {
  turn: "fits your message",
  earlier: "from an earlier message",
  prefix: "always at hand",
  kept: "used",
};

/** What the person wrote. */
export function question(text) {
  return el(
    "article",
    { class: "said you" },
    el("h3", { class: "hidden" }, "You"),
    el("p", {}, text),
  );
}

/** An answer: a ready one, or one that comes; `show(text)` redraws it at most once a frame. */
export function answer(text = null) {
  const body = el(
    "div",
    { class: "body" },
    text === null
      ? el(
          "span",
          { class: "wait", role: "img", "aria-label": "Thinking" },
          el("i"),
          el("i"),
          el("i"),
        )
      : markdown(text),
  );
  const under = el("div", { class: "under" });
  const node = el(
    "article",
    { class: "said it" },
    el("h3", { class: "hidden" }, "ondevice"),
    body,
    under,
  );
  const empty = () => body.replaceChildren(el("p", { class: "quiet" }, "(no words)"));
  if (text === "") empty();
  let pending = null;
  const show = (text) => {
    if (pending === null)
      requestAnimationFrame(() => {
        body.replaceChildren(markdown(pending));
        pending = null;
      });
    pending = text;
  };
  return { node, body, under, show, empty };
}

/** Show the receipt of an answer; `changed` is called when a memory was forgotten. */
export function receipt(done, text, changed) {
  const parts = [];
  if (done.temporary)
    parts.push(
      el(
        "p",
        { class: "quiet small" },
        "Temporary: nothing was read from or written to your memory.",
      ),
    );
  if (done.finish_reason === "cancelled")
    parts.push(el("p", { class: "quiet small" }, "Stopped; what was said so far is kept."));
  if (done.finish_reason === "length")
    parts.push(el("p", { class: "quiet small" }, "The longest allowed answer was reached."));
  if (done.forgotten_meanwhile)
    parts.push(
      el(
        "p",
        { class: "note warn small" },
        "Stopped: a memory was forgotten meanwhile. Ask again.",
      ),
    );
  for (const fact of done.saved) parts.push(memory(fact, "Remembered", changed));
  for (const fact of done.replaced ?? []) parts.push(replacedLine(fact, changed));
  if (done.used.length) {
    const used = el(
      "details",
      {},
      el("summary", {}, `Used ${counted(done.used.length, "memory", "memories")}`),
      ...done.used.map((one) => memory(one, PLACES[one.place] ?? one.place, changed)),
    );
    parts.push(used);
  }
  return [...parts, verdicts(done, text)].filter(Boolean);
}

/** Who wrote a text, as a tag, if that was somebody else. */
export function author(record) {
  const other = record.speaker && record.speaker !== "user" && record.kind !== "fact";
  return other ? el("span", { class: "tag" }, record.speaker) : null;
}

function memory(record, label, changed) {
  const shown = el("span", { class: "grow clamp" }, record.text);
  const row = el(
    "div",
    { class: "used" },
    el("span", { class: "tag good" }, label),
    author(record),
    shown,
  );
  row.append(
    button(
      "Forget",
      () =>
        attempt(async () => {
          if (!(await forgetWithPreview([record.id]))) return;
          row.classList.add("gone");
          changed();
        }),
      { class: "plain", "aria-label": `Forget: ${record.text.slice(0, 60)}` },
    ),
  );
  row.append(
    button(
      "Correct",
      () =>
        attempt(async () => {
          const better = await askText("Correct this memory", record.text);
          if (better === null || better === record.text) return;
          const now = await kept((more) =>
            patch(`/api/memories/${record.id}`, { text: better, ...more }),
          );
          if (!now) return;
          Object.assign(record, { id: now.id, text: now.text });
          shown.textContent = now.text;
          toast("Corrected.");
        }),
      { class: "plain", "aria-label": `Correct: ${record.text.slice(0, 60)}` },
    ),
  );
  return row;
}

function verdicts(done, text) {
  if (!done.turn_id) return null;
  const row = el("div", { class: "verdicts", role: "group", "aria-label": "Judge this answer" });
  const judge = (verdict, node, wanted = undefined) =>
    attempt(async () => {
      await post("/api/feedback", { verdict, turn_id: done.turn_id, text: wanted });
      for (const other of row.querySelectorAll("[aria-pressed]"))
        other.setAttribute("aria-pressed", String(other === node));
    });
  const pressed = (verdict) => ({
    class: "plain",
    "aria-pressed": String(done.verdict === verdict),
  });
  const good = button("Good", () => judge("accept", good), pressed("accept"));
  const bad = button("Bad", () => judge("reject", bad), pressed("reject"));
  const better = button(
    "Write it better",
    () =>
      attempt(async () => {
        const wanted = await askText("What should the answer have been?", text, {
          hint: "It is learned from at the next “Learn”.",
        });
        if (wanted === null || wanted === text) return;
        await judge("edit", better, wanted);
        toast("Noted: that is what you wanted instead.");
      }),
    pressed("edit"),
  );
  const copy = button(
    "Copy",
    () =>
      attempt(async () => {
        await navigator.clipboard.writeText(text);
        toast("Copied.");
      }),
    { class: "plain" },
  );
  row.append(good, bad, better, copy);
  return row;
}
