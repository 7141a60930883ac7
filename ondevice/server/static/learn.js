// Learn: an estimate, the run with its loss, what was measured, and the decision.

import { get, post, stream } from "./api.js";
import { arms, lossCurve } from "./charts.js";
import { attempt, button, clock, counted, el, heading, size } from "./dom.js";

const STAGES = { examples: "Choosing examples", measuring: "Measuring the speed", training: "Learning your texts", preferences: "Learning your verdicts",
  evaluation: "Judging on what was held back", audits: "Looking for side effects" };

/** Make the view. */
export function create() {
  const minutes = el("input", { type: "number", min: 1, max: 600, placeholder: "as needed", "aria-label": "Minutes of training", id: "minutes" });
  const scratch = el("input", { type: "checkbox", id: "scratch" });
  const quick = el("input", { type: "checkbox", id: "quick" });
  const estimate = button("Estimate", () => attempt(doEstimate));
  const start = button("Start learning", () => attempt(doStart), { class: "main" });
  const stop = button("Stop; go on later", () => attempt(() => post("/api/learn/stop")), { class: "danger", hidden: true });
  const plan = el("div", { role: "status" });
  const run = el("div", { "aria-live": "off" });
  const node = el("div", { class: "view" }, heading("Learn"),
    el("p", { class: "lead" }, "An adapter learns how you write and choose. It is judged on records that were held back, and used only if it helps."),
    el("div", { class: "card" }, el("div", { class: "row" }, el("label", {}, "Minutes", minutes), el("label", {}, quick, "judge quickly"), el("label", {}, scratch, "start from scratch")),
    el("div", { class: "row go" }, stop, estimate, start)), plan, run);
  let following = false;

  function options() {
    return { minutes: minutes.value ? Number(minutes.value) : null, quick: quick.checked, from_scratch: scratch.checked };
  }

  async function doEstimate() {
    estimate.disabled = true;
    plan.replaceChildren(el("p", { class: "quiet" }, "Measuring how fast this machine learns; about ten seconds…"));
    try {
      plan.replaceChildren(showPlan(await post("/api/learn/estimate", options())));
    } catch (error) {
      plan.replaceChildren();
      throw error;
    } finally {
      estimate.disabled = false;
    }
  }

  function showPlan(found) {
    const examples = Object.values(found.examples).reduce((sum, one) => sum + one, 0);
    const left = Object.entries(found.left_out).map(([why, n]) => `${n} ${why}`).join(", ");
    return el("div", { class: "card" }, el("h2", {}, "What would be learned"),
      found.too_little && el("p", { class: "note" }, `Not yet: ${found.too_little}.`),
      numbers([[examples, "examples"], [found.records, "of your records"], [found.tokens.toLocaleString("en"), "tokens"],
        found.seconds !== null && [clock(found.seconds), "minutes, about"], found.memory_bytes !== null && [size(found.memory_bytes), "of memory"]]),
      left && el("p", { class: "quiet small" }, `Left out: ${left}.`), found.warnings.map((line) => el("p", { class: "note" }, line)),
      el("p", { class: "quiet small" }, "Nothing was changed. Judging takes some time on top."));
  }

  async function doStart() {
    await post("/api/learn", options());
    plan.replaceChildren();
    await follow();
  }

  async function follow() {
    if (following) return;
    following = true;
    start.disabled = estimate.disabled = true;
    stop.hidden = false;
    const live = { losses: [], held: [], steps: 1, stage: "" };
    const bar = el("progress", { "aria-label": "Progress" });
    const title = el("h2", { role: "status" });
    const detail = el("p", { class: "quiet small" });
    const figure = el("div", { id: "loss" });
    run.replaceChildren(el("div", { class: "card" }, title, bar, detail, figure));
    try {
      for await (const event of stream("/api/learn/events")) {
        if (event.stage === "done") run.replaceChildren(showReport(event.report, figure));
        else if (event.stage === "failed") run.replaceChildren(el("p", { class: "note warn" }, event.message));
        else progress(event, live, { bar, title, detail, figure });
      }
    } finally {
      following = false;
      start.disabled = estimate.disabled = false;
      stop.hidden = true;
    }
  }

  function progress(event, live, shown) {
    if (event.stage !== live.stage) { // a screen reader hears stages, not steps
      live.stage = event.stage;
      shown.title.textContent = `${STAGES[event.stage] ?? event.stage}…`;
      if (event.stage === "preferences") { live.losses = []; live.held = []; }
    }
    if (event.total) { shown.bar.max = event.total; shown.bar.value = event.done; } else shown.bar.removeAttribute("value");
    const training = event.training;
    if (!training) { shown.detail.textContent = event.text; return; }
    live.steps = training.n_steps;
    if (training.loss !== null) live.losses.push([training.step, training.loss]);
    if (training.held_out_loss !== null) live.held.push([training.step, training.held_out_loss]);
    shown.bar.max = training.n_steps;
    shown.bar.value = training.step;
    shown.detail.textContent = [`step ${training.step} of ${training.n_steps}`, training.tokens_per_second && `${Math.round(training.tokens_per_second)} tokens/s`,
      training.seconds_left && `${clock(training.seconds_left)} left`, training.memory_bytes && size(training.memory_bytes)].filter(Boolean).join(" · ");
    if (live.losses.length) shown.figure.replaceChildren(lossCurve(live.losses, live.held, live.steps));
  }

  function showReport(report, figure) {
    const card = el("div", { class: "card", id: "report" }, el("h2", {}, TITLES[report.outcome]), el("p", {}, sentence(report.reason)));
    if (report.outcome === "activated") card.append(el("p", { class: "note" }, `“${report.adapter}” is in use from now on.`));
    card.append(el("div", { class: "row" },
      report.outcome === "activated" && button("Roll back", () => attempt(() => decide("/api/adapters/rollback", {}, "Rolled back.")), { class: "danger" }) || "",
      report.outcome === "candidate" && button("Use it all the same", () => attempt(() => decide("/api/adapters/use", { name: report.adapter }, `“${report.adapter}” is in use.`))) || "",
      el("span", { class: "quiet small", id: "decided", role: "status" })));
    if (report.steps) card.append(el("p", { class: "quiet small" }, `${counted(report.steps, "step")}, ${clock(report.seconds)} minutes in all.`));
    card.append(figure);
    if (report.evaluation) card.append(el("h2", {}, "What was measured"), arms(report.evaluation.figures));
    for (const line of report.warnings) card.append(el("p", { class: "note" }, line));
    return card;
  }

  async function decide(path, fields, said) {
    await post(path, fields);
    document.getElementById("decided").textContent = said;
  }

  return { node, enter: () => attempt(async () => {
    if ((await get("/api/state")).learning) await follow();
  }) };
}

const TITLES = { activated: "It helps, and is in use", candidate: "Kept as a candidate, not in use", nothing: "Nothing was trained", stopped: "Stopped; the next run goes on from here" };

function sentence(text) {
  return text ? `${text[0].toUpperCase()}${text.slice(1).replace(/\.$/, "")}.` : "";
}

function numbers(pairs) {
  return el("div", { class: "numbers" }, pairs.filter(Boolean).map(([value, what]) => el("div", {}, el("strong", {}, String(value)), el("span", {}, what))));
}
