"""`ondevice evaluate` as a person runs it."""

from __future__ import annotations

import hashlib
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine

from ondevice.adapters.gguf_lora import LoraAdapter, LoraPair, write_adapter
from ondevice.cli import run
from ondevice.cli.learn import evaluate as module
from ondevice.engine import llama
from ondevice.home import Home
from ondevice.memory.embedders.minilm import MiniLM
from ondevice.memory.embedding import embedded
from ondevice.models.base_model import resolve
from ondevice.store.profile import Profile
from ondevice.store.records import NewPassage

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ondevice(
    home: Home, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Call:
    """Run a command with an engine that plays the model; return (exit code, stdout, stderr)."""
    monkeypatch.setattr(
        llama, "LlamaEngine", lambda base, settings, home: FakeEngine(model=base, n_ctx=30_000)
    )

    def call(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run(list(arguments))
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def filled(home: Home) -> Home:
    """A profile with forty notes and two facts."""
    embedder = MiniLM()
    with Profile.open(home, create=True) as profile:
        source = profile.sources.add("import", "notes")
        notes = [
            NewPassage(
                f"On day {i} I walked {i * 3} steps to the mill, and {i * 7} back by the river.",
                time=86_400.0 * i,
            )
            for i in range(40)
        ]
        profile.passages.add(source.id, notes, embedded(embedder, [note.text for note in notes]))
        for text in ("The user lives in Ulm.", "The user's dog is called Biscuit."):
            profile.facts.add(text, category="demographic", vector=embedded(embedder, [text]))
    return home


def small_adapter(home: Home) -> bytes:
    rng = np.random.default_rng(3)
    name = "blk.0.attn_q.weight"
    n_in, n_out = resolve("default", home).header.tensors[name].shape
    pair = LoraPair(
        rng.standard_normal((4, n_in), np.float32), rng.standard_normal((n_out, 4), np.float32)
    )
    return write_adapter(LoraAdapter("llama", 8.0, {name: pair}, {}))


def test_table_decision_and_picture(ondevice: Call, filled: Home, tmp_path: Path) -> None:
    picture = tmp_path / "table.svg"
    code, out, err = ondevice("evaluate", "--fast", "--plot", str(picture))
    assert code == 0
    lines = out.splitlines()
    assert any(line.startswith("your own text, perplexity\tbase\t2.72\t") for line in lines)
    assert any(line.startswith("questions, token F1\tprompt\t0.0 %") for line in lines)
    assert lines[-1].startswith("Decision: not enough data: staying with the prompt") or lines[
        -1
    ].startswith("Decision: the prompt")
    assert "There is no adapter in use and no candidate" in err
    assert "A quick look" in err
    assert ET.parse(picture).getroot().tag.endswith("svg")


def test_json_is_the_only_thing_on_stdout(ondevice: Call, filled: Home) -> None:
    code, out, _ = ondevice("evaluate", "--fast", "--json")
    made = json.loads(out)
    assert code == 0
    assert made["format"] == 1
    assert made["adapter"] is None
    assert made["fast"] is True
    assert made["items"]["text"] == 8
    assert {figure["arm"] for figure in made["figures"]} == {"base", "prompt"}
    assert made["decision"]["arm"] == "prompt"


def test_the_adapter_in_use_is_judged_and_audited(
    ondevice: Call, filled: Home, tmp_path: Path
) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(small_adapter(filled))
    assert ondevice("adapter", "add", str(path), "--name", "mine")[0] == 0
    assert ondevice("adapter", "use", "mine")[0] == 0
    code, out, _ = ondevice("evaluate", "--fast", "--audits", "--json")
    made = json.loads(out)
    assert code == 0
    assert made["adapter"] == "mine"
    assert {figure["arm"] for figure in made["figures"]} == {"base", "prompt", "adapter", "hybrid"}
    assert {audit["name"] for audit in made["audits"]} == {"agreement", "gap", "variety"}
    code, out, _ = ondevice("evaluate", "--fast", "--adapter", "mine:0.5")
    assert code == 0
    assert "mine: your writing: perplexity" in out


def test_an_adapter_of_another_base_stops_neither_learning_nor_judging(
    ondevice: Call, filled: Home
) -> None:
    with Profile.open(filled) as profile:
        row = profile.adapters.add(
            "old", file_sha256="e" * 64, base_sha256="f" * 64, rank=4, alpha=8.0
        )
        profile.adapters.set_active([(row.id, 1.0)])
    code, _, err = ondevice("ask", "Where do I live?")
    assert code == 1
    assert "'old' was made for another base model" in err
    assert "learn again" in err
    code, _, err = ondevice("learn", "--method", "dpo", "--dry-run")
    assert code == 0
    assert "Nothing would be trained" in err
    code, _, err = ondevice("evaluate", "--fast")
    assert code == 0
    assert "There is no adapter in use and no candidate" in err


def test_wrong_use_is_one_sentence(ondevice: Call, filled: Home) -> None:
    code, _, err = ondevice("evaluate", "--adapter", "nobody")
    assert code == 1
    assert err.strip().splitlines()[-1].startswith("Error: There is no adapter 'nobody'")
    code, _, err = ondevice("evaluate", "--plot", "table.gif")
    assert code == 2
    assert "--plot writes SVG;" in err


def test_ctrl_c_leaves_nothing_behind(
    ondevice: Call, filled: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contents() -> dict[str, str]:
        return {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in filled.profiles.rglob("*")
            if path.is_file() and path.suffix != ".db-shm"
        }

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    ondevice("memory", "list")
    before = contents()
    # The first thing that is told in the middle of the work: Ctrl-C comes there.
    monkeypatch.setattr(module._Lines, "__call__", interrupt)
    picture = tmp_path / "table.svg"
    code, out, err = ondevice("evaluate", "--fast", "--plot", str(picture))
    assert (code, out) == (130, "")
    assert err.strip().endswith("Stopped.")
    assert not picture.exists()
    assert contents() == before


def test_an_empty_profile_gets_a_plain_answer(ondevice: Call) -> None:
    code, out, err = ondevice("evaluate", "--fast")
    assert code == 0
    assert "not enough data: staying with the prompt" in out
    assert "Nothing was held out" in err
