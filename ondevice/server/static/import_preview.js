// What an import would take, from whom, what is left out and why; and who the person is in it.

import { counted, day, el } from "./dom.js";

const MOST_ROWS = 100;
const MOST_REMARKS = 20; // on one file

/** Show the files that were looked at. Return {node, sentence, something}. */
export function preview(files, passedOver) {
  const sum = (what) =>
    files.reduce((all, one) => all + one.parts.reduce((some, part) => some + part[what], 0), 0);
  const [own, facts] = [sum("own"), sum("facts")];
  const others = files.reduce(
    (all, one) =>
      all +
      one.parts.reduce((some, part) => some + part.others.reduce((n, who) => n + who.pieces, 0), 0),
    0,
  );
  // What needs a look comes first.
  const sorted = files.toSorted((a, b) => Boolean(b.problem) - Boolean(a.problem));
  const problems = files.filter((one) => one.problem).length;
  const node = el(
    "div",
    {},
    el(
      "div",
      { class: "numbers" },
      number(own, "pieces of your own words"),
      others > 0 && number(others, "by others, as context only"),
      facts > 0 && number(facts, "facts to approve"),
      problems > 0 &&
        number(problems, problems === 1 ? "file that cannot be read" : "files that cannot be read"),
    ),
    el("ul", { class: "files" }, sorted.slice(0, MOST_ROWS).map(oneFile)),
    files.length > MOST_ROWS &&
      el(
        "p",
        { class: "quiet small" },
        `… and ${counted(files.length - MOST_ROWS, "more file", "more files")}.`,
      ),
    passedOver > 0 &&
      el(
        "p",
        { class: "quiet small" },
        `${counted(passedOver, "other file")} in the folders ` +
          `${passedOver === 1 ? "was" : "were"} passed over: pictures, hidden files and unknown ` +
          "formats.",
      ),
  );
  return {
    node,
    something: own + others + facts > 0,
    sentence: `${counted(files.length, "file")}: ${counted(own, "piece")} of your own words.`,
  };
}

function number(value, what) {
  return el("div", {}, el("strong", {}, value.toLocaleString("en")), el("span", {}, what));
}

function oneFile(file) {
  if (file.problem)
    return el(
      "li",
      {},
      el("p", { class: "name" }, file.file),
      el("p", { class: "small problem" }, file.problem),
    );
  return el(
    "li",
    {},
    el("p", { class: "name" }, file.file),
    file.replaces !== null &&
      el(
        "p",
        { class: "small" },
        `Takes the place of what was imported from a file of this name on ${day(file.replaces)}.`,
      ),
    file.parts.slice(0, MOST_ROWS).map((part) => onePart(part, file.parts.length > 1)),
    !file.parts.length &&
      el("p", { class: "quiet small" }, "There is nothing in it that can be taken."),
  );
}

function onePart(part, named) {
  const when =
    part.first === null
      ? ""
      : day(part.first) === day(part.last)
        ? day(part.first)
        : `${day(part.first)} to ${day(part.last)}`;
  const facts = [part.format, part.documents > 1 && counted(part.documents, "document"), when]
    .filter(Boolean)
    .join(" · ");
  const left = Object.entries(part.left_out);
  const reason = ([why, n]) => `${n.toLocaleString("en")} ${why}`;
  const remarks = part.skipped.filter((one) => !one.asks); // the others are asked above
  return el(
    "div",
    { class: "part small" },
    el("p", { class: "quiet" }, named ? `${part.file || "Others"} · ${facts}` : facts),
    (part.own > 0 || part.others.length > 0 || part.facts > 0) &&
      el(
        "p",
        {},
        el(
          "span",
          { class: `tag ${part.own ? "good" : ""}` },
          `${part.own.toLocaleString("en")} yours`,
        ),
        " ",
        part.others
          .slice(0, 8)
          .map((who) => [
            el(
              "span",
              { class: "tag" },
              `${who.pieces.toLocaleString("en")} ${who.name || "others"}`,
            ),
            " ",
          ]),
        part.others.length > 8 && `and ${part.others.length - 8} more `,
        part.facts > 0 && el("span", { class: "tag warn" }, `${part.facts} to approve`),
      ),
    part.own === 0 &&
      (part.others.length > 0 || part.left_out["mails of others"]) &&
      el(
        "p",
        { class: "problem" },
        "Nothing here is known to be yours. Say above who you are; a chat that does not tell " +
          "is left out.",
      ),
    part.guessed.map((one) => el("p", { class: "quiet" }, one.why)),
    remarks.slice(0, MOST_REMARKS).map((one) => el("p", { class: "problem" }, one.why)),
    remarks.length > MOST_REMARKS &&
      el(
        "p",
        { class: "problem" },
        `… and ${counted(remarks.length - MOST_REMARKS, "more thing", "more things")} that ` +
          "cannot be read.",
      ),
    left.length > 0 && el("p", { class: "quiet" }, `Left out: ${left.map(reason).join(", ")}.`),
    part.dates_unclear &&
      el(
        "p",
        { class: "quiet" },
        "Whether its dates are day/month or month/day is not clear: choose the order above, or " +
          "it is left out.",
      ),
  );
}

/**
 * Make the questions that the files leave open: who the person is, dates, answers, replacing.
 * Return {node, said, first}: `said()` is what is chosen, `first` the first field, if there is one.
 */
export function choices(files, people, said, changed) {
  const parts = files.flatMap((one) => one.parts);
  const unclear =
    files.some((one) => one.asks_who) ||
    (people.length > 0 &&
      parts.some(
        (part) => part.own === 0 && (part.others.length || part.left_out["mails of others"]),
      ));
  const ticks = people.map((who) => tick(`${who.name}`, said.me?.includes(who.name), tell));
  const dates = el(
    "select",
    { "aria-label": "Order of day and month", id: "dates", onchange: tell },
    [
      ["", "not said"],
      ["dmy", "day first (31/12)"],
      ["mdy", "month first (12/31)"],
    ].map(([value, shown]) =>
      el("option", { value, selected: (said.dates ?? "") === value }, shown),
    ),
  );
  const answers = tick("Take the answers of the assistant too, as context", said.answers, tell);
  const replace = tick(
    "Replace what was imported before from files of the same name",
    said.replace ?? true,
    tell,
  );
  const asksDates = parts.some((part) => part.dates_unclear) || said.dates;
  const asksAnswers =
    parts.some((part) => part.left_out["answers of the assistant"]) || said.answers;
  const asksReplace = files.some((one) => one.replaces !== null) || said.replace === false;

  function now() {
    return {
      me: people.filter((_, n) => ticks[n].box.checked).map((who) => who.name),
      dates: dates.value,
      answers: answers.box.checked,
      replace: replace.box.checked,
    };
  }

  function tell() {
    changed(now());
  }

  const whoList = el(
    "div",
    { class: "row people" },
    ticks.map((one) => one.label),
  );
  const who =
    people.length > 0 &&
    (unclear || said.me?.length
      ? el(
          "fieldset",
          { id: "who" },
          el("legend", {}, "Who are you?"),
          el(
            "p",
            { class: "small quiet" },
            "Only your own words are learned from; those of others are context.",
          ),
          whoList,
        )
      : el(
          "details",
          { id: "who" },
          el("summary", {}, "Is that not right? Say who you are."),
          whoList,
        ));
  const node = el(
    "div",
    { class: "stack asked" },
    who,
    asksDates && el("label", {}, "Order of day and month", dates),
    asksAnswers && answers.label,
    asksReplace && replace.label,
  );
  return { node, said: now, first: unclear && ticks.length ? ticks[0].box : null };
}

function tick(text, checked, onchange) {
  const box = el("input", { type: "checkbox", checked: Boolean(checked), onchange });
  return { box, label: el("label", { class: "chip" }, box, text) };
}
