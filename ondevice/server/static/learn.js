// Learn: an estimate, the run with its loss, what was measured, and the decision; or judging alone.

import { get, post, stream } from "./api.js";
import { attempt, button, clock, el, heading, size } from "./dom.js";
import { lossCurve } from "./charts.js";
import { evaluated, numbers, report } from "./report.js";

const STAGES = {
  examples: "Choosing examples",
  measuring: "Measuring the speed",
  training: "Learning your texts",
  preferences: "Learning your verdicts",
  evaluation: "Judging on what was held back",
  audits: "Looking for side effects",
};

/** Make the view. */
export function create() {
  const minutes = el("input", {
    type: "number",
    min: 1,
    max: 600,
    placeholder: "as needed",
    "aria-label": "Minutes of training",
    id: "minutes",
  });
  const scratch = el("input", { type: "checkbox", id: "scratch" });
  const quick = el("input", { type: "checkbox", id: "quick" });
  const estimate = button("Estimate", () => attempt(doEstimate));
  const start = button("Start learning", () => attempt(doStart), { class: "main" });
  const stop = button(
    "Stop; go on later",
    () =>
      attempt(async () => {
        stop.disabled = true;
        await post("/api/learn/stop");
      }),
    { class: "danger", hidden: true },
  );
  const adapter = el("select", { id: "judged", "aria-label": "What to judge" });
  const fast = el("input", { type: "checkbox", id: "fast", checked: true });
  const withAudits = el("input", { type: "checkbox", id: "with-audits" });
  const judge = button("Judge", () => attempt(doJudge));
  const stopJudging = button(
    "Stop",
    () =>
      attempt(async () => {
        stopJudging.disabled = true;
        await post("/api/evaluate/stop");
      }),
    { class: "danger", hidden: true },
  );
  const plan = el("div", { role: "status" });
  const run = el("div", { id: "run" });
  const node = el(
    "div",
    { class: "view" },
    heading("Learn"),
    el(
      "p",
      { class: "lead" },
      "An adapter learns how you write and choose. It is judged on records that were held " +
        "back, and used only if it helps.",
    ),
    el(
      "div",
      { class: "card" },
      el("h2", {}, "Learn from what is new"),
      el(
        "div",
        { class: "row" },
        el("label", {}, "Minutes", minutes),
        el("label", {}, quick, "judge quickly, without audits"),
        el("label", {}, scratch, "start from scratch"),
      ),
      el("div", { class: "row go" }, stop, estimate, start),
    ),
    plan,
    run,
    el(
      "div",
      { class: "card" },
      el("h2", {}, "Judge only"),
      el(
        "p",
        { class: "quiet small" },
        "Compares the base model, your memory, and an adapter on what was held back. Nothing " +
          "is trained or changed.",
      ),
      el(
        "div",
        { class: "row" },
        el("label", {}, "What", adapter),
        el("label", {}, fast, "quickly"),
        el("label", {}, withAudits, "with audits: flattery, filter bubble, bias, leak"),
      ),
      el("div", { class: "row go" }, stopJudging, judge),
    ),
  );
  const following = new Map(); // kind of run -> what ends the following of it

  function showBusy() {
    start.disabled = estimate.disabled = judge.disabled = following.size > 0;
    stop.hidden = !following.has("learn");
    stopJudging.hidden = !following.has("evaluate");
    stop.disabled = stopJudging.disabled = false;
  }

  function options() {
    return {
      minutes: minutes.value ? Number(minutes.value) : null,
      quick: quick.checked,
      from_scratch: scratch.checked,
    };
  }

  async function doEstimate() {
    estimate.disabled = true;
    plan.replaceChildren(
      el("p", { class: "quiet" }, "Measuring how fast this machine learns; about ten seconds…"),
    );
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
    const left = Object.entries(found.left_out)
      .map(([why, n]) => `${n} ${why}`)
      .join(", ");
    return el(
      "div",
      { class: "card" },
      el("h2", {}, "What would be learned"),
      found.too_little &&
        el(
          "p",
          { class: "note" },
          `Not yet: ${found.too_little}. `,
          el("a", { href: "#/import" }, "Import"),
          " something that you wrote, or judge answers in the ",
          el("a", { href: "#/chat" }, "chat"),
          ".",
        ),
      numbers([
        [examples, "examples"],
        [found.records, "of your records"],
        [found.tokens.toLocaleString("en"), "tokens"],
        found.seconds !== null && [clock(found.seconds), "minutes, about"],
        found.memory_bytes !== null && [size(found.memory_bytes), "of memory"],
      ]),
      left && el("p", { class: "quiet small" }, `Left out: ${left}.`),
      found.warnings.map((line) => el("p", { class: "note" }, line)),
      el("p", { class: "quiet small" }, "Nothing was changed. Judging takes some time on top."),
    );
  }

  async function doStart() {
    await post("/api/learn", options());
    starting();
    await follow("learn");
  }

  function starting() {
    plan.replaceChildren();
    run.replaceChildren(el("p", { class: "card quiet", role: "status" }, "Starting…"));
    run.scrollIntoView({ block: "center" });
  }

  async function doJudge() {
    await post("/api/evaluate", {
      adapter: adapter.value || null,
      fast: fast.checked,
      audits: withAudits.checked,
    });
    starting();
    await follow("evaluate");
  }

  /** Show a run as it goes on; of one that has ended, how it ended. */
  async function follow(kind) {
    following.get(kind)?.abort(); // a look at an earlier run may still be under way
    const own = new AbortController();
    following.set(kind, own);
    showBusy();
    const live = { losses: [], held: [], steps: 1, stage: "" };
    const shown = {
      bar: el("progress", { "aria-label": "Progress" }),
      title: el("h2", { role: "status" }),
      detail: el("p", { class: "quiet small" }),
      figure: el("div", { id: "loss" }),
    };
    try {
      for await (const event of stream(`/api/${kind}/events`, null, own.signal)) {
        if (event.stage === "done" && kind === "learn" && event.report)
          run.replaceChildren(report(event.report, shown.figure, await adapters()));
        else if (event.stage === "done" && event.evaluation)
          run.replaceChildren(evaluated(event.evaluation));
        else if (event.stage === "stopped")
          run.replaceChildren(
            el(
              "p",
              { class: "note", role: "status" },
              event.text ?? "Stopped; nothing was changed.",
            ),
          );
        else if (event.stage === "failed")
          run.replaceChildren(el("p", { class: "note warn", role: "alert" }, event.message));
        else if (event.stage !== "done") {
          if (!shown.title.isConnected)
            run.replaceChildren(
              el("div", { class: "card" }, shown.title, shown.bar, shown.detail, shown.figure),
            );
          progress(event, live, shown);
        }
      }
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    } finally {
      if (following.get(kind) === own) {
        following.delete(kind);
        showBusy();
        await attempt(fillAdapters);
      }
    }
  }

  function progress(event, live, shown) {
    if (event.stage !== live.stage) {
      // a screen reader hears stages, not steps
      live.stage = event.stage;
      shown.title.textContent = `${STAGES[event.stage] ?? event.stage}…`;
      if (event.stage === "preferences") {
        live.losses = [];
        live.held = [];
      }
    }
    if (event.total) {
      shown.bar.max = event.total;
      shown.bar.value = event.done;
    } else shown.bar.removeAttribute("value");
    const training = event.training;
    if (!training) {
      shown.detail.textContent = [
        event.text,
        event.total > 0 && `${Math.floor((100 * event.done) / event.total)} %`,
      ]
        .filter(Boolean)
        .join(" · ");
      return;
    }
    live.steps = training.n_steps;
    if (training.loss !== null) live.losses.push([training.step, training.loss]);
    if (training.held_out_loss !== null) live.held.push([training.step, training.held_out_loss]);
    shown.bar.max = training.n_steps;
    shown.bar.value = training.step;
    shown.detail.textContent = [
      `step ${training.step} of ${training.n_steps}`,
      training.tokens_per_second && `${Math.round(training.tokens_per_second)} tokens/s`,
      training.seconds_left && `${clock(training.seconds_left)} left`,
      training.memory_bytes && size(training.memory_bytes),
    ]
      .filter(Boolean)
      .join(" · ");
    if (live.losses.length)
      shown.figure.replaceChildren(lossCurve(live.losses, live.held, live.steps));
  }

  async function adapters() {
    return (await get("/api/adapters")).adapters.filter((one) => one.state !== "stale");
  }

  async function fillAdapters() {
    const found = await adapters();
    const held = adapter.value;
    const states = { active: " (in use)", candidate: " (candidate)", off: " (off)" };
    adapter.replaceChildren(
      ...(found.length
        ? found.map((one) =>
            el("option", { value: one.name }, one.name + (states[one.state] ?? "")),
          )
        : [el("option", { value: "" }, "memory alone: there is no adapter yet")]),
    );
    if (found.some((one) => one.name === held)) adapter.value = held;
    withAudits.disabled = !found.length;
  }

  return {
    node,
    enter: () =>
      attempt(async () => {
        await fillAdapters();
        const state = await get("/api/state");
        if (following.size) return;
        if (state.evaluating) await follow("evaluate");
        else if (state.learning || !run.childElementCount) await follow("learn");
      }),
  };
}
