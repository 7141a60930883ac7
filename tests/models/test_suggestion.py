"""Which models suit a machine: arithmetic over what was measured."""

import dataclasses
from pathlib import Path

import pytest
from tiny_models import write_tiny

from ondevice.models.base_model import list_models
from ondevice.models.catalogue import CATALOGUE
from ondevice.models.suggestion import (
    Machine,
    bytes_per_second,
    look_at_machine,
    suggest,
    to_measure,
)
from ondevice.training.trainable import is_trainable

MACHINE = Machine("a processor", 4, 16 * 10**9, 12 * 10**9, 10**12, 10.0e9, False)


@pytest.fixture
def listed(home):
    models = [m for m in list_models(home) if m.name in CATALOGUE]
    return [dataclasses.replace(m, fits=m.memory_bytes < 8 * 10**9) for m in models]


def recommended(suggestions):
    return [one.name for one in suggestions if one.recommended]


def test_every_model_of_the_catalogue_gets_a_line(listed):
    suggestions = suggest(listed, MACHINE, is_trainable)
    assert {one.name for one in suggestions} == set(CATALOGUE)
    sizes = [one.size_bytes for one in suggestions]
    assert sizes == sorted(sizes)
    speeds = [one.tokens_per_second for one in suggestions]
    assert speeds == sorted(speeds, reverse=True)


def test_the_largest_that_answers_at_reading_pace_is_recommended(listed):
    suggestions = suggest(listed, MACHINE, is_trainable)
    (name,) = recommended(suggestions)
    best = next(one for one in suggestions if one.name == name)
    assert best.trainable and best.tokens_per_second >= 10
    quicker = dataclasses.replace(MACHINE, bytes_per_second=100e9)
    (larger,) = recommended(suggest(listed, quicker, is_trainable))
    assert CATALOGUE[larger].size_bytes > CATALOGUE[name].size_bytes
    assert is_trainable(next(m for m in listed if m.name == larger))


def test_a_slow_machine_gets_a_small_one_but_not_the_tiny_one(listed):
    slow = dataclasses.replace(MACHINE, bytes_per_second=0.5e9)
    (name,) = recommended(suggest(listed, slow, is_trainable))
    assert name != "smollm2-135m" and CATALOGUE[name].size_bytes < 300_000_000


def test_the_tiny_one_is_not_recommended_even_if_only_it_is_quick(listed):
    pace = bytes_per_second(CATALOGUE["smollm2-135m"].size_bytes, 12.0)
    machine = dataclasses.replace(MACHINE, bytes_per_second=pace)
    (name,) = recommended(suggest(listed, machine, is_trainable))
    assert name != "smollm2-135m"


def test_memory_and_disk_are_limits(listed):
    small = [dataclasses.replace(m, fits=m.size_bytes < 600e6) for m in listed]
    (name,) = recommended(suggest(small, MACHINE, is_trainable))
    assert CATALOGUE[name].size_bytes < 600e6
    full = dataclasses.replace(MACHINE, free_bytes=300_000_000)
    suggestions = suggest(listed, full, is_trainable)
    assert {one.fits_disk for one in suggestions if one.size_bytes > 3e8} == {False}
    (name,) = recommended(suggestions)
    assert CATALOGUE[name].size_bytes < 300_000_000


def test_without_a_measured_speed_nothing_is_recommended(listed):
    unknown = dataclasses.replace(MACHINE, bytes_per_second=None)
    suggestions = suggest(listed, unknown, is_trainable)
    assert recommended(suggestions) == []
    assert {one.tokens_per_second for one in suggestions} == {None}


def test_what_can_be_trained_follows_from_the_architecture(listed, home, tmp_path):
    trains = {model.name: is_trainable(model) for model in listed}
    assert trains["qwen2.5-coder-0.5b"] and trains["smollm3-3b"] and trains["gemma-3-270m"]
    assert not any(trains[name] for name in ("qwen3.5-0.8b", "qwen3.5-4b", "lfm2.5-350m"))
    # A file of no catalogue is looked at; neither its name nor a familiar architecture is enough.
    home.models.mkdir(parents=True)
    write_tiny(home.models / "mine.gguf", "qwen3")
    write_tiny(home.models / "qwen3-odd.gguf", "qwen3", extra={"qwen3.nextn_predict_layers": 1})
    (home.models / "damaged.gguf").write_bytes(b"GGUF")
    own = {m.name: is_trainable(m) for m in list_models(home) if m.name not in CATALOGUE}
    assert own == {"mine": True, "qwen3-odd": False, "damaged": False}


def test_the_pace_of_one_model_gives_that_of_the_others(listed):
    # Milliseconds of a token on one core: smollm2-135m 16.2, qwen2.5-coder-0.5b 52.3, -1.5b 100.2.
    pace = bytes_per_second(98_362_432, 1000 / 16.2)
    machine = dataclasses.replace(MACHINE, bytes_per_second=pace)
    speeds = {one.name: one.tokens_per_second for one in suggest(listed, machine, is_trainable)}
    assert speeds["qwen2.5-coder-0.5b"] == pytest.approx(1000 / 52.3, rel=0.06)
    assert speeds["qwen2.5-coder-1.5b"] == pytest.approx(1000 / 100.2, rel=0.06)
    assert bytes_per_second(98_362_432, 0.0) is None


def test_the_largest_model_here_is_measured_but_no_huge_one(listed):
    def here(*names):
        return [dataclasses.replace(m, path=Path("x") if m.name in names else None) for m in listed]

    assert to_measure(here()) is None
    assert to_measure(here("smollm2-135m")).name == "smollm2-135m"
    some = here("smollm2-135m", "qwen2.5-coder-0.5b", "qwen3-4b")
    assert to_measure(some).name == "qwen2.5-coder-0.5b"


def test_this_machine_can_be_looked_at(tmp_path):
    machine = look_at_machine(tmp_path / "not" / "there", "p", 2, None, busy=True)
    assert machine.free_bytes > 0 and machine.cores == 2 and machine.busy
    assert look_at_machine(Path("nowhere"), "p", 2, None, busy=True).free_bytes > 0
