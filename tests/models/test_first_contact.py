"""Model files that end the process that loads them: the parent lives and gets one sentence."""

import json
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from byte_vocabulary import SIZE, add_bytes, byte_tokens
from tiny_models import Tiny, write_tiny

from ondevice.errors import BaseModelError, InvalidModelError
from ondevice.home import Home
from ondevice.models import first_contact
from ondevice.models.base_model import BaseModel, resolve


def write(path: Path, architecture: str = "llama", **options: Any) -> Path:
    return write_tiny(path, architecture, vocab=SIZE, tokenizer=add_bytes, **options)


def refusal(path: Path, home: Home) -> str:
    with pytest.raises(InvalidModelError) as caught:
        resolve(str(path), home)
    text = str(caught.value)
    assert text.endswith((".", ")")) and "\n" not in text and str(path) in text, text
    return text


def tried(home: Home) -> dict[str, str]:
    notes = home.cache / "first-contact.json"
    return json.loads(notes.read_text()) if notes.exists() else {}


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3", "gemma3", "phi3", "granite"])
def test_sound_models_of_every_family_pass(architecture: str, tmp_path: Path, home: Home) -> None:
    options: dict[str, Any] = {"fused_qkv": True} if architecture == "phi3" else {}
    path = write(tmp_path / "m.gguf", architecture, **options)
    assert resolve(str(path), home).sha256 in next(iter(tried(home)))
    assert list(tried(home).values()) == [""]


def keys(**values: Any) -> dict[str, Any]:
    """Return options that write these keys of the architecture; `__` stands for a dot."""
    return {"extra": {f"llama.{key.replace('__', '.')}": value for key, value in values.items()}}


def vocabulary(**changed: Any) -> dict[str, Any]:
    """Return options that write a vocabulary with some parts changed."""

    def add(writer: gguf.GGUFWriter) -> None:
        writer.add_tokenizer_model(changed.get("model", "gpt2"))
        writer.add_token_list(changed.get("tokens", [*byte_tokens(), "<|begin|>", "<|end|>"]))
        writer.add_token_merges(["h e"])

    return {"tokenizer": add}


# What is seen in the header: options that write the fault, and a word of the sentence.
SEEN: dict[str, tuple[dict[str, Any], str]] = {
    **{f"context {n}": (keys(context_length=n), "context") for n in range(8)},
    "rope scaling": (keys(rope__scaling__type="spiral"), "spiral"),
    "rope scaling number": (keys(rope__scaling__type=3), "unknown way '3'"),
    "experts without use": (keys(expert_count=8), "experts"),
    "use without experts": (keys(expert_used_count=2), "experts"),
    "more used than there are": (keys(expert_count=2, expert_used_count=4), "experts"),
    "layers use too many": (keys(expert_count=2, expert_used_count=[1, 4]), "experts"),
    "too many experts": (keys(expert_count=5000, expert_used_count=2), "experts"),
    "experts in words": (keys(expert_count="eight"), "expert_count"),
    "groups": (keys(expert_count=8, expert_used_count=2, expert_group_count=3), "groups"),
    "groups only": (keys(expert_group_count=2), "groups"),
    "experts of no count": ({"extra_tensors": ("blk.0.ffn_up_exps.weight",)}, "how many"),
    "epsilon NaN": (keys(attention__layer_norm_rms_epsilon=float("nan")), "epsilon"),
    "epsilon negative": (keys(attention__layer_norm_rms_epsilon=-1e-5), "epsilon"),
    "epsilon infinite": (keys(attention__layer_norm_rms_epsilon=float("inf")), "epsilon"),
    "epsilon in words": (keys(attention__layer_norm_rms_epsilon="small"), "epsilon"),
    "600 layers": (keys(block_count=600), "block_count"),
    "layers ahead": (keys(nextn_predict_layers=9), "ahead"),
    "no vocabulary": ({"tokenizer": None}, "vocabulary"),
    "vocabulary of no kind": (vocabulary(model="no_vocab"), "vocabulary"),
    "the same token twice": (vocabulary(tokens=["a"] * SIZE), "twice"),
    "part of three": ({"extra": {"split.no": 1, "split.count": 3}}, "part 2 of 3"),
}


@pytest.mark.parametrize("fault", SEEN)
def test_what_the_header_tells_is_refused_without_a_try(
    fault: str, tmp_path: Path, home: Home
) -> None:
    options, word = SEEN[fault]
    path = write_tiny(tmp_path / "m.gguf", vocab=SIZE, **{"tokenizer": add_bytes, **options})
    assert word in refusal(path, home)
    assert tried(home) == {}


@pytest.mark.parametrize("kind", [np.float64, np.float16])
@pytest.mark.parametrize(
    "name", ["blk.1.ffn_norm.weight", "output_norm.weight", "blk.0.attn_q.bias"]
)
def test_norms_and_biases_are_plain(
    kind: type, name: str, tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = gguf.GGUFWriter.add_tensor

    def add_odd(self: gguf.GGUFWriter, named: str, values: Any, **how: Any) -> None:
        if named == name:
            values, how = values.astype(kind), {}
        add(self, named, values, **how)

    monkeypatch.setattr(gguf.GGUFWriter, "add_tensor", add_odd)
    path = write(tmp_path / "m.gguf", biases=("attn_q",))
    assert name in refusal(path, home)


@pytest.mark.parametrize("beside", [(), (2,), (2, 3), range(2, 9)])
def test_a_part_names_the_others_that_are_missing(beside: Any, tmp_path: Path, home: Home) -> None:
    count = 9 if len(beside) > 2 else 3
    path = write(
        tmp_path / f"m-00001-of-{count:05}.gguf", extra={"split.no": 0, "split.count": count}
    )
    for number in beside:
        (tmp_path / f"m-{number:05}-of-{count:05}.gguf").touch()
    text = refusal(path, home)
    assert f"part 1 of {count}" in text
    missing = [n for n in range(2, count + 1) if n not in beside]
    if len(missing) == 2:
        assert "parts 2 and 3 are missing" in text
    elif missing:
        assert f"part {missing[0]} is missing" in text
    else:
        assert "missing" not in text


def sentencepiece(writer: gguf.GGUFWriter) -> None:
    """Add a vocabulary without bytes, which llama.cpp looks for without asking."""
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>", *(f"t{i}" for i in range(SIZE - 3))])
    writer.add_token_scores([0.0] * SIZE)
    writer.add_token_types([2, 3, 3] + [1] * (SIZE - 3))


# What no header tells, or not alone: options, what the child does, and a word of the sentence.
UNSEEN: dict[str, tuple[dict[str, Any], str]] = {
    "no bytes": ({"tokenizer": sentencepiece}, "SIGABRT"),
    "no beginning": (vocabulary(model="gemma4"), "SIGABRT"),
    "odd tokenizer": (vocabulary(model="telepathy"), "telepathy"),
    "no heads": (keys(attention__head_count=0), "attn_q"),
    "three heads": (keys(attention__head_count=3), "n_rot"),
    "key of another type": (keys(attention__causal="maybe"), "wrong type"),
    "no norm": ({"without": ("output_norm.weight",)}, "output_norm"),
    "frequency zero": (keys(rope__freq_base=0.0), "numbers"),
    "no token for any word": (vocabulary(tokens=[""] * SIZE), "vocabulary"),
    "weights NaN": ({"gain": float("nan")}, "numbers"),
}


@pytest.mark.parametrize("fault", UNSEEN)
def test_what_only_a_try_tells_ends_a_child(
    fault: str, tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, word = UNSEEN[fault]
    path = write_tiny(tmp_path / "m.gguf", vocab=SIZE, **{"tokenizer": add_bytes, **options})
    text = refusal(path, home)
    assert word in text and "/llama.cpp/" not in text
    (known,) = tried(home).values()
    assert known and str(tmp_path) not in known
    monkeypatch.setattr(first_contact, "_try", None)  # it is known, so it is not tried again
    assert refusal(path, home) == text


@pytest.mark.model  # twenty files, each loaded by a process of its own
def test_random_headers_never_end_the_parent(tmp_path: Path, home: Home) -> None:
    """Twenty models, each with some keys replaced by values that no converter writes."""
    random = np.random.default_rng(7)
    names = sorted(set(Tiny().keys()) - {"llama.vocab_size"})
    odd = [0, 1, 3, 7, 2**31, 2**32 - 1, -1.0, 0.0, 1e30, float("nan"), "", "x", [1, 2], True]
    refused = 0
    for number in range(20):
        chosen = random.choice(len(names), size=int(random.integers(1, 3)), replace=False)
        extra = {names[i]: odd[int(random.integers(len(odd)))] for i in chosen}
        path = write(tmp_path / f"{number}.gguf", extra=extra)
        try:
            resolve(str(path), home)
        except InvalidModelError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 900
    assert refused >= 10  # the others can be loaded


def child(monkeypatch: pytest.MonkeyPatch, script: str, patience: float = 60) -> None:
    """Let the child run `script` instead of trying the file."""
    # No file is known that hangs or ends the child on every version of llama.cpp.
    monkeypatch.setattr(first_contact, "_SCRIPT", script)
    monkeypatch.setattr(first_contact, "_PATIENCE", patience)  # see above


READY = "import os, signal, sys, time; print('ready', flush=True); "


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
@pytest.mark.parametrize(
    ("script", "word", "lasting"),
    [
        (READY + "os.kill(os.getpid(), signal.SIGSEGV)", "crashed [SIGSEGV]", True),
        (READY + "os.kill(os.getpid(), signal.SIGFPE)", "SIGFPE", True),
        (READY + "os.kill(os.getpid(), signal.SIGKILL)", "memory", False),
        (READY + "sys.exit('MemoryError\\x1b[2J')", "MemoryError?[2J", True),
        (READY + "time.sleep(60)", "within 1 seconds", True),
        (READY, "ended with code 0", True),
    ],
)
def test_each_death_has_its_words(
    script: str, word: str, lasting: bool, tmp_path: Path, home: Home,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = write(tmp_path / "m.gguf")
    child(monkeypatch, script, patience=1 if "sleep" in script else 60)
    assert word in refusal(path, home)
    assert bool(tried(home)) == lasting
    monkeypatch.undo()
    monkeypatch.setenv("ONDEVICE_HOME", str(tmp_path / "home"))
    if lasting:
        assert word in refusal(path, home)
    resolve(str(path), home, again=True)  # as `model check` does
    assert list(tried(home).values()) == [""]
    assert resolve(str(path), home).path == path


def test_a_child_that_cannot_start_is_no_fault_of_the_file(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "m.gguf")
    child(monkeypatch, "import no_such_module")
    with pytest.raises(BaseModelError, match="no_such_module") as caught:
        resolve(str(path), home)
    assert not isinstance(caught.value, InvalidModelError)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    with pytest.raises(BaseModelError, match="no process could be started"):
        resolve(str(path), home)
    assert tried(home) == {}


def test_the_child_is_told_the_path_and_its_bounds_only(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ondevice").mkdir()  # what lies where the person is must not run
    (tmp_path / "ondevice" / "__init__.py").write_text("raise SystemExit('ran')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONDEVICE_PASSPHRASE_FILE", "secret")
    path = write(tmp_path / "m.gguf")
    assert resolve(str(path), home).path == path
    seen = tmp_path / "seen"
    child(
        monkeypatch,
        READY + f"open({str(seen)!r}, 'w').write(sys.stdin.read() + repr(dict(os.environ)));"
        """print('{"fault": ""}')""",
    )
    resolve(str(path), home, again=True)
    told, _, environment = seen.read_text().partition("}")
    assert set(json.loads(told + "}")) == {"path", "memory", "seconds"}
    assert "ONDEVICE_" not in environment and "'GGML_NO_BACKTRACE': '1'" in environment


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is bounded on Linux")
def test_memory_is_bounded(tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_contact, "_MEMORY", 1 << 20)  # less than any model takes
    assert "cannot be used" in refusal(write(tmp_path / "m.gguf"), home)


def test_the_default_model_is_never_tried(
    default_model: BaseModel, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_contact, "_try", None)  # so a try would fail
    assert resolve("default", home, again=True).sha256 == default_model.sha256
    assert resolve(str(default_model.path), home, again=True).sha256 == default_model.sha256
