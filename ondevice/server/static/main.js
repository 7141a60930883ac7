// Which view is shown; views are loaded when they are first needed.

import { get } from "./api.js";
import { el, heading, toast } from "./dom.js";

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
  chat: "Chat",
  memories: "What I know about you",
  import: "Import",
  learn: "Learn",
  adapters: "Adapters",
  privacy: "Privacy",
  settings: "Settings",
};
const shown = new Map(); // a view keeps its state while another is looked at
let current = null;
let locked = null; // the view that asks for the passphrase, while the profile is locked
let asked = 0; // how often a view was asked for: one that loads late is not shown over a newer one

async function show() {
  const turn = ++asked;
  const [, name = "chat", rest] = /^#\/(\w+)(?:\/(.+))?/.exec(location.hash) ?? [];
  const view = name in VIEWS ? name : "chat";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${locked ? "Locked" : TITLES[view]} · ondevice`;
  const main = document.getElementById("main");
  if (locked) {
    main.replaceChildren(locked.node);
    locked.enter();
    return;
  }
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
    document.getElementById("where").textContent =
      `${who} · ${state.model}. Everything stays on this machine.`;
    for (const one of state.notices)
      toast(
        one,
        {
          label: "Settings",
          run: () => {
            location.hash = "#/settings";
          },
        },
        0,
      );
  } catch {
    /* the view says what is wrong */
  }
}

/** Let nothing stay on the page that the profile held. */
function clear() {
  current?.leave?.();
  current = null;
  shown.clear();
  for (const open of document.querySelectorAll("dialog, .toast")) open.remove();
}

function instead(title, ...said) {
  clear();
  document.getElementById("main").replaceChildren(
    el(
      "div",
      { class: "view instead", role: "alert" },
      heading(title),
      said.map((one) => el("p", { class: "lead" }, one)),
    ),
  );
}

/** The server does not let this browser in. */
function outside() {
  if (document.querySelector(".instead")) return;
  instead(
    "This browser is not let in",
    [
      el("code", {}, "ondevice serve"),
      " prints a link that opens this page once, within ten minutes. This browser was not let " +
        "in by it, or the link was used or is too old.",
    ],
    ["Start ", el("code", {}, "ondevice serve"), " again and open the link that it prints."],
  );
}

/** The profile is closed: ask for what opens it again. */
async function close() {
  const { locked: closed, profile } = await get("/api/state");
  if (profile === null)
    instead("There is no profile", [
      "It was destroyed. Start ",
      el("code", {}, "ondevice serve"),
      " again to begin a new one.",
    ]);
  if (!closed || locked) return;
  const { create } = await import("./locked.js");
  if (locked) return;
  locked = create(profile, () => {
    locked = null;
    show();
  });
  clear();
  history.replaceState(null, "", "#/chat");
  await show();
}

window.addEventListener("hashchange", show);
// The view says what is wrong.
window.addEventListener("profile_locked", () => close().catch(() => {}));
window.addEventListener("invalid_api_key", outside);
show();
whereabouts();
