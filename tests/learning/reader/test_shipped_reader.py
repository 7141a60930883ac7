"""The reader that comes with the default model: whole, on by default, easy to turn off."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from fake_embedder import FakeEmbedder
from fake_engine import FakeEngine
from reader_probes import ProbeMaker, is_right

from ondevice.adapters.builtin_reader import READER, builtin_reader, reader_sha256_among
from ondevice.adapters.gguf_lora import LoraAdapter, LoraPair, read_adapter, write_adapter
from ondevice.adapters.registry import AdapterRegistry
from ondevice.chat import Assistant
from ondevice.engine.llama import LlamaEngine
from ondevice.engine.protocol import AdapterUse, ChatOptions
from ondevice.errors import AdapterError, AdapterStaleError, InvalidAdapterError
from ondevice.home import Home
from ondevice.memory.service import Memory
from ondevice.models.base_model import BaseModel
from ondevice.settings import Settings
from ondevice.store.profile import Profile

Q = "blk.0.attn_q.weight"
GREEDY = ChatOptions(temperature=0, repeat_penalty=1.0, max_tokens=24)


def personal(base: BaseModel, **provenance: str) -> bytes:
    """An adapter that says what it was trained on."""
    random = np.random.default_rng(0)
    a = random.standard_normal((4, 576), dtype=np.float32)
    b = random.standard_normal((576, 4), dtype=np.float32)
    digests = {"base_sha256": base.sha256, **provenance}
    return write_adapter(LoraAdapter("llama", 8.0, {Q: LoraPair(a, b)}, digests))


@pytest.fixture
def me(default_model: BaseModel, tmp_path: Path) -> Iterator[Assistant]:
    profile = Profile.create(Home.below(tmp_path))
    with Assistant(
        FakeEngine(model=default_model), Memory(profile, FakeEmbedder("none")), Settings()
    ) as assistant:
        yield assistant


def names(me: Assistant) -> list[str]:
    me.adapters.choose(None)
    return [use.name for use in me.engine.active_adapters]


def test_file_and_card_agree(default_model: BaseModel) -> None:
    reader = builtin_reader(default_model)
    assert reader is not None
    content = reader.read()
    card = reader.card
    assert hashlib.sha256(content).hexdigest() == card["sha256"] == reader.sha256
    assert len(content) == card["bytes"] <= 10_000_000
    adapter = read_adapter(content, default_model.header)
    assert adapter.provenance["base_sha256"] == default_model.sha256 == card["base_sha256"]
    assert {"training", "licence", "scores"} <= set(card)
    assert card["training"]["settings"]["recipe"]["rank"] == adapter.rank


def test_a_damaged_file_is_refused(default_model: BaseModel, tmp_path: Path) -> None:
    reader = builtin_reader(default_model)
    assert reader is not None
    (tmp_path / "bad.gguf").write_bytes(reader.read()[:-1] + b"?")
    damaged = type(reader)(reader.sha256, reader.base_sha256, reader.card, tmp_path / "bad.gguf")
    with pytest.raises(InvalidAdapterError, match="damaged"):
        damaged.read()


def test_only_the_base_it_was_made_for_has_it(default_model: BaseModel) -> None:
    other = BaseModel("other", default_model.path, "0" * 64, default_model.header)
    assert builtin_reader(other) is None
    assert reader_sha256_among(other, []) is None


def test_it_is_on_by_default_and_its_state_is_kept(me: Assistant) -> None:
    registry = AdapterRegistry(me.profile)
    assert names(me) == [READER]
    registry.off(READER)
    assert names(me) == []
    registry.use(READER, 0.5)
    assert names(me) == [READER] and me.engine.active_adapters[0].scale == 0.5
    registry.off()  # those of the profile
    assert names(me) == [READER]
    me.adapters.choose([(READER, 0.25)])
    assert me.engine.active_adapters[0].scale == 0.25


def test_an_assistant_can_be_opened_without_it(default_model: BaseModel, tmp_path: Path) -> None:
    profile = Profile.create(Home.below(tmp_path))
    engine = FakeEngine(model=default_model)
    with Assistant(engine, Memory(profile, FakeEmbedder("none")), Settings(), reader=False) as me:
        assert names(me) == []


def test_its_name_is_taken(me: Assistant, default_model: BaseModel) -> None:
    with pytest.raises(AdapterError, match="comes with the base model"):
        AdapterRegistry(me.profile).add(personal(default_model), default_model, name=READER)


def test_adapters_trained_on_another_reader_are_stale(
    me: Assistant, default_model: BaseModel
) -> None:
    reader = builtin_reader(default_model)
    assert reader is not None
    registry = AdapterRegistry(me.profile)
    for name, provenance in (
        ("mine", {"reader_sha256": reader.sha256}),
        ("old", {"reader_sha256": "1" * 64}),
        ("plain", {}),
    ):
        registry.add(personal(default_model, **provenance), default_model, name=name)
    me.adapters.choose([("mine", None), ("plain", None)])
    assert [use.name for use in me.engine.active_adapters] == [READER, "mine", "plain"]
    with pytest.raises(AdapterStaleError, match="another reader"):
        me.adapters.choose([("old", None)])
    registry.off(READER)
    with pytest.raises(AdapterStaleError, match="which is off"):
        me.adapters.choose([("mine", None)])
    me.adapters.choose([("plain", None)])
    assert [use.name for use in me.engine.active_adapters] == ["plain"]


def test_it_is_recognised_among_adapters(default_model: BaseModel) -> None:
    reader = builtin_reader(default_model)
    assert reader is not None
    sources = [personal(default_model), reader.read()]
    assert reader_sha256_among(default_model, sources) == reader.sha256
    assert reader_sha256_among(default_model, sources[:1]) is None


def test_cards_are_json_with_a_file_beside_them() -> None:
    folder = resources.files("ondevice.adapters") / "data"
    cards = [place for place in folder.iterdir() if place.name.endswith(".json")]
    assert cards
    for place in cards:
        assert (folder / json.loads(place.read_text(encoding="utf-8"))["file"]).is_file()


def test_the_default_model_reads_its_notes_better_with_it(
    shared_engine: LlamaEngine, default_model: BaseModel
) -> None:
    """A few questions of other topics than it learned with; the benchmark asks thousands."""
    reader = builtin_reader(default_model)
    assert reader is not None
    use = AdapterUse(READER, reader.sha256, reader.read, reader.base_sha256)
    maker = ProbeMaker(shared_engine.count_tokens, seed=7)
    probes = [*maker.direct(1, 10), *maker.unknown(10)]
    right = []
    for uses in ([], [use]):
        shared_engine.set_adapters(uses)
        answers = [shared_engine.chat(p.messages, GREEDY).read() for p in probes]
        right.append(sum(is_right(p, a) for p, a in zip(probes, answers, strict=True)))
    shared_engine.set_adapters([])
    shared_engine.reset_cache()
    assert right[1] >= right[0] + 3
