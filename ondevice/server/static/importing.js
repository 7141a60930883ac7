// Import: files are sent to this machine's own server, looked at, and then taken in.

import { get, post, stream, upload } from "./api.js";
import { attempt, button, clock, counted, day, el, heading } from "./dom.js";
import { dropped, readable } from "./files.js";
import { forgetWithPreview } from "./forget.js";
import { choices, preview } from "./import_preview.js";

/** Make the view. */
export function create() {
  const pick = picker({ id: "files", "aria-label": "Choose files" });
  const pickFolder = picker({
    id: "folder",
    "aria-label": "Choose a folder",
    webkitdirectory: true,
  });
  const zone = el(
    "div",
    { class: "drop" },
    el("p", { class: "big" }, "Drop notes, chats and mail here"),
    el(
      "p",
      { class: "quiet" },
      "Exports of ChatGPT, Claude, WhatsApp and Telegram, mail boxes, Markdown and text, " +
        "as files, folders or zip archives. " +
        "You see what would be taken before anything is. Nothing leaves this machine.",
    ),
    el(
      "div",
      { class: "row center" },
      button("Choose files", () => pick.click(), { class: "main" }),
      button("Choose a folder", () => pickFolder.click()),
    ),
    pick,
    pickFolder,
  );
  const work = el("div", { "aria-live": "off" });
  const status = el("p", { role: "status", id: "import-status" });
  const sources = el("div", {});
  const node = el("div", { class: "view" }, heading("Import"), zone, status, work, sources);
  let sending = null;

  function picker(properties) {
    return el("input", {
      type: "file",
      multiple: true,
      class: "hidden",
      tabindex: -1,
      ...properties,
      onchange: (event) => {
        attempt(() =>
          send(
            [...event.target.files].map((file) => ({
              file,
              name: file.webkitRelativePath || file.name,
            })),
          ),
        );
      },
    });
  }

  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    attempt(async () => send(await dropped(event.dataTransfer)));
  });

  function doing(...shown) {
    zone.hidden = shown.length > 0;
    work.replaceChildren(...shown);
  }

  /** Send files to the server, which keeps them encrypted, and show what is in them. */
  async function send(chosen) {
    const files = chosen
      .filter(readable)
      // Browsers read folders in any order.
      .sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
    if (!chosen.length || sending) return;
    if (!files.length) throw new Error("There is nothing among these files that can be imported.");
    sending = new AbortController();
    const bar = progressBar("Reading");
    const stop = button("Stop", () => sending.abort(), { class: "danger" });
    doing(
      el(
        "div",
        { class: "card" },
        el("div", { class: "row" }, el("h2", { class: "grow" }, "Reading…"), stop),
        bar,
      ),
    );
    try {
      for (const [number, one] of files.entries()) {
        status.textContent = `Reading ${one.name} (${number + 1} of ${files.length})`;
        const progress = (share) => {
          bar.value = (number + share) / files.length;
        };
        await upload("/api/imports/file", one.name, one.file, progress, sending.signal);
      }
      await look({}, chosen.length - files.length);
    } catch (error) {
      doing();
      await post("/api/imports/cancel");
      status.textContent = error.name === "AbortError" ? "Stopped; nothing was imported." : "";
      if (error.name !== "AbortError") throw error;
    } finally {
      sending = null;
      pick.value = pickFolder.value = "";
    }
  }

  /** Show what would be taken under the choices `said`. */
  async function look(said, passedOver = 0) {
    const looking = new AbortController();
    const files = [];
    const card = el(
      "div",
      { class: "card", id: "preview" },
      el(
        "div",
        { class: "row" },
        el("h2", { class: "grow" }, "Looking…"),
        button("Stop", () => looking.abort(), { class: "danger" }),
      ),
      progressBar("Looking"),
    );
    doing(card);
    let people = [];
    try {
      for await (const event of stream("/api/imports/preview", said, looking.signal)) {
        if (event.stage === "file") {
          files.push(event);
          status.textContent = `Looking at ${event.file}`;
        } else people = event.people;
      }
    } catch (error) {
      if (error.name !== "AbortError") throw error;
      await cancel();
      return;
    }
    const shown = preview(files, passedOver);
    status.textContent = shown.sentence;
    const form = choices(files, people, said, (changed) =>
      attempt(() => look(changed, passedOver)),
    );
    const go = button("Import", () => attempt(() => start(form.said())), {
      class: "main",
      disabled: !shown.something,
    });
    card.replaceChildren(
      el("h2", {}, "What would be taken"),
      form.node,
      shown.node,
      el("p", { class: "quiet small" }, "Nothing was imported yet."),
      el(
        "div",
        { class: "row end" },
        button("Cancel", () => attempt(cancel)),
        go,
      ),
    );
    (form.first ?? go).focus({ preventScroll: true });
  }

  async function cancel() {
    await post("/api/imports/cancel");
    doing();
    status.textContent = "Nothing was imported.";
  }

  async function start(said) {
    await post("/api/imports", said);
    await follow();
  }

  async function follow() {
    const bar = progressBar("Importing");
    const detail = el("p", { class: "quiet small" });
    const stop = button(
      "Stop",
      () =>
        attempt(async () => {
          stop.disabled = true;
          await post("/api/imports/stop");
        }),
      { class: "danger" },
    );
    const began = performance.now();
    status.textContent = "Importing…";
    for await (const event of stream("/api/imports/events")) {
      if (event.stage === "importing") {
        if (!bar.isConnected)
          doing(
            el(
              "div",
              { class: "card" },
              el("div", { class: "row" }, el("h2", { class: "grow" }, "Importing…"), stop),
              bar,
              detail,
            ),
          );
        bar.value = event.share;
        const left =
          event.share > 0.02
            ? (((performance.now() - began) / 1000) * (1 - event.share)) / event.share
            : null;
        detail.textContent = [
          event.file,
          counted(event.passages, "passage"),
          left !== null && `${clock(left)} left`,
        ]
          .filter(Boolean)
          .join(" · ");
      } else {
        doing();
        show(event);
      }
    }
    await showSources();
  }

  function show(event) {
    if (event.stage === "failed") {
      status.textContent = event.message;
      return;
    }
    const parts = [
      `${counted(event.passages - event.facts, "passage")} from ` +
        `${counted(event.documents, "file or conversation", "files and conversations")}`,
    ];
    if (event.facts) parts.push(`${counted(event.facts, "fact")} to approve`);
    if (event.unchanged) parts.push(`${event.unchanged} were there already`);
    if (!event.passages && event.unchanged && !event.failed.length && event.stage === "done") {
      status.textContent = "Everything in these files was there already.";
      return;
    }
    const begin =
      event.stage === "stopped"
        ? "Stopped; what was imported is kept, and the same files go on from there:"
        : "Imported";
    const left = Object.entries(event.left_out);
    if (!event.passages)
      parts.splice(
        0,
        parts.length,
        event.unchanged ? `nothing new; ${event.unchanged} were there already` : "nothing",
      );
    status.textContent = `${begin} ${parts.join("; ")}.`;
    work.replaceChildren(
      el(
        "div",
        { class: "card result" },
        event.failed.map((one) =>
          el(
            "p",
            { class: "note warn" },
            el("strong", {}, one.file),
            ` was left out: ${because(one)}`,
          ),
        ),
        event.guessed.map((one) => el("p", { class: "quiet small" }, one.why)),
        left.length > 0 &&
          el(
            "p",
            { class: "quiet small" },
            `Left out: ${left.map(([why, n]) => `${n.toLocaleString("en")} ${why}`).join(", ")}.`,
          ),
        el(
          "div",
          { class: "row" },
          event.facts > 0 &&
            el("a", { class: "go", href: "#/memories/pending" }, "Approve the facts"),
          el("a", { class: "go", href: "#/chat" }, "Ask about it"),
          el("a", { class: "go", href: "#/learn" }, "Learn from it"),
        ),
      ),
    );
  }

  async function showSources() {
    const found = (await get("/api/sources")).sources.filter(
      (one) => one.from === "import" && one.records,
    );
    if (!found.length) {
      sources.replaceChildren();
      return;
    }
    sources.replaceChildren(
      el(
        "div",
        { class: "card" },
        el("h2", {}, "Imported so far"),
        el(
          "div",
          { class: "wide" },
          el(
            "table",
            { class: "sources", "aria-label": "Imported so far" },
            el(
              "thead",
              {},
              el(
                "tr",
                {},
                ["Name", "Passages", "When", ""].map((one) => el("th", { scope: "col" }, one)),
              ),
            ),
            el(
              "tbody",
              {},
              found.slice(0, 200).map((one) =>
                el(
                  "tr",
                  {},
                  el("td", {}, el("a", { href: `#/memories/${one.id}` }, one.name)),
                  el("td", {}, one.records.toLocaleString("en")),
                  el("td", {}, day(one.time)),
                  el(
                    "td",
                    {},
                    button(
                      "Forget",
                      () =>
                        attempt(async () => {
                          if (!(await forgetWithPreview([one.id]))) return;
                          await showSources();
                          zone.querySelector("button").focus();
                        }),
                      { class: "plain", "aria-label": `Forget ${one.name}` },
                    ),
                  ),
                ),
              ),
            ),
          ),
        ),
        found.length > 200 &&
          el(
            "p",
            { class: "quiet small" },
            `… and ${found.length - 200} more; find them under “About you”.`,
          ),
      ),
    );
  }

  return {
    node,
    enter: () =>
      attempt(async () => {
        await showSources();
        if ((await get("/api/state")).importing) await follow();
      }),
  };
}

/** Return why a file was left out, to stand behind its name: "it is no text", "line 1: …". */
function because({ file, why }) {
  const rest = why.startsWith(file) ? why.slice(file.length) : null;
  if (rest === null) return why;
  return /^[,:] /.test(rest) ? rest.slice(2) : `it${rest}`;
}

function progressBar(label) {
  return el("progress", { max: 1, "aria-label": label });
}
