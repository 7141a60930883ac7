"""Which models suit a machine: arithmetic over what was measured."""

import dataclasses
from pathlib import Path

import pytest
from tiny_models import write_tiny

from ondevice.models.base_model import list_models
from ondevice.models.catalogue import CATALOGUE
from ondevice.models.gguf_header import read_header
from ondevice.models.suggestion import Machine, look_at_machine, suggest, weights_read
from ondevice.training.trainable import is_trainable

MACHINE = Machine("a processor", 4, 16 * 10**9, 12 * 10**9, 10**12, 10.0e9)


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
    assert all(one.tokens_per_second == 10.0e9 / one.size_bytes for one in suggestions)


def test_the_largest_that_answers_at_reading_pace_is_recommended(listed):
    suggestions = suggest(listed, MACHINE, is_trainable)
    (name,) = recommended(suggestions)
    best = next(one for one in suggestions if one.name == name)
    assert best.trainable and best.tokens_per_second >= 10
    quicker = dataclasses.replace(MACHINE, weights_per_second=100e9)
    (larger,) = recommended(suggest(listed, quicker, is_trainable))
    assert CATALOGUE[larger].size_bytes > CATALOGUE[name].size_bytes
    assert is_trainable(next(m for m in listed if m.name == larger))


def test_a_slow_machine_gets_a_small_one_but_not_the_tiny_one(listed):
    slow = dataclasses.replace(MACHINE, weights_per_second=0.5e9)
    (name,) = recommended(suggest(listed, slow, is_trainable))
    assert name != "smollm2-135m" and CATALOGUE[name].size_bytes < 300_000_000


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
    unknown = dataclasses.replace(MACHINE, weights_per_second=None)
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


def test_only_weights_that_a_token_needs_are_counted(tmp_path):
    tied = read_header(write_tiny(tmp_path / "tied.gguf", "llama"))
    every = sum(tensor.nbytes for tensor in tied.tensors.values())
    assert ("output.weight" in tied.tensors) == (weights_read(tied) < every)
    table = tied.tensors["token_embd.weight"]
    own_head = dataclasses.replace(tied, tensors={**tied.tensors, "output.weight": table})
    without = {k: v for k, v in tied.tensors.items() if k != "output.weight"}
    no_head = dataclasses.replace(tied, tensors=without)
    assert weights_read(own_head) == weights_read(no_head)


def test_this_machine_can_be_looked_at(tmp_path):
    machine = look_at_machine(tmp_path / "not" / "there", "p", 2, None)
    assert machine.free_bytes > 0 and machine.cores == 2
    assert look_at_machine(Path("nowhere"), "p", 2, None).free_bytes > 0
