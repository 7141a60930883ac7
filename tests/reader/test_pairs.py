"""Pairs of answers: which one is better follows from the notes, and both look alike."""

import itertools
from collections import Counter

from ondevice.reader.pairs import Pair, PairMaker
from ondevice.reader.preferences import LIMITS, SUGGESTIONS, TASTES, Limit
from ondevice.reader.requests import UNKNOWN


def count(text: str) -> int:
    return len(text.split())


def made(n: int, seed: int = 0) -> list[Pair]:
    return list(itertools.islice(PairMaker(count, seed).pairs(10**9), n))


def test_the_seed_decides_everything() -> None:
    assert made(40) == made(40)
    assert made(40) != made(40, seed=1)


def test_all_kinds_occur_and_no_two_answers_are_the_same() -> None:
    found = made(400)
    kinds = Counter(one.kind for one in found)
    assert set(kinds) == {"suggestion", "value", "newer", "told", "not told"}
    assert kinds["suggestion"] > len(found) // 3
    assert sum(one.good == one.bad for one in found) < len(found) // 50  # left out by the reader
    assert all(one.prompt[-1].role == "user" for one in found)


def test_only_what_was_told_is_said_and_only_what_was_not_is_denied() -> None:
    for one in made(400):
        if one.kind == "not told":
            assert one.good == UNKNOWN != one.bad
        elif one.kind == "told":
            assert one.bad == UNKNOWN != one.good
        else:
            assert UNKNOWN not in (one.good, one.bad)


def test_the_newer_note_is_right() -> None:
    for one in made(400):
        if one.kind == "newer":
            # The two answers part where the values do; the bad one's value stands further above.
            notes = one.prompt[-1].content.split("\n\n")[0].split("\n")
            tails = [
                {word.strip(".,:;()") for word in text.split()} for text in (one.good, one.bad)
            ]
            places = [
                max(
                    (i for i, note in enumerate(notes) if only and all(w in note for w in only)),
                    default=None,
                )
                for only in (tails[0] - tails[1], tails[1] - tails[0])
            ]
            if None not in places:
                assert places[0] > places[1], one


def test_suggestions_are_of_the_half_to_learn_with() -> None:
    examples = {
        side: {
            text.lower()
            for matter in (*TASTES[side], *LIMITS[side])
            for text in (
                (*matter.good, *matter.bad)
                if isinstance(matter, Limit)
                else itertools.chain(*matter.kinds.values())
            )
        }
        for side in ("train", "test")
    }
    for one in made(300):
        if one.kind == "suggestion":
            for answer in (one.good, one.bad):
                held = [text for text in examples["train"] if text in answer.lower()]
                assert held, answer
            assert any(
                one.good.lower().startswith(t.split("{e}")[0].lower()) for t in SUGGESTIONS["train"]
            )


def test_as_many_pairs_as_tokens_allow() -> None:
    few, more = (len(list(PairMaker(count).pairs(n))) for n in (2_000, 20_000))
    assert 5 < few < more
