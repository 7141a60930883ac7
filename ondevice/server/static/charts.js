// Two charts: how the loss falls, and the four arms with their intervals.

import { el, svg } from "./dom.js";

// Drawn for the width of the screen, so that the words keep their size.
const WIDTH = matchMedia("(max-width: 44rem)").matches ? 340 : 640;

/** Draw a loss curve; points are [step, loss]. */
export function lossCurve(losses, heldOut, nSteps) {
  const height = 220;
  const all = [...losses, ...heldOut].map((point) => point[1]);
  const low = Math.min(...all);
  const high = Math.max(...all, low + 1e-6);
  const x = (step) => 46 + (WIDTH - 60) * step / Math.max(1, nSteps);
  const y = (loss) => 14 + (height - 44) * (high - loss) / (high - low);
  const path = (points) => points.map(([step, loss], number) => `${number ? "L" : "M"}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`).join("");
  const figure = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, class: "figure", role: "img",
    "aria-label": `Loss after ${losses.length} of ${nSteps} steps: ${last(losses)}; held out: ${last(heldOut)}` },
  svg("path", { class: "axis", d: `M46 14V${height - 30}H${WIDTH - 14}` }),
  svg("text", { x: 4, y: 20 }, high.toFixed(2)), svg("text", { x: 4, y: height - 32 }, low.toFixed(2)),
  svg("text", { x: WIDTH - 14, y: height - 12, "text-anchor": "end" }, `${nSteps} steps`),
  svg("path", { class: "raw", d: path(losses) }), svg("path", { class: "curve", d: path(smooth(losses)) }),
  svg("path", { class: "held", d: path(heldOut) }));
  for (const [step, loss] of heldOut) figure.append(svg("circle", { class: "held-dot", r: 3.5, cx: x(step), cy: y(loss) }));
  figure.append(svg("text", { x: 60, y: height - 12 }, "— loss   - - held out"));
  return figure;
}

function last(points) {
  return points.length ? points[points.length - 1][1].toFixed(3) : "not measured yet";
}

function smooth(points) {
  let mean = null;
  return points.map(([step, loss]) => { mean = mean === null ? loss : 0.85 * mean + 0.15 * loss; return [step, mean]; });
}

const METRICS = { text: "Your writing (perplexity; lower is better)", choices: "Choices (% right)", exact: "Questions (% exact)",
  f1: "Questions (% of the words)", neutral: "Neutral text (perplexity; lower is better)" };
const ARMS = ["base", "prompt", "adapter", "hybrid", "active"];
const NAMES = { base: "base model", prompt: "with memory", adapter: "with adapter", hybrid: "with both", active: "with the one in use" };

/** Show the four-arm table as a chart and, for reading, as a table. Figures are {arm, metric, value, low, high, n}. */
export function arms(figures) {
  const part = el("div", { class: "arms" });
  for (const [metric, title] of Object.entries(METRICS)) {
    const rows = ARMS.map((arm) => figures.find((one) => one.arm === arm && one.metric === metric)).filter((one) => one && one.value !== null);
    if (rows.length) part.append(oneMetric(metric, title, rows));
  }
  part.append(el("details", {}, el("summary", {}, "As a table"), asTable(figures)));
  return part;
}

function oneMetric(metric, title, rows) {
  const scale = metric === "text" || metric === "neutral" ? 1 : 100;
  const ends = rows.flatMap((one) => [one.low ?? one.value, one.high ?? one.value]).map((value) => value * scale);
  const low = Math.min(...ends);
  const span = Math.max(...ends) - low || 1;
  const x = (value) => 130 + (WIDTH - 230) * (value * scale - low) / span;
  const height = 34 + 26 * rows.length;
  const figure = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, class: "figure", role: "img", "aria-label": title }, svg("text", { x: 0, y: 16, class: "title" }, title));
  rows.forEach((one, number) => {
    const y = 42 + 26 * number;
    figure.append(svg("text", { x: 8, y: y + 4 }, NAMES[one.arm]));
    if (one.low !== null && one.high !== null) figure.append(svg("path", { class: "bar-line", d: `M${x(one.low)} ${y}H${x(one.high)}M${x(one.low)} ${y - 4}v8M${x(one.high)} ${y - 4}v8` }));
    figure.append(svg("circle", { class: `dot ${one.arm}`, cx: x(one.value), cy: y, r: 5 }));
    figure.append(svg("text", { x: WIDTH - 4, y: y + 4, "text-anchor": "end" }, (one.value * scale).toFixed(1)));
  });
  return figure;
}

function asTable(figures) {
  return el("table", {}, el("thead", {}, el("tr", {}, ["Measure", "Arm", "Value", "95 % interval", "n"].map((one) => el("th", {}, one)))),
    el("tbody", {}, figures.map((one) => {
      const scale = one.metric === "text" || one.metric === "neutral" ? 1 : 100;
      const shown = (value) => (value === null ? "–" : (value * scale).toFixed(1));
      return el("tr", {}, [METRICS[one.metric] ?? one.metric, NAMES[one.arm], shown(one.value), `${shown(one.low)} to ${shown(one.high)}`, one.n].map((cell) => el("td", {}, String(cell))));
    })));
}
