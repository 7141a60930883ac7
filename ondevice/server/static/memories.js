// "What I know about you": search, filter, add, correct, pin, approve, and forget.

import { get, patch, post } from "./api.js";
import { ask, askText, kept } from "./dialog.js";
import { attempt, brief, button, counted, day, el, heading, toast } from "./dom.js";
import { forgetWithPreview } from "./forget.js";
import { virtualList } from "./list.js";
import { author } from "./message.js";
import { replacedLine } from "./replaced.js";

const CATEGORIES = [
  "demographic",
  "preference",
  "context",
  "task",
  "relationship",
  "health",
  "home",
  "work",
  "belief",
  "event",
  "plan",
  "wish",
  "possession",
  "other",
];
const KINDS = { fact: "Facts", passage: "Imported text", turn: "Conversations", "": "Everything" };

/** Make the view. */
export function create() {
  const chosen = new Set(); // ids that are ticked
  const leaving = new Set(); // ids that wait to be forgotten; nothing was deleted yet
  const search = el("input", {
    type: "search",
    placeholder: "Search",
    "aria-label": "Search memories",
    id: "search",
  });
  const kind = select("Kind", Object.entries(KINDS));
  const category = select("Category", [
    ["", "All categories"],
    ...CATEGORIES.map((one) => [one, one]),
  ]);
  const state = select("State", [
    ["", "All states"],
    ["active", "in use"],
    ["pending", "to approve"],
    ["superseded", "replaced"],
  ]);
  const source = select("Source", [["", "All sources"]]);
  const count = el("p", { class: "quiet small", role: "status", id: "count" });
  const bar = el("div", { class: "row bar", hidden: true });
  const narrow = matchMedia("(max-width: 44rem)");
  const rowHeight = () => (narrow.matches ? 92 : 66);
  const list = virtualList({
    rowHeight: rowHeight(),
    label: "Memories",
    render: row,
    fetchPage: (offset, limit, signal) =>
      get("/api/memories", { ...filter(), offset, limit }, signal),
  });
  const none = el("div", { class: "empty none", hidden: true });
  const text = el("input", {
    type: "text",
    placeholder: "Tell me something about you",
    "aria-label": "Something to remember",
    class: "grow",
  });
  const add = el(
    "form",
    {
      class: "row add",
      onsubmit: (event) => {
        event.preventDefault();
        attempt(remember);
      },
    },
    text,
    el("button", { type: "submit", class: "main" }, "Remember"),
  );
  const replaced = el("div", { role: "status", id: "replaced" });
  const node = el(
    "div",
    { class: "view memories" },
    heading("What I know about you"),
    add,
    replaced,
    el("div", { class: "row filters" }, search, kind, category, state, source),
    bar,
    count,
    none,
    list.node,
  );

  narrow.addEventListener("change", () => list.resize(rowHeight()));
  let typing = 0;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(reload, 15);
  });
  for (const one of [kind, category, state, source]) one.addEventListener("change", () => reload());

  function select(label, choices) {
    return el(
      "select",
      { "aria-label": label },
      choices.map(([value, shown]) => el("option", { value }, shown)),
    );
  }

  function filter() {
    return {
      query: search.value,
      kind: kind.value,
      category: category.value,
      state: state.value,
      source: source.value,
    };
  }

  async function reload(keep = false) {
    await attempt(async () => {
      const total = await list.reload(keep);
      if (total === null) return;
      const filtered = Object.entries(filter()).some(([name, value]) => value && name !== "kind");
      count.textContent = total
        ? counted(total, "memory", "memories")
        : filtered
          ? "Nothing fits."
          : "Nothing is remembered here yet.";
      none.hidden = total > 0;
      none.replaceChildren(
        ...(filtered
          ? [
              el("p", {}, "No memory fits these words and filters."),
              button("Show everything", () => {
                for (const one of [search, kind, category, state, source]) one.value = "";
                reload();
              }),
            ]
          : [
              el("p", { class: "big" }, "Nothing is known here yet."),
              el(
                "p",
                { class: "quiet" },
                "Tell something about yourself above, mention it in a ",
                el("a", { href: "#/chat" }, "chat"),
                ", or ",
                el("a", { href: "#/import" }, "import"),
                " notes and chats.",
              ),
            ]),
      );
      list.node.hidden = !total;
      node.dataset.ready = search.value;
    });
  }

  async function readSources() {
    const { sources } = await get("/api/sources");
    const held = source.value;
    source.replaceChildren(
      el("option", { value: "" }, "All sources"),
      ...sources
        .filter((one) => one.records)
        .slice(0, 500)
        .map((one) =>
          el(
            "option",
            { value: one.id },
            `${one.name.slice(0, 40)} · ${day(one.time)} · ${one.records}`,
          ),
        ),
    );
    source.value = held;
  }

  async function remember() {
    if (!text.value.trim()) return;
    const fact = await kept((more) => post("/api/memories", { text: text.value, ...more }));
    if (!fact) return;
    text.value = "";
    toast(`Remembered: ${brief(fact.text, 80)}`);
    tellReplaced(fact.replaced);
    await reload();
  }

  /** Say what is not used any more, until something else is remembered or approved. */
  function tellReplaced(facts) {
    replaced.replaceChildren(...facts.map((fact) => replacedLine(fact, () => reload(true))));
  }

  async function approve(ids) {
    const done = await kept((more) => post("/api/memories/approve", { ids, ...more }));
    if (done) tellReplaced(done.replaced);
    return done;
  }

  function row(record) {
    const fact = record.kind === "fact";
    const tick = el("input", {
      type: "checkbox",
      checked: chosen.has(record.id),
      "aria-label": `Choose: ${record.text.slice(0, 80)}`,
      onchange: () => {
        chosen[tick.checked ? "add" : "delete"](record.id);
        showBar();
      },
    });
    const tags = [
      record.state === "pending" && el("span", { class: "tag warn" }, "to approve"),
      record.state === "superseded" && el("span", { class: "tag" }, "replaced"),
      record.pinned && el("span", { class: "tag good" }, "pinned"),
      author(record),
      el(
        "span",
        { class: "tag" },
        fact
          ? record.category
          : record.kind === "turn"
            ? record.role === "user"
              ? "you said"
              : "answer"
            : "imported",
      ),
      el("span", { class: "quiet small" }, day(record.time)),
    ];
    const actions = [
      record.state === "pending" && action("Approve", record, () => approve([record.id])),
      record.state === "superseded" &&
        action("Use again", record, () =>
          kept((more) => post("/api/memories/restore", { id: record.id, ...more })),
        ),
      fact &&
        action(record.pinned ? "Unpin" : "Pin", record, () =>
          kept((more) => patch(`/api/memories/${record.id}`, { pinned: !record.pinned, ...more })),
        ),
      fact &&
        action("Edit", record, async () => {
          const better = await askText("Correct this memory", record.text);
          if (better && better !== record.text)
            await kept((more) => patch(`/api/memories/${record.id}`, { text: better, ...more }));
        }),
      !fact &&
        record.state === "active" &&
        record.role !== "assistant" &&
        action("Correct", record, async () => {
          const better = await askText("Correct this text", record.text, {
            hint:
              "Only your wording is used from now on. The old one is kept, as “replaced”, " +
              "so that you can go back.",
          });
          if (better && better !== record.text)
            await patch(`/api/memories/${record.id}`, { text: better });
        }),
      action("Forget", record, () => forgetWithPreview([record.id])),
    ];
    return el(
      "div",
      {
        "data-id": record.id,
        class:
          `memory${leaving.has(record.id) ? " gone" : ""}` +
          (record.state === "superseded" ? " old" : ""),
      },
      tick,
      el(
        "div",
        { class: "grow" },
        button(brief(record.text, 300), () => read(record), {
          class: "text",
          "aria-label": `Read: ${brief(record.text, 80)}`,
        }),
        el("div", { class: "tags" }, tags),
      ),
      el("div", { class: "actions" }, actions),
    );
  }

  /** Show the whole of a record, which in the list has one line. */
  async function read(record) {
    const from = source.querySelector(
      `option[value="${CSS.escape(record.source_id ?? "")}"]:not([value=""])`,
    )?.textContent;
    await ask(
      "What is remembered",
      el(
        "div",
        {},
        el("p", { class: "scroll whole", tabindex: 0 }, record.text),
        el(
          "p",
          { class: "quiet small" },
          [day(record.time), from && `from ${from}`].filter(Boolean).join(" · "),
        ),
      ),
      [{ label: "Close", value: () => null, kind: "main" }],
    );
  }

  function action(label, record, run) {
    return button(
      label,
      () =>
        attempt(async () => {
          await run();
          await reload(true);
          focusNear(record);
        }),
      { class: "plain", "aria-label": `${label}: ${record.text.slice(0, 60)}` },
    );
  }

  /** The rows are new: the focus goes back to where it was, or to the list if that is gone. */
  function focusNear(record) {
    if (document.activeElement !== document.body) return;
    const near =
      list.node.querySelector(`[data-id="${CSS.escape(record.id)}"] .actions button`) ?? list.node;
    (list.node.hidden ? text : near).focus();
  }

  function showBar() {
    bar.hidden = !chosen.size;
    bar.replaceChildren(
      el("span", { class: "grow" }, `${counted(chosen.size, "memory", "memories")} chosen`),
      button("Choose all that fit", () => attempt(chooseAll), { class: "plain" }),
      button(
        "Clear",
        () => {
          chosen.clear();
          showBar();
          list.redraw();
        },
        { class: "plain" },
      ),
      button("Approve", () => attempt(approveChosen)),
      button("Forget", leave, { class: "danger" }),
    );
  }

  async function chooseAll() {
    for (const id of (await get("/api/memories/ids", filter())).ids) chosen.add(id);
    showBar();
    list.redraw();
  }

  async function approveChosen() {
    const { ids } = await get("/api/memories/ids", { state: "pending" });
    const pending = ids.filter((id) => chosen.has(id));
    if (pending.length && !(await approve(pending))) return;
    toast(`Approved: ${counted(pending.length, "memory", "memories")}.`);
    chosen.clear();
    showBar();
    await reload(true);
  }

  /** Cross the chosen ones out; they go only after the preview was confirmed. */
  function leave() {
    for (const id of chosen) leaving.add(id);
    chosen.clear();
    bar.hidden = false;
    list.redraw();
    const undo = button("Undo", () => {
      leaving.clear();
      showBar();
      list.redraw();
    });
    const go = button(
      "See what goes…",
      () =>
        attempt(async () => {
          if (!(await forgetWithPreview([...leaving]))) return;
          leaving.clear();
          showBar();
          await Promise.all([reload(true), readSources()]);
          (list.node.hidden ? text : list.node).focus();
        }),
      { class: "danger" },
    );
    bar.replaceChildren(
      el(
        "span",
        { class: "grow" },
        `${counted(leaving.size, "memory", "memories")} crossed out; nothing is forgotten yet`,
      ),
      undo,
      go,
    );
    undo.focus();
  }

  /** Show everything, or, if `wanted` says so, what waits for approval or came from a source. */
  async function enter(wanted) {
    await attempt(readSources);
    if (wanted !== undefined) {
      for (const one of [search, kind, category, state, source]) one.value = "";
      if (wanted === "pending") state.value = wanted;
      else source.value = wanted;
    }
    await reload(wanted === undefined);
  }

  return { node, enter };
}
