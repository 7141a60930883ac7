// Which view is shown; views are loaded when they are first needed.

import { get } from "./api.js";
import { el } from "./dom.js";

const VIEWS = {
  chat: () => import("./chat.js"),
  memories: () => import("./memories.js"),
  import: () => import("./importing.js"),
  learn: () => import("./learn.js"),
  adapters: () => import("./adapters.js"),
  privacy: () => import("./privacy.js"),
  settings: () => import("./settings.js"),
};
const TITLES = {
  chat: "Chat", memories: "What I know about you", import: "Import", learn: "Learn",
  adapters: "Adapters", privacy: "Privacy", settings: "Settings",
};
const shown = new Map(); // a view keeps its state while another is looked at
let current = null;
let asked = 0; // how often a view was asked for: one that loads late is not shown over a newer one

async function show() {
  const turn = ++asked;
  const [, name = "chat", rest] = /^#\/(\w+)(?:\/(.+))?/.exec(location.hash) ?? [];
  const view = name in VIEWS ? name : "chat";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${TITLES[view]} · ondevice`;
  const main = document.getElementById("main");
  try {
    if (!shown.has(view)) {
      const { create } = await VIEWS[view]();
      if (!shown.has(view)) shown.set(view, create());
    }
    if (turn !== asked) return;
  } catch (error) {
    if (turn !== asked) return;
    main.replaceChildren(el("p", { class: "quiet loading" }, error.message));
    return;
  }
  const next = shown.get(view);
  if (current && current !== next) current.leave?.();
  const moved = current !== null && current !== next;
  current = next;
  main.replaceChildren(next.node);
  next.enter?.(rest);
  if (moved) main.focus({ preventScroll: true });
}

async function whereabouts() {
  try {
    const state = await get("/api/state");
    const who = state.profile ? `Profile “${state.profile}”` : "No profile";
    document.getElementById("where").textContent = `${who} · ${state.model}. Everything stays on this machine.`;
  } catch { /* the view says what is wrong */ }
}

window.addEventListener("hashchange", show);
show();
whereabouts();
