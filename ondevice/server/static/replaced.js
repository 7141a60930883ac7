// What a new memory has replaced, with the way back.

import { post } from "./api.js";
import { attempt, button, el, toast } from "./dom.js";

/** A line that names a replaced fact; its button uses it again and calls `changed`. */
export function replacedLine(fact, changed) {
  const row = el(
    "div",
    { class: "used replaced" },
    el("span", { class: "tag" }, "Replaced"),
    el("span", { class: "grow clamp" }, fact.text),
  );
  row.append(
    button(
      "Undo",
      () =>
        attempt(async () => {
          await post("/api/memories/restore", { id: fact.id });
          row.remove();
          toast("It is used again, beside the new one.");
          changed();
        }),
      { class: "plain", "aria-label": `Use again: ${fact.text.slice(0, 60)}` },
    ),
  );
  return row;
}
