"""What a run would train: examples, where it begins, recipe and number of steps.

Everything here is a pure function of the records' contents, the base, the
settings and a recorded token budget, so that a run can be repeated exactly.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ondevice.adapters.registry import AdapterRegistry
from ondevice.learning.examples.build import ExampleSet, Paraphrase, build
from ondevice.learning.examples.documents import documents_of, pairs_of
from ondevice.learning.examples.example import Example
from ondevice.learning.examples.selection import select
from ondevice.learning.options import LearnOptions
from ondevice.memory.form import form_for
from ondevice.models.base_model import BaseModel
from ondevice.remedies import Notice, Remedy
from ondevice.settings import LearningSettings
from ondevice.store.records import AdapterRow, AnyRecord
from ondevice.training.data import Document, DocumentReader, plan_steps, split_held_out
from ondevice.training.preference_data import PreferencePair
from ondevice.training.recipe import Recipe

FORWARD_SHARE = 0.5  # of a step's work is the forward pass: the other half goes back
_PREFERENCES: Final = Recipe(method="dpo", epochs=2.0, rank=4, held_out=0.1, evaluations=4)
MAX_TOKENS_A_WORD = 3.5  # above: the base model does not know the language; English needs 1.3


@dataclass(frozen=True)
class Plan:
    """What would be trained.

    Attributes:
        examples: all examples of the profile.
        documents: those of this run, as tokens.
        pairs: preferences, as tokens; empty if the method leaves them out or there are too few.
        records: ids behind the documents and pairs, and those that the start was trained on.
        recipe: of the texts.
        preference_recipe: of the preferences.
        start: the adapter that the training goes on from.
        run: how many runs there were since the last one from scratch, this one included.
        why: why it begins where it begins.
        too_little: why nothing can be trained, or None.
        warnings: sentences for the person.
    """

    examples: ExampleSet
    documents: tuple[Document, ...]
    pairs: tuple[PreferencePair, ...]
    records: tuple[str, ...]
    recipe: Recipe
    preference_recipe: Recipe
    start: AdapterRow | None
    run: int
    why: str
    too_little: str | None
    warnings: tuple[str, ...]

    @property
    def n_tokens(self) -> int:
        """Tokens of the documents, once."""
        return sum(len(document.tokens) for document in self.documents)

    @property
    def tokens_to_train(self) -> int:
        """Tokens of all passes of both stages, measurements on held-out data included."""
        texts, pairs = self.documents, self.pairs
        return (cost_of(texts, self.recipe).tokens if texts else 0) + (
            cost_of(pairs, self.preference_recipe).tokens if pairs else 0
        )


def make_plan(
    records: Sequence[AnyRecord],
    registry: AdapterRegistry,
    base: BaseModel,
    reader: DocumentReader,
    settings: LearningSettings,
    options: LearnOptions,
    *,
    scope: str | None = None,
    reader_sha256: str | None = None,
    paraphrase: Paraphrase | None = None,
) -> Plan:
    """Return what a run on `records` would train.

    Args:
        records: of the scope.
        registry: of the profile.
        base: the base model.
        reader: turns examples into tokens for it.
        settings: shares and bounds.
        options: of this run; a time budget must have become a token budget.
        scope: the context that the adapter is for.
        reader_sha256: of the shared adapter that lies below personal ones.
        paraphrase: see `examples.build`.
    """
    made = build(
        select(records),
        form=form_for(base),
        paraphrase=paraphrase,
        replay_share=settings.replay_share,
    )
    start, run, why = _beginning(registry, base, settings, options, scope, reader_sha256)
    chosen: Sequence[Example] = made.examples
    if start is not None:
        chosen = _new_and_old(made.examples, start, settings.new_share)
        if not chosen:
            return _nothing(made, settings, "there is nothing new since the active adapter learned")
    documents = documents_of(chosen, reader) if options.method != "dpo" else []
    pairs = pairs_of(made.preferences, reader) if options.method != "sft" else []
    if len(pairs) < settings.fewest_preferences:
        pairs = []
    records_used = {record for example in chosen for record in example.records}
    if not documents:
        records_used = set()
    if pairs:
        records_used |= {r for pair in made.preferences for r in pair.records}
    if start is not None:
        records_used |= set(start.records)
    recipe, preference_recipe = _within_budget(
        options.token_budget, documents, _recipe(settings, start), pairs, _PREFERENCES
    )
    return Plan(
        made,
        tuple(documents),
        tuple(pairs),
        tuple(sorted(records_used)),
        recipe,
        preference_recipe,
        start,
        run,
        why,
        _too_little(made, documents, pairs, settings, options),
        _warnings(documents, made, reader),
    )


def _nothing(made: ExampleSet, settings: LearningSettings, why: str) -> Plan:
    recipe = Recipe(epochs=settings.epochs)
    return Plan(made, (), (), (), recipe, Recipe(method="dpo"), None, 1, "", why, ())


def learned_rows(registry: AdapterRegistry, scope: str | None) -> list[AdapterRow]:
    """Return the adapters that were learned from the profile for `scope`, the oldest first."""
    return [row for row in registry.list() if row.training.get("method") and row.scope == scope]


def active_learned(
    registry: AdapterRegistry, base: BaseModel, scope: str | None, reader_sha256: str | None
) -> AdapterRow | None:
    """Return the learned adapter that chats use on this base and reader, if there is one."""
    for row in learned_rows(registry, scope):
        fits = row.base_sha256 == base.sha256
        fits &= row.training.get("reader_sha256") == reader_sha256
        if row.state == "active" and fits and registry.has_file(row):
            return row
    return None


def _beginning(
    registry: AdapterRegistry,
    base: BaseModel,
    settings: LearningSettings,
    options: LearnOptions,
    scope: str | None,
    reader_sha256: str | None,
) -> tuple[AdapterRow | None, int, str]:
    """Return the adapter to go on from, the number of this run since scratch, and why."""
    learned = learned_rows(registry, scope)
    active = [row for row in learned if row.state == "active"]
    if options.from_scratch:
        return None, 1, "from scratch, as asked"
    preferences = options.method == "dpo"
    if preferences and not active:
        return None, 1, "on the base"
    if not active:
        # Never from a stale one: what was forgotten lives on in what is trained after it.
        if learned and learned[-1].state == "stale":
            return None, 1, f"from scratch: '{learned[-1].name}' knew something that is forgotten"
        return None, 1, "from scratch: no learned adapter is active"
    row = active[-1]
    run = int(row.training.get("run", 1)) + 1
    if (unfit := _why_unfit(row, base, reader_sha256)) is not None:
        return None, 1, f"{'on the base' if preferences else 'from scratch'}: {unfit}"
    if preferences:
        return row, run, "on the active adapter"
    if run > settings.from_scratch_every:
        return None, 1, f"from scratch, as every {settings.from_scratch_every} runs"
    return row, run, f"going on from '{row.name}'"


def _why_unfit(row: AdapterRow, base: BaseModel, reader_sha256: str | None) -> str | None:
    """Return why nothing can be trained on top of an adapter, or None."""
    if row.base_sha256 != base.sha256:
        return f"'{row.name}' was made for another base model"
    if row.training.get("reader_sha256") != reader_sha256:
        return f"'{row.name}' was trained on another reader"
    if row.training.get("persona_version") != form_for(base).version:
        return f"'{row.name}' was trained with another form of notes"
    return None


def _new_and_old(examples: Sequence[Example], start: AdapterRow, new_share: float) -> list[Example]:
    """Return the examples of records that `start` has not seen, and some of the others.

    In the order of the hashes; without new ones, none.
    """
    seen = set(start.records)
    personal = [e for e in examples if e.kind != "replay"]
    new = [e for e in personal if not seen.issuperset(e.records)]
    if not new:
        return []
    old = [e for e in personal if seen.issuperset(e.records)]
    n_old = math.ceil(len(new) * (1 - new_share) / new_share)
    replay = [e for e in examples if e.kind == "replay"]
    n_replay = math.ceil(len(replay) * (len(new) + min(n_old, len(old))) / len(personal))
    return sorted([*new, *old[:n_old], *replay[:n_replay]], key=lambda example: example.key)


class StageCost(NamedTuple):
    """What a stage takes: its steps, and the tokens of all passes."""

    steps: int
    tokens: int


def cost_of(items: Sequence[Document] | Sequence[PreferencePair], recipe: Recipe) -> StageCost:
    """Return what a training on `items` takes.

    A token that is only measured, on held-out data or for the reference of preferences, counts
    `FORWARD_SHARE` of one that is learned.
    """
    training, held_out = split_held_out(list[Any](items), recipe.held_out, recipe.seed)
    settled = recipe.settled(sum(item.length for item in training))
    steps = plan_steps(
        training, settled.tokens_per_step, recipe.epochs, recipe.max_steps, recipe.seed
    )
    learned = sum(training[index].length for step in steps for index in step)
    measurements = 1 + min(recipe.evaluations, len(steps))
    measured = measurements * sum(item.length for item in held_out)
    if recipe.method == "dpo":
        measured += sum(item.length for item in items)
    return StageCost(len(steps), learned + int(FORWARD_SHARE * measured))


def _within_budget(
    budget: int | None,
    documents: Sequence[Document],
    recipe: Recipe,
    pairs: Sequence[PreferencePair],
    preference_recipe: Recipe,
) -> tuple[Recipe, Recipe]:
    """Return the recipes with as many steps as the token budget allows, shared by both stages.

    Each stage gets the same share of the steps that it would make. The numbers stand in the
    recipes, and with them in the adapter's row, so that the run can be repeated.
    """
    if budget is None:
        return recipe, preference_recipe
    texts = cost_of(documents, recipe) if documents else StageCost(0, 0)
    preferences = cost_of(pairs, preference_recipe) if pairs else StageCost(0, 0)
    total = texts.tokens + preferences.tokens
    if total <= budget:
        return recipe, preference_recipe

    def limited(how: Recipe, cost: StageCost) -> Recipe:
        return dataclasses.replace(how, max_steps=max(1, cost.steps * budget // total))

    return limited(recipe, texts), limited(preference_recipe, preferences)


def _recipe(settings: LearningSettings, start: AdapterRow | None) -> Recipe:
    recipe = Recipe(epochs=settings.epochs, evaluations=8, patience=3)
    if start is not None:
        before: Mapping[str, Any] = start.training.get("recipe", {})
        recipe = dataclasses.replace(
            recipe,
            rank=start.rank,
            modules=before.get("modules", recipe.modules),
            first_layer=before.get("first_layer", recipe.first_layer),
        )
    return recipe


def _too_little(
    made: ExampleSet,
    documents: Sequence[Document],
    pairs: Sequence[PreferencePair],
    settings: LearningSettings,
    options: LearnOptions,
) -> str | None:
    if not made.personal:
        return "there is nothing to learn from yet: remember something, import notes, or chat"
    if options.method == "dpo" and not pairs:
        return Notice(
            f"{_there_are(len(made.preferences), 'preference')} to learn from, and "
            f"{settings.fewest_preferences} are needed (the newest verdicts are kept back to "
            "judge by)",
            Remedy.JUDGE_ANSWERS,
        )
    if options.method != "dpo" and made.personal < settings.fewest_examples:
        return (
            f"{_there_are(made.personal, 'example')} of yours, and {settings.fewest_examples} are "
            "needed; with so few an adapter harms more often than it helps"
        )
    if options.method != "dpo" and not documents:
        return "no example fits the model"
    return None


def _there_are(count: int, what: str) -> str:
    return f"there is 1 {what}" if count == 1 else f"there are {count} {what}s"


def _warnings(
    documents: Sequence[Document], made: ExampleSet, reader: DocumentReader
) -> tuple[str, ...]:
    """Return what the person should know before the training."""
    words = tokens = 0
    for example in made.examples:
        if example.kind in ("style", "write"):
            text = example.messages[-1].content
            words += len(text.split())
            tokens += len(reader.tokenizer.encode(text))
    if words >= 50 and tokens / words > MAX_TOKENS_A_WORD:
        told = (
            f"Your texts need {tokens / words:.1f} tokens a word (English: about 1.3): the base "
            "model hardly knows their language, and the adapter will learn little."
        )
        return (Notice(told, Remedy.CHOOSE_MULTILINGUAL),)
    return ()
