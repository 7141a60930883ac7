import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ondevice.adapters.concatenation import concatenate
from ondevice.adapters.gguf_lora import read_adapter
from ondevice.engine import lora
from ondevice.engine.llama import LlamaEngine
from ondevice.engine.protocol import AdapterUse, ChatOptions
from ondevice.errors import (
    AdapterBaseMismatchError,
    AdapterNotFoundError,
    AdapterSelfTestError,
    AdapterStaleError,
    InvalidAdapterError,
)
from ondevice.home import Home
from ondevice.models.base_model import BaseModel
from ondevice.models.messages import Message
from ondevice.settings import ModelSettings

TEXT = "The quick brown fox jumps over the lazy dog and runs home."
HELLO = [Message("user", "Tell me about your day.")]
GREEDY = ChatOptions(temperature=0, max_tokens=12)
MakeAdapter = Callable[..., tuple[Path, str]]


@pytest.fixture
def engine(shared_engine: LlamaEngine) -> Iterator[LlamaEngine]:
    shared_engine.set_adapters([])
    shared_engine.reset_cache()
    yield shared_engine
    shared_engine.set_adapters([])
    shared_engine.reset_cache()


@pytest.fixture
def use(make_adapter: MakeAdapter, default_model: BaseModel) -> Callable[..., AdapterUse]:
    def build(seed: int, scale: float = 1.0, **options: object) -> AdapterUse:
        path, sha256 = make_adapter(seed, **options)
        return AdapterUse(f"adapter {seed}", sha256, path, default_model.sha256, scale)

    return build


Use = Callable[..., AdapterUse]


def values(engine: LlamaEngine) -> np.ndarray:
    return engine.score(TEXT).log_likelihood


def test_a_b_a_reproduces_a_exactly(engine: LlamaEngine, use: Use) -> None:
    base = values(engine)
    engine.set_adapters([use(1)])
    a = values(engine)
    engine.set_adapters([use(2)])
    b = values(engine)
    engine.set_adapters([use(1)])
    again = values(engine)
    engine.set_adapters([])
    assert np.array_equal(a, again)
    assert np.array_equal(base, values(engine))
    assert np.abs(a - b).max() > 0.01 and np.abs(a - base).max() > 0.01


def test_several_at_once_with_scales(engine: LlamaEngine, use: Use) -> None:
    base = values(engine)
    engine.set_adapters([use(1, 0.0)])
    assert np.array_equal(values(engine), base)
    engine.set_adapters([use(1, 0.5)])
    half = values(engine)
    engine.set_adapters([use(1, 1.0), use(2, 0.0)])
    one = values(engine)
    engine.set_adapters([use(1, 1.0), use(2, 0.7)])
    both = values(engine)
    engine.set_adapters([use(1, 1.0)])
    assert np.array_equal(one, values(engine))
    assert np.abs(half - one).max() > 0.01 and np.abs(both - one).max() > 0.01
    assert [u.scale for u in engine.active_adapters] == [1.0]


def test_keys_and_values_of_other_weights_are_never_used(engine: LlamaEngine, use: Use) -> None:
    without = engine.chat(HELLO, GREEDY).read()
    engine.set_adapters([use(1)])
    stream = engine.chat(HELLO, GREEDY)
    under_adapter = stream.read()
    assert stream.usage.cached_tokens == 0
    engine.set_adapters([use(1)])  # no change: the cache stays warm
    warm = engine.chat(HELLO, GREEDY)
    warm.read()
    assert warm.usage.cached_tokens > 0
    engine.set_adapters([use(1, 0.5)])
    stream = engine.chat(HELLO, GREEDY)
    stream.read()
    assert stream.usage.cached_tokens == 0
    engine.set_adapters([use(1)])
    engine.reset_cache()
    assert engine.chat(HELLO, GREEDY).read() == under_adapter
    engine.set_adapters([])
    assert engine.chat(HELLO, GREEDY).read() == without


def test_adapters_come_back_after_unloading(engine: LlamaEngine, use: Use) -> None:
    engine.set_adapters([use(1), use(2, 0.5)])
    before = values(engine)
    engine.unload()
    assert np.array_equal(values(engine), before)
    assert len(engine.active_adapters) == 2


def test_others_are_applied_though_the_former_ones_are_gone(engine: LlamaEngine, use: Use) -> None:
    def gone() -> bytes:
        raise AdapterStaleError("It is stale.")

    base = values(engine)
    engine.set_adapters([use(1)])
    engine.set_adapters([dataclasses.replace(use(1), source=gone)])  # loaded already
    engine.unload()
    with pytest.raises(AdapterNotFoundError):
        engine.set_adapters([dataclasses.replace(use(2), source=Path("nowhere"))])
    assert [one.source for one in engine.active_adapters] == [gone]
    engine.set_adapters([use(2)])
    assert not np.array_equal(base, values(engine))
    engine.set_adapters([])
    assert np.array_equal(base, values(engine))


def test_adapter_given_as_bytes_leaves_no_file(engine: LlamaEngine, use: Use, home: Home) -> None:
    made = use(3)
    assert isinstance(made.source, Path)
    content = made.source.read_bytes()
    files = set(home.data.parent.rglob("*"))
    engine.set_adapters([made])
    from_file = values(engine)
    engine.set_adapters([])
    engine.reset_cache()  # and frees the loaded copy
    engine.set_adapters([dataclasses.replace(made, source=lambda: content)])
    assert np.array_equal(values(engine), from_file)
    assert set(home.data.parent.rglob("*")) == files


def test_systems_without_memory_files(
    engine: LlamaEngine, use: Use, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.set_adapters([use(4)])
    expected = values(engine)
    engine.set_adapters([])
    engine.reset_cache()
    monkeypatch.delattr(lora.os, "memfd_create", raising=False)
    files = set(home.cache.rglob("*"))
    engine.set_adapters([use(4)])
    assert np.array_equal(values(engine), expected)
    assert set(home.cache.rglob("*")) == files


def refused(engine: LlamaEngine, bad: AdapterUse, good: AdapterUse, error: type) -> None:
    """`bad` must raise `error` and leave `good` exactly as it was."""
    engine.set_adapters([good])
    before = values(engine)
    with pytest.raises(error):
        engine.set_adapters([good, bad])
    assert engine.active_adapters == [good]
    assert np.array_equal(values(engine), before)


def test_wrong_base_is_refused_before_it_is_read(engine: LlamaEngine, use: Use) -> None:
    def never() -> bytes:
        raise AssertionError("an adapter for another base must not be read")

    bad = AdapterUse("foreign", "0" * 64, never, base_sha256="1" * 64)
    refused(engine, bad, use(1), AdapterBaseMismatchError)


def test_changed_missing_and_damaged_files_are_refused(
    engine: LlamaEngine, use: Use, tmp_path: Path
) -> None:
    made = use(5)
    assert isinstance(made.source, Path)
    content = bytearray(made.source.read_bytes())
    content[-1] ^= 1
    changed = dataclasses.replace(made, source=lambda: bytes(content))
    refused(engine, changed, use(1), InvalidAdapterError)
    gone = dataclasses.replace(made, source=tmp_path / "gone.gguf", sha256="2" * 64)
    refused(engine, gone, use(1), AdapterNotFoundError)
    half = bytes(content[: len(content) // 2])
    damaged = AdapterUse("half", hashlib.sha256(half).hexdigest(), lambda: half)
    refused(engine, damaged, use(1), InvalidAdapterError)
    refused(engine, dataclasses.replace(made, scale=float("nan")), use(1), InvalidAdapterError)


def test_nan_and_inactive_adapters_are_refused(engine: LlamaEngine, use: Use) -> None:
    refused(engine, use(6, b_value=float("nan")), use(1), InvalidAdapterError)
    refused(engine, use(6, b_value=0.0), use(1), AdapterSelfTestError)
    refused(engine, use(6, b_value=3e38), use(1), AdapterSelfTestError)


def test_idle_adapters_are_freed(engine: LlamaEngine, use: Use) -> None:
    for seed in range(10, 16):
        engine.set_adapters([use(seed, rank=1)])
    loaded = engine._loaded  # llama.cpp does not tell how many it holds
    assert loaded is not None
    assert len(loaded.adapters._handles) <= 3  # see above


def test_closing_frees_everything(default_model: BaseModel, home: Home, use: Use) -> None:
    for _ in range(3):
        engine = LlamaEngine(default_model, ModelSettings(n_ctx=128, n_threads=1), home)
        engine.set_adapters([use(1)])
        stream = engine.chat(HELLO, GREEDY)
        next(stream)
        engine.close()
        assert not engine.is_loaded
        engine.close()


def test_adapters_put_together_are_their_sum(
    engine: LlamaEngine, use: Use, default_model: BaseModel
) -> None:
    uses = [use(1, 0.8), use(2, -0.5)]
    engine.set_adapters(uses)
    loaded = engine._loaded  # llama.cpp does not tell what it applies
    assert loaded is not None
    assert len(loaded.adapters._applied) == 1  # so that two cost as one
    parts = [(read_adapter(Path(str(one.source)), default_model.header), one.scale) for one in uses]
    together = concatenate(parts)
    for name, pair in together.tensors.items():
        theirs = sum(
            scale
            * part.alpha
            / part.tensors[name].rank
            * part.tensors[name].b
            @ part.tensors[name].a
            for part, scale in parts
            if name in part.tensors
        )
        ours = together.alpha / pair.rank * pair.b @ pair.a
        assert np.abs(ours - theirs).max() < 1e-5 * np.abs(theirs).max()


def test_another_scale_of_adapters_put_together(engine: LlamaEngine, use: Use) -> None:
    engine.set_adapters([use(1), use(2, 0.5)])
    half = values(engine)
    engine.set_adapters([use(1), use(2, 1.0)])
    whole = values(engine)
    engine.set_adapters([use(1), use(2, 0.5)])
    assert np.array_equal(values(engine), half)
    assert np.abs(whole - half).max() > 0.01
