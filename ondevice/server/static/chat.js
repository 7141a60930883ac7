// The chat: stream, stop, retry, edit; earlier chats; and a switch for chats that leave no trace.

import { farewell, get, post, stream } from "./api.js";
import { attempt, button, el, heading } from "./dom.js";
import { chooseEarlier } from "./earlier.js";
import { answer, question, receipt } from "./message.js";

/** Make the view. */
export function create() {
  const state = { conversation: null, temporary: false, busy: false, last: null, number: 0 };
  const log = el("div", {
    class: "log",
    role: "log",
    "aria-label": "Conversation",
    "aria-live": "off",
  });
  // A screen reader hears whole answers, not each word.
  const heard = el("p", { class: "hidden", role: "status" });
  const empty = el(
    "div",
    { class: "empty" },
    el("p", { class: "big" }, "What is on your mind?"),
    el(
      "p",
      { class: "quiet" },
      "I remember what you tell me about yourself, on this machine only. " +
        "Under every answer you see what I used, one click from correcting or forgetting it.",
    ),
    el(
      "div",
      { class: "row hints" },
      ["My name is …", "What do you know about me?", "Help me write a letter."].map((hint) =>
        button(
          hint,
          () => {
            box.value = hint;
            box.focus();
            if (hint.includes("…")) box.setSelectionRange(hint.indexOf("…"), hint.indexOf("…") + 1);
          },
          { class: "hint" },
        ),
      ),
    ),
    el(
      "p",
      { class: "quiet small" },
      "Or ",
      el("a", { href: "#/import" }, "bring your notes and chats along"),
      ".",
    ),
  );
  const box = el("textarea", {
    rows: 1,
    placeholder: "Write a message",
    "aria-label": "Your message",
    id: "message",
  });
  const send = el("button", { type: "submit", class: "main" }, "Send");
  const stop = button("Stop", () => stopAnswer(), { hidden: true, class: "danger" });
  const temp = button("Temporary", () => attempt(() => restart(!state.temporary)), {
    "aria-pressed": "false",
    id: "temporary",
    title: "A chat that reads and keeps nothing",
  });
  const earlier = button(
    "Earlier",
    () =>
      attempt(async () => {
        const id = await chooseEarlier(state.conversation, (gone) => left(gone));
        if (id) location.hash = `#/chat/${id}`;
      }),
    { title: "Go on with an earlier chat" },
  );
  const fresh = button("New chat", () => attempt(() => restart(state.temporary)));
  const banner = el(
    "p",
    { class: "temporary", hidden: true, role: "status" },
    "Temporary chat. Nothing is read from your memory, and nothing of this is kept.",
  );
  const form = el("form", { class: "write", onsubmit: submit }, box, stop, send);
  const page = el("div", { class: "page" }, empty, log);
  const node = el(
    "div",
    { class: "chat view" },
    heading("Chat", temp, earlier, fresh),
    banner,
    page,
    form,
    heard,
  );

  box.addEventListener("input", grow);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
    if (event.key === "Escape" && state.busy) stopAnswer();
  });
  // A temporary chat ends with the page: also the server, which holds it in memory, lets it go.
  window.addEventListener("pagehide", () => {
    if (state.temporary) farewell("/api/chat/new", { temporary: false });
  });

  function grow() {
    box.rows = Math.min(8, Math.max(1, box.value.split("\n").length));
  }

  function show(temporary, conversation) {
    state.temporary = temporary;
    temp.setAttribute("aria-pressed", String(temporary));
    banner.hidden = !temporary;
    node.classList.toggle("is-temporary", temporary);
    state.conversation = conversation;
    const hash = conversation && !temporary ? `#/chat/${conversation}` : "#/chat";
    if (location.hash.startsWith("#/chat") || !location.hash) history.replaceState(null, "", hash);
  }

  /** Show a conversation: the one with that id, else the one that the server has open. */
  async function load(conversation) {
    state.number += 1;
    const number = state.number;
    const found = await get("/api/chat", { conversation: conversation ?? "" });
    if (number !== state.number) return; // the person has gone on meanwhile
    show(found.temporary, found.conversation);
    state.last = null;
    log.replaceChildren();
    for (const one of found.exchanges) {
      const given = answer(one.answer?.text ?? "");
      if (one.answer)
        given.under.replaceChildren(
          ...receipt(
            { saved: [], used: [], temporary: state.temporary, ...one.answer },
            one.answer.text,
            changed,
          ),
        );
      state.last = [question(one.text), given.node];
      log.append(...state.last);
    }
    if (state.last)
      state.last[1].querySelector(".under").append(again(found.exchanges.at(-1).text));
    empty.hidden = Boolean(found.exchanges.length);
    page.scrollTop = page.scrollHeight;
  }

  async function restart(temporary) {
    await stopAnswer();
    state.number += 1;
    const made = await post("/api/chat/new", { temporary });
    show(made.temporary, made.conversation);
    log.replaceChildren();
    empty.hidden = false;
    state.last = null;
    box.focus();
  }

  /** Something was forgotten: what is said of it in this chat is gone too. */
  function changed() {
    if (!state.busy && !state.temporary) attempt(() => load(state.conversation));
  }

  function left(gone) {
    if (gone === state.conversation) attempt(() => restart(false));
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
    exchange(text, {});
  }

  /** Send a message; `how` is {retry} to have the last one answered again, {edit} to replace it. */
  async function exchange(text, how) {
    if ((how.retry || how.edit) && state.last) {
      for (const old of state.last) old.remove();
    }
    state.last?.[1]?.querySelector(".again")?.remove();
    const asked = question(text);
    const given = answer();
    state.number += 1;
    state.last = [asked, given.node];
    state.busy = true;
    empty.hidden = true;
    send.disabled = true;
    stop.hidden = false;
    log.append(asked, given.node);
    page.scrollTop = page.scrollHeight;
    let said = "";
    try {
      const done = await answered({ text, conversation: state.conversation, ...how }, (piece) => {
        said += piece;
        given.show(said);
        follow();
      });
      show(done.temporary, done.conversation);
      if (!said) given.empty();
      given.under.replaceChildren(...receipt(done, said, changed));
      heard.textContent = `Answer: ${said}`;
    } catch (error) {
      given.show(said);
      given.under.replaceChildren(
        el("p", { class: "note warn small", role: "alert" }, error.message),
      );
    }
    given.under.append(again(text));
    state.busy = false;
    send.disabled = false;
    stop.hidden = true;
    follow();
    if (how.retry && !said) changed(); // stopped before a word came: the old answer stays
    box.focus();
  }

  async function answered(fields, piece) {
    for await (const event of stream("/api/chat", fields)) {
      if (event.piece !== undefined) piece(event.piece);
      else if (event.stage === "done") return event;
      else if (event.message) throw new Error(event.message);
    }
    throw new Error("The answer broke off; try again.");
  }

  function again(text) {
    return el(
      "div",
      { class: "verdicts again" },
      button(
        "Try again",
        () => {
          if (!state.busy) exchange(text, { retry: true });
        },
        { class: "plain" },
      ),
      button("Edit my message", () => edit(text), { class: "plain" }),
    );
  }

  function edit(text) {
    if (state.busy) return;
    const area = el("textarea", { rows: 3, "aria-label": "Edit your message", value: text });
    const asked = state.last[0];
    const send = () => {
      if (area.value.trim()) exchange(area.value.trim(), { edit: true });
    };
    const back = () => {
      state.last[0] = question(text);
      asked.replaceWith(state.last[0]);
      box.focus();
    };
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") back();
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        send();
      }
    });
    asked.classList.add("editing");
    asked.replaceChildren(
      area,
      el(
        "div",
        { class: "row" },
        button("Cancel", back, { class: "plain" }),
        button("Send again", send, { class: "main" }),
      ),
    );
    area.focus();
  }

  function follow() {
    if (page.scrollHeight - page.scrollTop - page.clientHeight < 240)
      page.scrollTop = page.scrollHeight;
  }

  return {
    node,
    enter: (id) => {
      // On a phone it would bring up the keyboard.
      if (!matchMedia("(hover: none)").matches) box.focus();
      if (!state.busy) attempt(() => load(id ?? state.conversation));
    },
  };
}
