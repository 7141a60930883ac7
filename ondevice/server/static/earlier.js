// The list of earlier chats: go on with one, or forget it.

import { get } from "./api.js";
import { attempt, button, counted, day, el } from "./dom.js";
import { dialog } from "./dialog.js";
import { forgetWithPreview } from "./forget.js";

/**
 * Let the person choose a chat; resolve to its id, or null.
 * `left(id)` is called when one was forgotten.
 */
export async function chooseEarlier(current, left) {
  const search = el("input", {
    type: "search",
    placeholder: "Search in what was said",
    "aria-label": "Search earlier chats",
  });
  const list = el("ul", { class: "chats" });
  const status = el("p", { class: "quiet small", role: "status" });
  const shown = dialog("Earlier chats", el("div", { class: "stack" }, search, status, list), [
    { label: "Close", value: () => null },
  ]);
  let typing = 0;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => attempt(fill), 60);
  });

  async function fill() {
    const { conversations } = await get("/api/conversations", { query: search.value });
    status.textContent = conversations.length
      ? counted(conversations.length, "chat")
      : search.value
        ? "No chat has these words."
        : "There is none yet: what you write in a chat that is not temporary stands here.";
    list.replaceChildren(
      ...conversations.map((one) =>
        el(
          "li",
          { class: "row" },
          button(
            [
              el("span", { class: "begins" }, one.begins),
              el(
                "span",
                { class: "quiet small" },
                `${day(one.time)} · ${counted(one.turns, "message")}`,
              ),
            ],
            () => shown.finish(one.id),
            { class: "grow chat-choice", "aria-current": one.id === current ? "true" : null },
          ),
          button(
            "Forget",
            () =>
              attempt(async () => {
                if (await forgetWithPreview([one.id])) {
                  left(one.id);
                  await fill();
                }
              }),
            { class: "plain", "aria-label": `Forget the chat: ${one.begins.slice(0, 60)}` },
          ),
        ),
      ),
    );
  }

  await fill();
  search.focus();
  return shown.closed;
}
