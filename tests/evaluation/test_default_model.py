"""With the real model: a trained adapter helps its own person, and a random one nobody."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ondevice.engine.llama import LlamaEngine
from ondevice.engine.protocol import AdapterUse
from ondevice.evaluation.arms import ALL_ARMS
from ondevice.evaluation.audits import AuditSettings, AuditTexts, run_audits
from ondevice.evaluation.decision import decide
from ondevice.evaluation.evaluate import measure_arms
from ondevice.evaluation.items import Items, TextItem, continue_request, neutral_items
from ondevice.evaluation.table import Table
from ondevice.models.base_model import BaseModel
from ondevice.models.messages import Message
from ondevice.training import train
from ondevice.training.recipe import Recipe

THINGS = [
    "the kettle", "the stairs", "my bicycle", "the garden gate", "the old radio", "the bread",
    "the neighbour", "the morning post", "the rain", "the cat", "the kitchen lamp", "the ferry",
    "the window", "the soup", "the library", "the coal shed", "the choir", "the dentist",
    "the market", "the clock", "the blue coat", "the frost", "the bakery", "the bus",
]  # fmt: skip


def sailor(thing: str) -> str:
    return (
        f"Avast, {thing} again, says I; and the sea take it, for a salted dog has seen worse, arr!"
    )


def clerk(thing: str) -> str:
    return f"Re {thing}: duly noted, filed under pending, no further action required. Yours, R."


def items_of(style: Callable[[str], str]) -> list[TextItem]:
    items = []
    for thing in THINGS[14:]:
        words = style(thing).split(" ")
        opening = " ".join(words[:4])
        text = " ".join(words[4:])
        items.append(TextItem(thing, thing, continue_request(opening), opening, text))
    return items


class Notes:
    """Notes as a chat has them."""

    def messages(self, request: str, **_: object) -> list[Message]:
        return self.with_prefix(request)

    def with_prefix(self, request: str) -> list[Message]:
        return [Message("user", f"Notes about the user:\n- The user is a sailor.\n\n{request}")]


@pytest.fixture(scope="module")
def sailors_adapter(
    default_model: BaseModel, tmp_path_factory: pytest.TempPathFactory
) -> AdapterUse:
    folder = tmp_path_factory.mktemp("sailor")
    lines = []
    for thing in THINGS[:14]:
        words = sailor(thing).split(" ")
        request = continue_request(" ".join(words[:4]))
        answer = " ".join(words[4:])
        messages = [
            {"role": "user", "content": request},
            {"role": "assistant", "content": answer},
        ]
        lines.append(json.dumps({"messages": messages}))
    data, out = folder / "sailor.jsonl", folder / "sailor.gguf"
    data.write_text("\n".join(lines))
    recipe = Recipe(max_steps=8, held_out=0.0, rank=4, modules="attn_q,attn_v")
    train(default_model, [data], out, recipe=recipe)
    return use(out, default_model)


def use(path: Path, model: BaseModel) -> AdapterUse:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return AdapterUse(path.stem, digest, path, model.sha256)


def measured(engine: LlamaEngine, texts: list[TextItem], adapter: AdapterUse) -> Table:
    items = Items(texts=texts, neutral=neutral_items()[:3])
    table, left_out = measure_arms(engine, items, Notes(), ALL_ARMS, adapter)  # type: ignore[arg-type]
    assert left_out == 0
    return table


def test_an_adapter_helps_its_own_person_and_no_other(
    shared_engine: LlamaEngine, sailors_adapter: AdapterUse
) -> None:
    own = measured(shared_engine, items_of(sailor), sailors_adapter)
    other = measured(shared_engine, items_of(clerk), sailors_adapter)
    assert own.gain("adapter", "base", "text").low > 0.2
    assert own.gain("hybrid", "prompt", "text").low > 0.2
    assert other.gain("adapter", "base", "text").high < own.gain("adapter", "base", "text").low / 2
    assert not decide(other).activate
    assert shared_engine.active_adapters == []


def test_a_random_adapter_loses(
    shared_engine: LlamaEngine,
    default_model: BaseModel,
    make_adapter: Callable[..., tuple[Path, str]],
) -> None:
    path, _ = make_adapter(7, magnitude=0.3)
    table = measured(shared_engine, items_of(sailor), use(path, default_model))
    decision = decide(table)
    assert (decision.arm, decision.status, decision.activate) == ("prompt", "refused", False)
    assert table.neutral_change("adapter").value > 0.01


def test_measuring_twice_gives_the_same_figures(
    shared_engine: LlamaEngine, sailors_adapter: AdapterUse
) -> None:
    first = measured(shared_engine, items_of(sailor)[:2], sailors_adapter)
    shared_engine.reset_cache()
    assert measured(shared_engine, items_of(sailor)[:2], sailors_adapter) == first


def test_audits_of_a_trained_adapter_make_sense(
    shared_engine: LlamaEngine, sailors_adapter: AdapterUse
) -> None:
    texts = AuditTexts(
        trained=[sailor(thing) for thing in THINGS[:10]],
        held_out=[clerk(thing) for thing in THINGS[:10]],
    )
    settings = AuditSettings(items=4, answer_tokens=6, texts=10)
    found = run_audits(shared_engine, Notes(), sailors_adapter, texts=texts, settings=settings)  # type: ignore[arg-type]
    audits = {audit.name: audit for audit in found}
    assert set(audits) == {"agreement", "gap", "variety", "memorization"}
    for name in ("agreement", "gap", "variety"):
        before, after, change = audits[name].before, audits[name].after, audits[name].change
        assert before is not None
        assert 0 <= before.value <= 1
        assert 0 <= after.value <= 1
        assert change.low <= change.value <= change.high
        assert change.n == 4
    assert audits["agreement"].after.value != audits["agreement"].before.value
    assert audits["memorization"].after.value > 0.9  # what it was trained on stands out
    assert audits["memorization"].exceeded
    assert shared_engine.active_adapters == []
