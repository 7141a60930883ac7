// The forget preview: what goes, what goes with it, and the adapters that learned it.

import { post } from "./api.js";
import { ask } from "./dialog.js";
import { counted, el, toast } from "./dom.js";

const VERDICTS = { accept: "You called the answer good.", reject: "You called the answer bad." };
const KINDS = { turn: "said", passage: "imported", feedback: "verdict", sample: "imported" };

/** Show what forgetting `ids` means and do it if the person says so. Return whether it was done. */
export async function forgetWithPreview(ids) {
  const shown = await post("/api/memories/forget/preview", { ids });
  const sure = await ask("Forget this for good?", describe(shown), [
    { label: "Keep it", value: () => false },
    { label: "Forget for good", value: () => true, kind: "danger" },
  ]);
  if (!sure) return false;
  const done = await post("/api/memories/forget", { ids });
  const stale = done.adapters_stale.length
    ? ` No longer used: ${done.adapters_stale.join(", ")}.`
    : "";
  toast(`Forgotten: ${counted(done.records, "record")}.${stale}`);
  return true;
}

function describe(shown) {
  const list = shown.records.map((record) =>
    el(
      "p",
      {},
      el("span", { class: "tag" }, KINDS[record.kind] ?? record.kind),
      " ",
      record.replaced_by && el("span", { class: "tag" }, "former wording"),
      " ",
      (record.text || record.name || VERDICTS[record.verdict] || "").slice(0, 300),
    ),
  );
  const more = shown.count - shown.records.length;
  const copies = shown.copies.map((one) => el("p", {}, `${one.kind}: ${one.path}`));
  return el(
    "div",
    {},
    el(
      "p",
      {},
      `${counted(shown.count, "record")} and ${counted(shown.vectors, "vector")} are purged from ` +
        "the encrypted database, with every entry in the index.",
    ),
    el(
      "div",
      { class: "scroll", tabindex: 0, role: "group", "aria-label": "What is forgotten" },
      list,
      more > 0 && el("p", {}, `… and ${more} more.`),
    ),
    shown.adapters_stale.length
      ? el(
          "p",
          { class: "note warn" },
          "These adapters learned from it. They are shredded and never used again: " +
            `${shown.adapters_stale.join(", ")}. “Learn” trains one without it.`,
        )
      : el("p", { class: "quiet small" }, "No adapter learned from it."),
    copies.length > 0 &&
      el(
        "div",
        { class: "small" },
        el("p", {}, "These copies still hold it; delete them, or make them anew afterwards:"),
        copies,
      ),
  );
}
