// Adapters: which are used, where each comes from, what it was measured to do.

import { get, post } from "./api.js";
import { arms, audits } from "./charts.js";
import { ask } from "./dialog.js";
import { attempt, brief, button, counted, day, el, heading } from "./dom.js";

const STATES = {
  active: ["in use", "good"],
  off: ["off", ""],
  candidate: ["candidate", ""],
  stale: ["stale: learned something that is gone", "warn"],
};

/** Make the view. */
export function create() {
  const list = el("div", {});
  const back = button("Roll back", () => change("/api/adapters/rollback"), {
    hidden: true,
    title: "Use what was used before",
  });
  const node = el(
    "div",
    { class: "view" },
    heading("Adapters", back),
    el(
      "p",
      { class: "lead" },
      "What was learned from you, as files that are encrypted on this machine. An adapter " +
        "whose memories you forget is never used again.",
    ),
    list,
  );

  const change = (path, fields = {}) => attempt(async () => show(await post(path, fields)));

  function show(found) {
    back.hidden = !found.adapters.length;
    list.replaceChildren(...found.adapters.map(card), found.reader ? reader(found.reader) : "");
    if (!found.adapters.length)
      list.prepend(
        el(
          "p",
          { class: "card quiet" },
          "You have none yet. ",
          el("a", { href: "#/learn" }, "Learn"),
          " makes one when there is enough to learn from.",
        ),
      );
  }

  function card(one) {
    const [state, kind] = STATES[one.state] ?? [one.state, ""];
    const more = el("details", {}, el("summary", {}, "Where it comes from"));
    more.addEventListener("toggle", () => {
      if (more.open && more.childElementCount === 1) attempt(() => lineage(one.name, more));
    });
    return el(
      "div",
      { class: "card" },
      el(
        "div",
        { class: "row" },
        el("h2", { class: "grow" }, one.name),
        el("span", { class: `tag ${kind}` }, state),
        one.state === "active" &&
          button("Turn off", () => change("/api/adapters/off", { name: one.name })),
        (one.state === "off" || one.state === "candidate") &&
          button("Use", () => change("/api/adapters/use", { name: one.name })),
        button("Remove", () => remove(one.name), {
          class: "danger",
          "aria-label": `Remove ${one.name}`,
        }),
      ),
      el(
        "p",
        { class: "quiet small" },
        [
          `rank ${one.rank}`,
          `scale ${one.scale}`,
          one.method && `learned (${one.method})`,
          counted(one.n_records, "record"),
          day(one.created),
        ]
          .filter(Boolean)
          .join(" · "),
      ),
      one.summary && el("p", {}, one.summary),
      more,
    );
  }

  async function lineage(name, more) {
    const found = await get(`/api/adapters/${encodeURIComponent(name)}`);
    more.append(
      el("p", { class: "sha" }, `file ${found.sha256}`),
      el("p", { class: "sha" }, `base model ${found.base_sha256}`),
    );
    if (found.from) more.append(el("p", { class: "small" }, `Went on from ${found.from}.`));
    if (found.why)
      more.append(
        el("p", { class: "small" }, `${found.why[0].toUpperCase()}${found.why.slice(1)}.`),
      );
    if (found.arms)
      more.append(
        arms(
          Object.entries(found.arms).map(([key, [value, low, high, n]]) => ({
            arm: key.split("/")[0],
            metric: key.split("/")[1],
            value,
            low,
            high,
            n,
          })),
        ),
      );
    if (found.audits)
      more.append(
        audits(
          Object.entries(found.audits).map(
            ([
              name,
              {
                change: [value, low, high],
                bound,
                exceeded,
              },
            ]) => ({ name, change: { value, low, high }, bound, exceeded }),
          ),
        ),
      );
    more.append(
      el(
        "p",
        { class: "small" },
        `Learned from ${counted(found.n_records, "record")}` +
          (found.n_records > found.records.length ? "; these are still there:" : ":"),
      ),
      el(
        "ul",
        { class: "chain small" },
        found.records.map((record) => el("li", {}, brief(record.text, 160))),
      ),
    );
  }

  async function remove(name) {
    const sure = await ask(
      `Delete “${name}” for good?`,
      el("p", {}, "Its file is overwritten and deleted. Your memories stay."),
      [
        { label: "Keep it", value: () => false },
        { label: "Delete", value: () => true, kind: "danger" },
      ],
    );
    if (sure) await change("/api/adapters/remove", { name });
  }

  function reader(one) {
    return el(
      "div",
      { class: "card" },
      el(
        "div",
        { class: "row" },
        el("h2", { class: "grow" }, "Reader"),
        el("span", { class: `tag ${one.scale ? "good" : ""}` }, one.scale ? "in use" : "off"),
        one.scale
          ? button("Turn off", () => change("/api/adapters/off", { name: "reader" }))
          : button("Use", () => change("/api/adapters/use", { name: "reader" })),
      ),
      el(
        "p",
        { class: "quiet small" },
        "Comes with the base model, the same for everybody: it teaches the model to answer " +
          "from your memories.",
      ),
    );
  }

  return { node, enter: () => attempt(async () => show(await get("/api/adapters"))) };
}
