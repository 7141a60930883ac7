"""The tokenizer on a vocabulary of its own, against the library that has the same algorithm."""

from __future__ import annotations

import random

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from ondevice.memory.embedders.packed_e5 import Vocabulary
from ondevice.memory.embedders.unigram import Unigram

PIECES = [
    ("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0),
    ("▁", -3.0), ("▁a", -2.5), ("a", -3.5), ("b", -3.6), ("ab", -4.1), ("▁ab", -5.0),
    ("ba", -4.4), ("bab", -6.0), ("c", -7.0), ("abc", -7.2), ("猫", -8.0), ("が", -6.5),
    ("猫が", -9.0), ("é", -5.5), ("<mask>", 0.0),
]  # fmt: skip


@pytest.fixture(scope="module")
def unigram() -> Unigram:
    """The tokenizer of `PIECES`; a zero-width space becomes nothing, a soft hyphen a space."""
    return Unigram(
        Vocabulary(
            pieces=[piece for piece, _ in PIECES],
            scores=[score for _, score in PIECES],
            characters={0x200B: "", 0xAD: " "},
            first=0,
            last=2,
            unknown=3,
        )
    )


def reference(text: str) -> list[int]:
    """Return what the library makes of a text."""
    known = [(piece, score if score else -100.0) for piece, score in PIECES]
    tokenizer = Tokenizer(models.Unigram(known, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    return tokenizer.encode(text, add_special_tokens=False).ids


def test_the_likeliest_pieces_are_those_of_the_library(unigram: Unigram) -> None:
    chance = random.Random(5)
    for _ in range(300):
        words = ["".join(chance.choices("abc猫がé", k=chance.randint(1, 9))) for _ in range(4)]
        text = " ".join(words)
        assert unigram.encode(text, 512)[1:-1] == reference(text)


def test_what_is_unknown_is_one_token(unigram: Unigram) -> None:
    assert unigram.encode("a zzz", 512)[1:-1] == [5, 4, 3]


def test_characters_are_made_plain_first(unigram: Unigram) -> None:
    plain = unigram.encode("ab é a", 512)
    for text in ("ａｂ é a", "a\u200bb e\u0301 a", "ab\u00adé\u3000 a ", "▁ab\té\na", "ab▁é a"):
        assert unigram.encode(text, 512) == plain


def test_long_texts_are_cut_and_counted_whole(unigram: Unigram) -> None:
    tokens = unigram.encode("c " * 1000, 512)
    assert len(tokens) == 512 and tokens[0] == 0 and tokens[-1] == 2
    assert unigram.count("c " * 1000) == 2000
    assert unigram.count("c" * 30_000) >= 30_000
    assert unigram.encode("", 512) == [0, 2]
