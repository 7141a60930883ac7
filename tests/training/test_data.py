"""Files become documents with the right tokens supervised; bad files are refused in a sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ondevice.errors import ImportSourceError, OndeviceError, TrainingError
from ondevice.models.base_model import BaseModel
from ondevice.models.tokenizer import Tokenizer
from ondevice.training.data import (
    Document,
    DocumentReader,
    group,
    pack,
    plan_steps,
    split_held_out,
)

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Which tea?"},
    {"role": "assistant", "content": "Assam, with milk."},
    {"role": "user", "content": "And at night?"},
    {"role": "assistant", "content": "Rooibos."},
]


@pytest.fixture(scope="module")
def tokenizer(default_model: BaseModel) -> Iterator[Tokenizer]:
    with Tokenizer(default_model) as opened:
        yield opened


def reader(default_model: BaseModel, tokenizer: Tokenizer, **options: object) -> DocumentReader:
    options = {"max_length": 128, **options}
    return DocumentReader(tokenizer, default_model.header, **options)  # type: ignore[arg-type]


def write(path: Path, *rows: object) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_only_what_the_assistant_says_is_supervised(
    default_model: BaseModel, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    path = write(tmp_path / "chat.jsonl", {"messages": CHAT})
    (document,) = reader(default_model, tokenizer).read([path])
    learned = tokenizer.decode(document.tokens[document.supervised].tolist())
    assert learned == "Assam, with milk.Rooibos."
    ends = [t for t in document.tokens[document.supervised] if t in tokenizer.eog]
    assert len(ends) == 2  # the model must also learn to stop
    whole = tokenizer.decode(document.tokens.tolist())
    assert "Which tea?" in whole and "Be brief." in whole
    everything = reader(default_model, tokenizer, completion_only=False).read([path])[0]
    assert np.array_equal(everything.tokens, document.tokens)
    assert everything.n_supervised > document.n_supervised + 10
    assert not everything.supervised[0]


def test_the_tokens_are_those_of_the_rendered_chat(
    default_model: BaseModel, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    path = write(tmp_path / "chat.jsonl", {"messages": CHAT})
    one = reader(default_model, tokenizer)
    (document,) = one.read([path])
    from ondevice.models.messages import Message

    text = one.template.render([Message(**m) for m in CHAT], add_generation_prompt=False)
    assert document.tokens.tolist() == tokenizer.encode(text, special=True)


def test_long_text_is_cut_and_nothing_is_lost(
    default_model: BaseModel, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    text = " ".join(f"Sentence {i} about nothing in particular." for i in range(120))
    path = tmp_path / "long.md"
    path.write_text(text, encoding="utf-8")
    documents = reader(default_model, tokenizer).read([path])
    assert all(len(d.tokens) <= 128 for d in documents) and len(documents) > 5
    assert [t for d in documents for t in d.tokens.tolist()] == tokenizer.encode(text)
    assert all(d.supervised[1:].all() and not d.supervised[0] for d in documents)


def test_duplicates_are_learned_once(
    default_model: BaseModel, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.jsonl", *[{"text": "The same sentence again."}] * 3)
    other = write(tmp_path / "b.jsonl", {"text": "The same sentence again."}, {"text": "New one."})
    assert len(reader(default_model, tokenizer).read([path, other])) == 2


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"", TrainingError, "nothing to learn"),
        (b"\n  \n", TrainingError, "nothing to learn"),
        (b"{not json", ImportSourceError, "line 1: this is not JSON"),
        (b"[" * 100_000, ImportSourceError, "line 1: this is not JSON"),
        (b'{"text": 3}', ImportSourceError, "neither a 'messages' list"),
        (b'{"messages": []}', ImportSourceError, "neither a 'messages' list"),
        (b'\n{"messages": [{"role": "boss", "content": "x"}]}', ImportSourceError, "line 2"),
        (b'{"messages": [{"role": "user", "content": null}]}', ImportSourceError, "'content'"),
        (b'{"messages": [{"role": "user", "content": "x"}]}', ImportSourceError, "assistant's"),
        (b"\xff\xfe\x00", ImportSourceError, "not UTF-8"),
        (
            json.dumps({"messages": [*CHAT[:-1], {"role": "assistant", "content": "no " * 200}]}),
            TrainingError,
            "longest allowed is 128",
        ),
    ],
)
def test_bad_data_is_refused_in_one_sentence(
    default_model: BaseModel,
    tokenizer: Tokenizer,
    tmp_path: Path,
    content: bytes | str,
    error: type[OndeviceError],
    words: str,
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(error, match=words) as raised:
        reader(default_model, tokenizer).read([path])
    assert "bad.jsonl" in str(raised.value) and "\n" not in str(raised.value)


def test_a_missing_file_is_named(
    default_model: BaseModel, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    with pytest.raises(ImportSourceError, match=r"none\.txt"):
        reader(default_model, tokenizer).read([tmp_path / "none.txt"])


def some(n: int, length: int = 5) -> list[Document]:
    supervised = np.array([False] + [True] * (length - 1))
    return [Document(np.full(length, i, np.int32), supervised, str(i)) for i in range(n)]


def test_held_out_documents_are_apart_and_always_the_same() -> None:
    documents = some(40)
    training, held_out = split_held_out(documents, 0.1, 3)
    assert len(held_out) == 4 and len(training) == 36
    assert {d.name for d in training}.isdisjoint(d.name for d in held_out)
    again = split_held_out(documents, 0.1, 3)[1]
    assert [d.name for d in again] == [d.name for d in held_out]
    assert split_held_out(some(7), 0.1, 0)[1] == []
    assert split_held_out(documents, 0.0, 0)[1] == []


def test_every_epoch_sees_every_document_once_in_a_new_order() -> None:
    documents = some(11)
    steps = plan_steps(documents, 20, 2.0, 0, seed=1)
    flat = [index for step in steps for index in step]
    assert sorted(flat[:11]) == sorted(flat[11:]) == list(range(11))
    assert flat[:11] != flat[11:]
    assert max(len(step) for step in steps) == 4
    assert len([i for s in plan_steps(documents, 20, 0.5, 0, seed=1) for i in s]) == 6
    assert len(plan_steps(documents, 20, 1.0, 17, seed=1)) == 17


def test_groups_hold_at_least_one_document() -> None:
    assert group([0, 1, 2, 3], [10, 2, 2, 3], 5) == [[0], [1, 2], [3]]


def test_packing_keeps_documents_apart() -> None:
    documents = [*some(2, 3), *some(1, 1)]
    packed = pack(documents)
    assert packed.tokens.tolist() == [0, 0, 0, 1, 1, 1, 0]
    assert packed.positions.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert packed.first.tolist() == [0, 0, 0, 3, 3, 3, 6]
    assert packed.rows.tolist() == [0, 1, 3, 4]
    assert packed.targets.tolist() == [0, 0, 1, 1]
    assert packed.document.tolist() == [0, 0, 1, 1]
