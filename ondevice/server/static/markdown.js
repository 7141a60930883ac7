// A little Markdown, built with DOM calls. Links stay text and nothing is loaded: what the model
// writes can neither run nor send anything.

import { el } from "./dom.js";

const CODE = /(`+)([\s\S]+?)\1/;
const STRONG = /\*\*([^*\n]+)\*\*|__([^_\n]+)__/;
const EMPHASIS = /\*([^*\s][^*\n]*)\*|(?<!\w)_([^_\s][^_\n]*)_(?!\w)/;
const INLINE = new RegExp([CODE, STRONG, EMPHASIS].map((one) => one.source).join("|"));

/** Return a fragment that shows `text`. */
export function markdown(text) {
  const fragment = document.createDocumentFragment();
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  for (let at = 0; at < lines.length; ) at = block(lines, at, fragment);
  return fragment;
}

function block(lines, at, parent) {
  const line = lines[at];
  if (!line.trim()) return at + 1;
  if (/^\s*```/.test(line)) return code(lines, at, parent);
  const title = /^(#{1,6})\s+(.*)$/.exec(line);
  if (title) {
    parent.append(el(`h${Math.min(6, title[1].length + 2)}`, {}, ...inline(title[2])));
    return at + 1;
  }
  if (/^\s*(?:[-*+]|\d{1,9}[.)])\s+/.test(line)) return list(lines, at, parent);
  if (/^\s*>/.test(line))
    return gathered(lines, at, /^\s*>\s?/, (quoted) => {
      parent.append(el("blockquote", {}, el("p", {}, ...inline(quoted.join("\n")))));
    });
  return paragraph(lines, at, parent);
}

function code(lines, at, parent) {
  let end = at + 1;
  while (end < lines.length && !/^\s*```/.test(lines[end])) end += 1;
  parent.append(el("pre", { tabindex: 0 }, el("code", {}, lines.slice(at + 1, end).join("\n"))));
  return end + 1;
}

function list(lines, at, parent) {
  const numbered = /^\s*\d/.test(lines[at]);
  const mark = numbered ? /^\s*\d{1,9}[.)]\s+/ : /^\s*[-*+]\s+/;
  return gathered(lines, at, mark, (items) => {
    // Blank lines part a list in many.
    const start = numbered ? Number.parseInt(/\d+/.exec(lines[at])[0], 10) : 1;
    parent.append(
      el(
        numbered ? "ol" : "ul",
        { start: start === 1 ? null : start },
        items.map((item) => el("li", {}, ...inline(item))),
      ),
    );
  });
}

function gathered(lines, at, mark, done) {
  const found = [];
  while (at < lines.length && mark.test(lines[at])) {
    found.push(lines[at].replace(mark, ""));
    at += 1;
  }
  done(found);
  return at;
}

function paragraph(lines, at, parent) {
  const end = at;
  let next = at;
  while (
    next < lines.length &&
    lines[next].trim() &&
    (next === end || !/^\s*(?:```|#{1,6}\s|>|[-*+]\s|\d{1,9}[.)]\s)/.test(lines[next]))
  )
    next += 1;
  parent.append(el("p", {}, ...inline(lines.slice(at, next).join("\n"))));
  return next;
}

function inline(text) {
  const parts = [];
  let rest = text;
  for (;;) {
    const found = INLINE.exec(rest);
    if (!found) break;
    if (found.index) parts.push(...broken(rest.slice(0, found.index)));
    if (found[2] !== undefined) parts.push(el("code", {}, found[2]));
    else if (found[3] !== undefined || found[4] !== undefined)
      parts.push(el("strong", {}, found[3] ?? found[4]));
    else parts.push(el("em", {}, found[5] ?? found[6]));
    rest = rest.slice(found.index + found[0].length);
  }
  return [...parts, ...broken(rest)];
}

function broken(text) {
  return text.split("\n").flatMap((line, number) => (number ? [el("br"), line] : [line]));
}
