// A list of any length: only the rows that can be seen exist, and pages are fetched as needed.

import { el } from "./dom.js";

const PAGE = 100; // rows of one request
const SPARE = 6; // rows above and below the visible ones

/**
 * Make a virtual list.
 * `fetchPage(offset, limit, signal)` resolves to {total, memories}; `render(record)` makes a row.
 * `resize(height)` gives the rows another height.
 */
export function virtualList({ rowHeight, fetchPage, render, label }) {
  const inner = el("div", { class: "inner" });
  const node = el("div", { class: "list", tabindex: 0, role: "list", "aria-label": label }, inner);
  let total = 0;
  let pages = new Map();
  let rows = new Map();
  let stopped = new AbortController();

  function resize(height) {
    const first = node.scrollTop / rowHeight;
    rowHeight = height;
    inner.style.height = `${total * rowHeight}px`;
    node.scrollTop = first * rowHeight;
    redraw();
  }

  function redraw() {
    for (const row of rows.values()) row.remove();
    rows = new Map();
    draw();
  }

  node.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  new ResizeObserver(() => draw()).observe(node);

  /** Read everything anew; the place in the list is kept if `keep`. */
  async function reload(keep = false) {
    stopped.abort();
    stopped = new AbortController();
    const { signal } = stopped;
    const first = keep ? Math.floor(firstRow() / PAGE) : 0;
    let found;
    try {
      found = await fetchPage(first * PAGE, PAGE, signal);
    } catch (error) {
      if (error.name === "AbortError") return null;
      throw error;
    }
    if (signal.aborted) return null;
    pages = new Map([[first, found.memories]]);
    rows = new Map();
    total = found.total;
    inner.replaceChildren();
    inner.style.height = `${total * rowHeight}px`;
    if (!keep) node.scrollTop = 0;
    draw();
    return total;
  }

  function firstRow() {
    return Math.max(0, Math.floor(node.scrollTop / rowHeight) - SPARE);
  }

  function draw() {
    const first = firstRow();
    const last = Math.min(
      total,
      Math.ceil((node.scrollTop + node.clientHeight) / rowHeight) + SPARE,
    );
    for (const [number, row] of rows) {
      if (number < first || number >= last) {
        row.remove();
        rows.delete(number);
      }
    }
    for (let number = first; number < last; number += 1) {
      if (rows.has(number)) continue;
      const page = pages.get(Math.floor(number / PAGE));
      if (page === undefined) {
        load(Math.floor(number / PAGE));
        continue;
      }
      const record = page?.[number % PAGE];
      if (record) place(number, render(record));
    }
  }

  function place(number, row) {
    row.style.top = `${number * rowHeight}px`;
    row.style.height = `${rowHeight}px`;
    row.setAttribute("role", "listitem");
    row.setAttribute("aria-posinset", String(number + 1));
    row.setAttribute("aria-setsize", String(total));
    rows.set(number, row);
    // In the order of the list, so that the keyboard goes through it from top to bottom.
    const next = [...rows.keys()].filter((other) => other > number).sort((a, b) => a - b)[0];
    inner.insertBefore(row, next === undefined ? null : rows.get(next));
  }

  async function load(page) {
    pages.set(page, null);
    const { signal } = stopped;
    try {
      const found = await fetchPage(page * PAGE, PAGE, signal);
      if (!signal.aborted) {
        pages.set(page, found.memories);
        draw();
      }
    } catch {
      if (!signal.aborted) pages.delete(page);
    }
  }

  return { node, reload, redraw, resize };
}
