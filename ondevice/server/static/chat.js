// The chat: stream, stop, retry, edit; and a switch for chats that leave no trace.

import { get, post, stream } from "./api.js";
import { attempt, button, el, heading } from "./dom.js";
import { answer, question, receipt } from "./message.js";

/** Make the view. */
export function create() {
  const state = { temporary: false, busy: null, last: null };
  const log = el("div", { class: "log", role: "log", "aria-label": "Conversation" });
  const empty = el("div", { class: "empty" },
    el("p", { class: "big" }, "What is on your mind?"),
    el("p", { class: "quiet" }, "I remember what you tell me about yourself, on this machine only. "
      + "Under every answer you see what I used."));
  const box = el("textarea", { rows: 1, placeholder: "Write a message", "aria-label": "Your message", id: "message" });
  const send = el("button", { type: "submit", class: "main" }, "Send");
  const stop = button("Stop", () => stopAnswer(), { hidden: true, class: "danger" });
  const temp = button("Temporary chat", () => attempt(() => restart(!state.temporary)), { "aria-pressed": "false", id: "temporary" });
  const fresh = button("New chat", () => attempt(() => restart(state.temporary)));
  const banner = el("p", { class: "temporary", hidden: true, role: "status" },
    "Temporary chat. Nothing is read from your memory, and nothing of this is kept.");
  const form = el("form", { class: "write", onsubmit: submit }, box, stop, send);
  const node = el("div", { class: "chat view" }, heading("Chat", temp, fresh), banner, el("div", { class: "page" }, empty, log), form);

  box.addEventListener("input", grow);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
    if (event.key === "Escape" && state.busy) stopAnswer();
  });
  attempt(async () => show((await get("/api/state")).temporary));

  function grow() {
    box.rows = Math.min(8, Math.max(1, box.value.split("\n").length));
  }

  function show(temporary) {
    state.temporary = temporary;
    temp.setAttribute("aria-pressed", String(temporary));
    banner.hidden = !temporary;
    node.classList.toggle("is-temporary", temporary);
  }

  async function restart(temporary) {
    await stopAnswer();
    show((await post("/api/chat/new", { temporary })).temporary);
    log.replaceChildren();
    empty.hidden = false;
    state.last = null;
    box.focus();
  }

  async function stopAnswer() {
    if (state.busy) await attempt(() => post("/api/chat/stop"));
  }

  function submit(event) {
    event.preventDefault();
    const text = box.value.trim();
    if (!text || state.busy) return;
    box.value = "";
    grow();
    exchange(text, false);
  }

  async function exchange(text, redo) {
    if (redo && state.last) state.last.forEach((old) => old.remove());
    state.last?.[1]?.querySelector(".again")?.remove();
    const asked = question(text);
    const given = answer();
    state.last = [asked, given.node];
    state.busy = true;
    empty.hidden = true;
    send.disabled = true;
    stop.hidden = false;
    log.append(asked, given.node);
    given.node.scrollIntoView({ block: "end" });
    let said = "";
    let done = null;
    try {
      for await (const event of stream("/api/chat", { text, redo })) {
        if (event.piece !== undefined) { said += event.piece; given.show(said); follow(); }
        else if (event.stage === "done") done = event;
        else if (event.message) throw new Error(event.message);
      }
      if (!done) throw new Error("The answer broke off.");
      given.show(said || "(no words)");
      given.under.replaceChildren(...receipt(done, said));
    } catch (error) {
      given.show(said);
      given.under.replaceChildren(el("p", { class: "note warn small" }, error.message));
    }
    given.under.append(again(text));
    state.busy = null;
    send.disabled = false;
    stop.hidden = true;
    follow();
    box.focus();
  }

  function again(text) {
    return el("div", { class: "verdicts again" },
      button("Try again", () => { if (!state.busy) exchange(text, true); }, { class: "plain" }),
      button("Edit my message", () => edit(text), { class: "plain" }));
  }

  function edit(text) {
    if (state.busy) return;
    const area = el("textarea", { rows: 3, "aria-label": "Edit your message", value: text });
    const asked = state.last[0];
    asked.replaceChildren(area, el("div", { class: "row" },
      button("Cancel", () => asked.replaceWith(state.last[0] = question(text)), { class: "plain" }),
      button("Send again", () => { if (area.value.trim()) exchange(area.value.trim(), true); }, { class: "main" })));
    area.focus();
  }

  function follow() {
    const page = node.querySelector(".page");
    if (page.scrollHeight - page.scrollTop - page.clientHeight < 240) page.scrollTop = page.scrollHeight;
  }

  return { node, enter: () => box.focus() };
}
