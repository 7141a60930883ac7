"""Training a reader, in miniature: reproducible, resumable, with a card."""

import dataclasses
import json
from pathlib import Path

import numpy as np

from ondevice.adapters.builtin_reader import builtin_reader
from ondevice.adapters.gguf_lora import content_sha256, read_adapter
from ondevice.home import Home
from ondevice.learning.reader.teach import TeachSettings, at_strength, teach
from ondevice.models.base_model import BaseModel
from ondevice.training.recipe import Recipe

RECIPE = Recipe(
    rank=2, modules="attn_v", first_layer=26, epochs=1, tokens_per_step=256, held_out=0.0
)
SMALL = TeachSettings(
    n_requests=1, n_tokens=1500, n_texts=2, text_tokens=12, text_share=0.02, recipe=RECIPE
)


def test_the_same_again_also_after_an_interruption(
    default_model: BaseModel, home: Home, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.gguf", tmp_path / "second.gguf"
    heard: list[tuple[int, int]] = []
    teach(
        default_model, first, settings=SMALL, home=home,
        answered=lambda done, of: heard.append((done, of)),
    )  # fmt: skip
    assert heard == [(1, 1)]
    stopped = teach(default_model, second, settings=SMALL, home=home, should_stop=lambda: True)
    assert stopped.content is None and not second.exists()
    teach(default_model, second, settings=SMALL, home=home)
    assert first.read_bytes() == second.read_bytes()
    card = json.loads((tmp_path / "first.gguf.json").read_text(encoding="utf-8"))
    assert card["sha256"] == content_sha256(first.read_bytes())
    assert card["base_sha256"] == default_model.sha256
    read_adapter(first, default_model.header)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "first.gguf", "first.gguf.json", "second.gguf", "second.gguf.json",
    ]  # fmt: skip


def test_other_settings_give_another_reader(
    default_model: BaseModel, home: Home, tmp_path: Path
) -> None:
    other = dataclasses.replace(SMALL, n_tokens=1000)
    a, b = (tmp_path / name for name in ("a.gguf", "b.gguf"))
    teach(default_model, a, settings=SMALL, home=home)
    teach(default_model, b, settings=other, home=home)
    assert a.read_bytes() != b.read_bytes()


def test_strength_scales_what_an_adapter_adds(default_model: BaseModel) -> None:
    reader = builtin_reader(default_model)
    assert reader is not None
    whole = read_adapter(reader.read(), default_model.header)
    half = read_adapter(at_strength(reader.read(), default_model, 0.5), default_model.header)
    assert half.alpha == 0.5 * whole.alpha
    assert half.provenance == whole.provenance
    assert all(np.array_equal(half.tensors[n].b, pair.b) for n, pair in whole.tensors.items())
