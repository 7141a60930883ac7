"""Training a reader, in miniature: reproducible, resumable, with a card."""

import dataclasses
import json
from pathlib import Path

import numpy as np

from ondevice.adapters.gguf_lora import content_sha256, read_adapter
from ondevice.adapters.reader import builtin_reader
from ondevice.base.models import BaseModel
from ondevice.home import Home
from ondevice.reader.teach import TeachSettings, at_strength, teach
from ondevice.training.recipe import Recipe

RECIPE = Recipe(
    rank=2, modules="attn_v", first_layer=26, epochs=1, tokens_per_step=256, held_out=0.0
)
SMALL = TeachSettings(
    n_requests=1,
    n_tokens=1500,
    n_texts=2,
    text_tokens=12,
    text_share=0.02,
    recipe=RECIPE,
    n_pair_tokens=600,
    pairs_recipe=dataclasses.replace(RECIPE, method="dpo"),
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
    paths = [tmp_path / name for name in ("a.gguf", "b.gguf", "c.gguf")]
    for path, changes in zip(paths, ({}, {"n_tokens": 1000}, {"n_pair_tokens": 0}), strict=True):
        teach(default_model, path, settings=dataclasses.replace(SMALL, **changes), home=home)
    assert len({path.read_bytes() for path in paths}) == 3
    ranks = [read_adapter(path, default_model.header).rank for path in paths]
    assert ranks == [4, 4, 2]  # what was learned from pairs lies beside what dialogues taught


def test_an_interruption_among_the_pairs_changes_nothing(
    default_model: BaseModel, home: Home, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.gguf", tmp_path / "second.gguf"
    events: list[str] = []
    teach(
        default_model, first, settings=SMALL, home=home,
        callback=lambda event: events.append(event.kind),
    )  # fmt: skip
    assert events.count("start") == 2
    n_steps = events[: events.index("end")].count("step")
    steps: list[int] = []

    def in_the_second_part() -> bool:
        steps.append(1)
        return len(steps) > n_steps

    stopped = teach(
        default_model, second, settings=SMALL, home=home, should_stop=in_the_second_part
    )
    if stopped.content is None:  # else the one step was the last
        assert not second.exists()
        teach(default_model, second, settings=SMALL, home=home)
    assert first.read_bytes() == second.read_bytes()


def test_strength_scales_what_an_adapter_adds(default_model: BaseModel) -> None:
    reader = builtin_reader(default_model)
    assert reader is not None
    whole = read_adapter(reader.read(), default_model.header)
    half = read_adapter(at_strength(whole, 0.5), default_model.header)
    assert half.alpha == 0.5 * whole.alpha
    assert half.provenance == whole.provenance
    assert all(np.array_equal(half.tensors[n].b, pair.b) for n, pair in whole.tensors.items())
