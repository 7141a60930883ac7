// What came of a run: the outcome with what can be done about it, the table, the audits.

import { post } from "./api.js";
import { arms, audits } from "./charts.js";
import { attempt, button, clock, counted, el } from "./dom.js";

const TITLES = {
  activated: "It helps, and is in use",
  candidate: "Kept as a candidate, not in use",
  nothing: "Nothing was trained",
  stopped: "Stopped; the next run goes on from here",
};

/** Show the outcome of learning; `adapters` are those that there are now. */
export function report(found, figure, adapters) {
  const now = adapters.find((one) => one.name === found.adapter)?.state;
  const decided = el("span", { class: "quiet small", id: "decided", role: "status" });
  const decide = (path, fields, said, node) =>
    attempt(async () => {
      await post(path, fields);
      decided.textContent = said;
      node.remove();
    });
  const back = button(
    "Roll back",
    () =>
      decide(
        "/api/adapters/rollback",
        {},
        "Rolled back: what was in use before is in use again.",
        back,
      ),
    { class: "danger" },
  );
  const use = button("Use it all the same", () =>
    decide("/api/adapters/use", { name: found.adapter }, `“${found.adapter}” is in use.`, use),
  );
  return el(
    "div",
    { class: `card outcome ${found.outcome}`, id: "report" },
    el("h2", {}, TITLES[found.outcome]),
    found.reason && el("p", {}, sentence(found.reason)),
    found.outcome === "activated" &&
      el(
        "p",
        { class: "note" },
        now === "active"
          ? `“${found.adapter}” is in use from now on.`
          : `“${found.adapter}” is not in use any more.`,
      ),
    found.outcome === "nothing" &&
      el(
        "p",
        {},
        el("a", { href: "#/import" }, "Import"),
        " something that you wrote, or judge answers in the ",
        el("a", { href: "#/chat" }, "chat"),
        "; then learn again.",
      ),
    el(
      "div",
      { class: "row decide" },
      found.outcome === "activated" && now === "active" && back,
      found.outcome === "candidate" && now === "candidate" && use,
      decided,
    ),
    found.steps > 0 &&
      el(
        "p",
        { class: "quiet small" },
        `${counted(found.steps, "step")}, ${clock(found.seconds)} minutes in all.`,
      ),
    figure,
    found.evaluation && [el("h2", {}, "What was measured"), arms(found.evaluation.figures)],
    found.evaluation?.audits?.length > 0 && [
      el("h2", {}, "Side effects"),
      audits(found.evaluation.audits),
    ],
    found.warnings.map((line) => el("p", { class: "note" }, line)),
  );
}

/** Show an evaluation without learning. */
export function evaluated(found) {
  const what = found.adapter ? `“${found.adapter}”` : "Your memory";
  return el(
    "div",
    { class: "card", id: "report" },
    el("h2", {}, `${what}, judged`),
    el("p", {}, sentence(found.decision.summary)),
    numbers([
      [found.items.text, "of your texts"],
      [found.items.choices, "choices"],
      [found.items.questions, "questions"],
      [clock(found.seconds), "minutes"],
    ]),
    arms(found.figures),
    found.audits?.length > 0 && [el("h2", {}, "Side effects"), audits(found.audits)],
    found.fast &&
      el(
        "p",
        { class: "quiet small" },
        "A quick look at a third of the items; without “quickly” the intervals are narrower.",
      ),
    found.notes.map((line) => el("p", { class: "quiet small" }, line)),
  );
}

/** Figures with what they count: [[value, what]]. */
export function numbers(pairs) {
  return el(
    "div",
    { class: "numbers" },
    pairs
      .filter(Boolean)
      .map(([value, what]) => el("div", {}, el("strong", {}, String(value)), el("span", {}, what))),
  );
}

function sentence(text) {
  return text ? `${text[0].toUpperCase()}${text.slice(1).replace(/\.$/, "")}.` : "";
}
