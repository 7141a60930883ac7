// Settings: the same file that `ondevice config` changes; each is saved when it is changed.

import { get, post } from "./api.js";
import { attempt, button, el, heading } from "./dom.js";

const GROUPS = {
  generation: ["Answers", "How answers are written."],
  recall: ["Memory", "How much of what is known is put beside a message."],
  learning: ["Learning", "How an adapter is made of your words."],
  model: [
    "Model",
    "Which base model is used, and how it is loaded. These count from the next start of " +
      "ondevice serve on.",
  ],
};
const LABELS = {
  "generation.temperature": ["Temperature", "0 says the likeliest; small models wander above 0.5"],
  "generation.top_p": ["Top p", "only the likeliest words that make up this share"],
  "generation.top_k": ["Top k", "only so many of the likeliest words"],
  "generation.min_p": ["Min p", "no word less likely than this share of the likeliest"],
  "generation.repeat_penalty": ["Repeat penalty", "above 1 it says the same less often"],
  "generation.max_tokens": ["Longest answer", "tokens; a word has one or two"],
  "generation.seed": ["Seed", "the same number, the same answers; empty: a new one each time"],
  "recall.embedder": ["Embedder", "multilingual, minilm (English), or a folder of your own"],
  "recall.memories": ["Memories beside a message", "at the most"],
  "recall.memory_tokens": ["Room for memories", "tokens beside each message"],
  "recall.prefix_tokens": [
    "Room for what is always at hand",
    "tokens, for pinned and lasting facts",
  ],
  "recall.passage_tokens": [
    "Length of a passage",
    "tokens; counts for what is imported from now on",
  ],
  "learning.fewest_examples": ["Fewest examples", "with fewer nothing is trained"],
  "learning.fewest_preferences": ["Fewest verdicts", "with fewer they are learned as answers only"],
  "learning.epochs": ["Passes", "over the examples"],
  "learning.replay_share": ["Neutral text", "share of all words; keeps what the base model can do"],
  "learning.paraphrases": [
    "Ask in other words",
    "the base model rewords the question of each fact",
  ],
  "learning.new_share": ["New examples", "share, when learning goes on from an adapter"],
  "learning.from_scratch_every": ["Start from scratch every", "runs"],
  "learning.neutral_growth": [
    "What neutral text may cost",
    "share of its perplexity; an adapter beyond it stays off",
  ],
  "learning.keep_candidates": ["Candidates kept", "adapters that were not used, the newest"],
  "model.name": ["Base model", "a name of `ondevice model list`, or a file"],
  "model.n_ctx": ["Context", "tokens"],
  "model.n_threads": ["Threads", "0: one for each core"],
  "model.n_gpu_layers": ["Layers on the GPU", "0: none"],
  "model.idle_seconds": ["Unload after", "seconds without use; 0: never"],
};

/** Make the view. */
export function create() {
  const part = el("div", {});
  const wrong = el("p", { class: "note warn", role: "alert", hidden: true });
  const node = el("div", { class: "view" }, heading("Settings"), wrong, part);

  function show({ settings, path, problem }) {
    wrong.textContent = problem ?? "";
    wrong.hidden = !problem;
    part.replaceChildren(
      ...Object.entries(GROUPS).map(([table, [title, about]]) => {
        const own = settings.filter((one) => one.name.startsWith(`${table}.`));
        return el(
          "div",
          { class: "card" },
          el("h2", {}, title),
          el("p", { class: "quiet small" }, about),
          own.map(row),
        );
      }),
      el(
        "p",
        { class: "quiet small" },
        "They are kept in ",
        el("code", {}, path),
        ". How long records are kept is set under ",
        el("a", { href: "#/privacy" }, "Privacy"),
        ".",
      ),
    );
  }

  function row(one) {
    const [label, hint] = LABELS[one.name] ?? [one.name, ""];
    const id = `set-${one.name.replace(".", "-")}`;
    const field = el("input", {
      id,
      "aria-describedby": `${id}-hint`,
      ...(one.kind === "bool"
        ? { type: "checkbox", checked: one.value }
        : {
            type: one.kind === "str" ? "text" : "number",
            step: one.kind === "float" ? "any" : 1,
            value: one.value ?? "",
            placeholder: one.default === null ? "none" : "",
          }),
    });
    const state = el("span", { class: "small", role: "status" });
    const reset = button("Default", () => save(one.default), {
      class: "plain",
      "aria-label": `Set ${label} to its default`,
      hidden: one.value === one.default,
    });
    field.addEventListener("change", () =>
      save(one.kind === "bool" ? field.checked : field.value.trim() || null),
    );

    async function save(value) {
      state.className = "small quiet";
      try {
        const kept = await post("/api/settings", {
          name: one.name,
          value: value === null ? (one.default === null ? "none" : "") : String(value),
        });
        if (one.kind === "bool") field.checked = kept.value;
        else field.value = kept.value ?? "";
        field.removeAttribute("aria-invalid");
        reset.hidden = kept.value === one.default;
        wrong.hidden = true; // what was wrong in the file is left out now
        state.textContent = one.at_start ? "Saved; counts from the next start on." : "Saved.";
      } catch (error) {
        field.setAttribute("aria-invalid", "true");
        state.className = "small problem";
        state.textContent = error.message;
      }
    }

    return el(
      "div",
      { class: "setting" },
      el(
        "label",
        { for: id, class: "grow" },
        label,
        el("span", { class: "quiet small", id: `${id}-hint` }, hint),
      ),
      el("div", { class: "row" }, field, reset),
      state,
    );
  }

  return { node, enter: () => attempt(async () => show(await get("/api/settings"))) };
}
