// Three charts: how the loss falls, the four arms with their intervals, and the audits with their
// bounds.

import { el, svg } from "./dom.js";

// Drawn for the width of the screen, so that the words keep their size.
const WIDTH = matchMedia("(max-width: 44rem)").matches ? 320 : 640;
const NARROW = WIDTH < 400;

/** Draw a loss curve; points are [step, loss]. */
export function lossCurve(losses, heldOut, nSteps) {
  const height = 220;
  const all = [...losses, ...heldOut].map((point) => point[1]);
  const low = Math.min(...all);
  const high = Math.max(...all, low + 1e-6);
  const x = (step) => 46 + ((WIDTH - 60) * step) / Math.max(1, nSteps);
  const y = (loss) => 14 + ((height - 44) * (high - loss)) / (high - low);
  const path = (points) =>
    points
      .map(
        ([step, loss], number) =>
          `${number ? "L" : "M"}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`,
      )
      .join("");
  const figure = svg(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${height}`,
      class: "figure",
      role: "img",
      "aria-label":
        `Loss after ${losses.length} of ${nSteps} steps: ${last(losses)}; ` +
        `held out: ${last(heldOut)}`,
    },
    svg("path", { class: "axis", d: `M46 14V${height - 30}H${WIDTH - 14}` }),
    svg("text", { x: 4, y: 20 }, high.toFixed(2)),
    svg("text", { x: 4, y: height - 32 }, low.toFixed(2)),
    svg("text", { x: WIDTH - 14, y: height - 12, "text-anchor": "end" }, `${nSteps} steps`),
    svg("path", { class: "raw", d: path(losses) }),
    svg("path", { class: "curve", d: path(smooth(losses)) }),
    svg("path", { class: "held", d: path(heldOut) }),
  );
  for (const [step, loss] of heldOut)
    figure.append(svg("circle", { class: "held-dot", r: 3.5, cx: x(step), cy: y(loss) }));
  figure.append(
    svg("path", { class: "curve", d: `M50 ${height - 16}h22` }),
    svg("text", { x: 78, y: height - 12 }, "loss"),
    svg("path", { class: "held", d: `M122 ${height - 16}h22` }),
    svg("text", { x: 150, y: height - 12 }, "held out"),
  );
  return figure;
}

function last(points) {
  return points.length ? points[points.length - 1][1].toFixed(3) : "not measured yet";
}

function smooth(points) {
  let mean = null;
  return points.map(([step, loss]) => {
    mean = mean === null ? loss : 0.85 * mean + 0.15 * loss;
    return [step, mean];
  });
}

const METRICS = {
  text: ["Your writing", "perplexity; lower is better"],
  choices: ["Choices", "% right; higher is better"],
  exact: ["Questions about you", "% exact; higher is better"],
  f1: ["Questions about you", "% of the words; higher is better"],
  neutral: ["Neutral text", "perplexity; must not grow"],
};
const ARMS = ["base", "prompt", "adapter", "hybrid", "active"];
const NAMES = {
  base: "base model",
  prompt: "with memory",
  adapter: "with adapter",
  hybrid: "with both",
  active: "with the one in use",
};
const plain = (metric) => metric === "text" || metric === "neutral";

/**
 * Show the four-arm table as a chart and, for reading, as a table.
 * Figures are {arm, metric, value, low, high, n}.
 */
export function arms(figures) {
  const part = el("div", { class: "arms" });
  for (const [metric, title] of Object.entries(METRICS)) {
    const rows = ARMS.map((arm) =>
      figures.find((one) => one.arm === arm && one.metric === metric),
    ).filter((one) => one && one.value !== null);
    if (rows.length) part.append(oneMetric(metric, title, rows));
  }
  part.append(el("details", {}, el("summary", {}, "As a table"), asTable(figures)));
  return part;
}

function oneMetric(metric, [title, unit], rows) {
  const scale = plain(metric) ? 1 : 100;
  const ends = rows
    .flatMap((one) => [one.low ?? one.value, one.high ?? one.value])
    .map((value) => value * scale);
  const low = Math.min(...ends);
  const span = Math.max(...ends) - low || 1;
  const [left, right] = NARROW ? [104, 92] : [130, 150];
  const x = (value) => left + ((WIDTH - left - right) * (value * scale - low)) / span;
  const height = 34 + 26 * rows.length;
  const scaled = (value) => (value * scale).toFixed(1);
  const shown = (one) =>
    one.low === null || one.high === null
      ? scaled(one.value)
      : `${scaled(one.value)} [${scaled(one.low)}, ${scaled(one.high)}]`;
  const said = rows.map((one) => `${NAMES[one.arm]} ${shown(one)}`).join("; ");
  const figure = svg(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${height}`,
      class: "figure",
      role: "img",
      "aria-label": `${title} (${unit}): ${said}`,
    },
    svg(
      "text",
      { x: 0, y: 16 },
      svg("tspan", { class: "title" }, title),
      svg("tspan", { dx: 8 }, `${unit}${NARROW ? "" : `; n = ${rows[0].n}`}`),
    ),
  );
  rows.forEach((one, number) => {
    const y = 42 + 26 * number;
    figure.append(
      svg("path", { class: "grid", d: `M${left} ${y}H${WIDTH - right}` }),
      svg("text", { x: 0, y: y + 4 }, NAMES[one.arm]),
    );
    if (one.low !== null && one.high !== null)
      figure.append(
        svg("path", {
          class: `bar-line ${one.arm}`,
          d:
            `M${x(one.low)} ${y}H${x(one.high)}` +
            `M${x(one.low)} ${y - 4}v8M${x(one.high)} ${y - 4}v8`,
        }),
      );
    figure.append(svg("circle", { class: `dot ${one.arm}`, cx: x(one.value), cy: y, r: 5 }));
    figure.append(
      svg(
        "text",
        { x: WIDTH, y: y + 4, "text-anchor": "end", class: "value" },
        NARROW ? (one.value * scale).toFixed(1) : shown(one),
      ),
    );
  });
  return figure;
}

function asTable(figures) {
  return el(
    "div",
    { class: "wide" },
    el(
      "table",
      { "aria-label": "What was measured" },
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ["Measure", "Arm", "Value", "95 % interval", "n"].map((one) =>
            el("th", { scope: "col" }, one),
          ),
        ),
      ),
      el(
        "tbody",
        {},
        figures.map((one) => {
          const scale = plain(one.metric) ? 1 : 100;
          const shown = (value) => (value === null ? "–" : (value * scale).toFixed(1));
          const [title, unit] = METRICS[one.metric] ?? [one.metric, ""];
          return el(
            "tr",
            {},
            [
              `${title} (${unit.split(";")[0]})`,
              NAMES[one.arm],
              shown(one.value),
              `${shown(one.low)} to ${shown(one.high)}`,
              one.n,
            ].map((cell) => el("td", {}, String(cell))),
          );
        }),
      ),
    ),
  );
}

const AUDITS = {
  agreement: ["Flattery", "how much more likely it agrees with wrong claims"],
  variety: ["Filter bubble", "how many different words its answers have, before and after"],
  gap: ["Bias", "how much more its answers differ between groups of people"],
  memorization: ["Leak", "how well texts that it learned can be told from others; 0.5 is chance"],
};

/** Draw the audits: the change with its interval, and the bound that it should not pass. */
export function audits(found) {
  return el(
    "div",
    { class: "audits" },
    found.map((one) => {
      const [title, about] = AUDITS[one.name] ?? [one.name, one.what ?? ""];
      return el(
        "div",
        { class: "audit" },
        el(
          "p",
          { class: "row" },
          el("strong", {}, title),
          el(
            "span",
            { class: `tag ${one.exceeded ? "warn" : "good"}` },
            one.exceeded ? "beyond its bound" : "within its bound",
          ),
        ),
        el("p", { class: "quiet small" }, about),
        oneAudit(one, title),
      );
    }),
  );
}

function oneAudit({ name, change, bound, exceeded, before, after }, title) {
  const zero = name === "memorization" ? 0.5 : 0;
  const [low, high] = [change.low ?? change.value, change.high ?? change.value];
  const ends = [low, high, bound, zero];
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  const margin = 0.08 * (most - least || 1);
  const x = (value) => 12 + ((WIDTH - 24) * (value - least + margin)) / (most - least + 2 * margin);
  const sign = (value) =>
    name === "memorization" ? value.toFixed(2) : `${value > 0 ? "+" : ""}${value.toFixed(3)}`;
  const bad = name === "variety" ? [0, x(bound)] : [x(bound), WIDTH];
  const said =
    `${title}: ${sign(change.value)}, 95 % interval ${sign(low)} to ${sign(high)}; ` +
    `bound ${sign(bound)}` +
    (before ? `; before ${before.value.toFixed(3)}, after ${after.value.toFixed(3)}` : "");
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} 58`, class: "figure", role: "img", "aria-label": said },
    svg("rect", {
      class: "beyond",
      x: bad[0],
      y: 8,
      width: Math.max(0, bad[1] - bad[0]),
      height: 24,
      rx: 3,
    }),
    svg("path", { class: "axis", d: `M${x(zero)} 8v24` }),
    svg("path", { class: "bound", d: `M${x(bound)} 8v24` }),
    svg("path", {
      class: "bar-line",
      d: `M${x(low)} 20H${x(high)}M${x(low)} 16v8M${x(high)} 16v8`,
    }),
    svg("circle", { class: `dot ${exceeded ? "bad" : ""}`, cx: x(change.value), cy: 20, r: 5 }),
    svg("text", { x: 0, y: 50 }, `${sign(change.value)} [${sign(low)}, ${sign(high)}]`),
    svg("text", { x: WIDTH, y: 50, "text-anchor": "end" }, `bound ${sign(bound)}`),
  );
}
