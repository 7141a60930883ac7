// Import by drag and drop, with progress; the files go to this machine's own server only.

import { get, post, stream, upload } from "./api.js";
import { attempt, button, counted, day, el, heading } from "./dom.js";
import { forgetWithPreview } from "./forget.js";

/** Make the view. */
export function create() {
  const pick = el("input", { type: "file", multiple: true, class: "hidden", id: "files", "aria-label": "Choose files", onchange: () => take([...pick.files]) });
  const zone = el("div", { class: "drop" }, el("p", { class: "big" }, "Drop notes and chats here"),
    el("p", { class: "quiet" }, "Text, Markdown, JSONL chats. They are encrypted at once, and never leave this machine."),
    button("Choose files", () => pick.click(), { class: "main" }), pick);
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Import" });
  const status = el("p", { role: "status", id: "import-status" });
  const work = el("div", { class: "card", hidden: true }, status, bar);
  const sources = el("div", {});
  const node = el("div", { class: "view" }, heading("Import"), zone, work, sources);

  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    take([...event.dataTransfer.files]);
  });

  async function take(files) {
    if (!files.length) return;
    await attempt(async () => {
      work.hidden = false;
      bar.value = 0;
      bar.max = files.length;
      for (const [number, file] of files.entries()) {
        status.textContent = `Reading ${file.name}`;
        await upload("/api/imports/file", file.name, file);
        bar.value = number + 1;
      }
      await post("/api/imports");
      await follow();
    });
    pick.value = "";
  }

  async function follow() {
    for await (const event of stream("/api/imports/events")) {
      work.hidden = false;
      if (event.stage === "importing") {
        bar.max = event.files;
        bar.value = event.done;
        status.textContent = `${event.file}: ${counted(event.passages, "passage")} so far`;
      } else {
        bar.value = bar.max;
        status.replaceChildren(...result(event));
      }
    }
    await showSources();
  }

  function result(event) {
    if (event.stage === "failed") return [event.message];
    const again = event.unchanged ? ` ${event.unchanged} were there already.` : "";
    return [`Imported ${counted(event.passages, "passage")} from ${counted(event.documents, "file")}.${again}`,
      ...event.failed.flatMap((line) => [el("br"), el("span", { class: "tag warn" }, "left out"), ` ${line}`])];
  }

  async function showSources() {
    const found = (await get("/api/sources")).sources.filter((one) => one.from === "import" && one.records);
    if (!found.length) { sources.replaceChildren(); return; }
    sources.replaceChildren(el("div", { class: "card" }, el("h2", {}, "Imported so far"), el("table", {},
      el("thead", {}, el("tr", {}, ["Name", "Passages", "When", ""].map((one) => el("th", {}, one)))),
      el("tbody", {}, found.slice(0, 200).map((one) => el("tr", {}, el("td", {}, one.name), el("td", {}, String(one.records)), el("td", {}, day(one.time)),
        el("td", {}, button("Forget", () => attempt(async () => { if (await forgetWithPreview([one.id])) await showSources(); }), { class: "plain", "aria-label": `Forget ${one.name}` }))))))));
  }

  return { node, enter: () => attempt(async () => {
    await showSources();
    if ((await get("/api/state")).importing) await follow();
  }) };
}
