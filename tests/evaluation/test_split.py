import dataclasses
import random

from hypothesis import given
from hypothesis import strategies as st

from ondevice.evaluation.split import SplitSettings, split
from ondevice.store.records import AnyRecord, Fact, Feedback, Passage, Turn

DAY = 86_400.0


def passage(
    i: int, *, day: float | None = None, text: str | None = None, **more: object
) -> Passage:
    return Passage(
        f"p{i:03d}",
        "source",
        text or f"Note number {i} about the garden",
        i,
        DAY * (i if day is None else day),
        None,
        None,
        **more,  # type: ignore[arg-type]
    )


def turn(i: int, role: str, text: str, day: float = 0.0, conversation: str = "c") -> Turn:
    return Turn(f"t{i:03d}", conversation, role, text, DAY * day, conversation, (), position=i)


def fact(i: int, *, source: str | None = None, day: float = 0.0, state: str = "active") -> Fact:
    return Fact(
        f"f{i:03d}", f"The user likes thing {i}.", "preference", None, state, source, DAY * day,
        DAY * day, None, False, None, True, None,
    )  # fmt: skip


def test_the_newest_share_is_kept_back() -> None:
    result = split([passage(i) for i in range(50)])
    assert result.held_out == tuple(f"p{i:03d}" for i in range(40, 50))
    assert result.training == tuple(f"p{i:03d}" for i in range(40))


def test_nothing_is_kept_back_of_little_and_not_too_much_of_a_lot() -> None:
    assert split([passage(i) for i in range(19)]).held_out == ()
    assert len(split([passage(i) for i in range(3000)]).held_out) == SplitSettings().most
    assert split([]) == ((), ())


@given(st.randoms(use_true_random=False), st.integers(0, 59))
def test_ids_order_and_what_was_forgotten_leave_no_trace(
    rng: random.Random, forgotten: int
) -> None:
    """A profile that forgot a record splits the rest as one that never had it, whatever the ids."""
    records = [passage(i, day=rng.randrange(4)) for i in range(60)]
    never = [r for i, r in enumerate(records) if i != forgotten]
    names = [f"q{i}" for i in range(len(never))]
    rng.shuffle(names)
    renamed = [dataclasses.replace(r, id=name) for r, name in zip(never, names, strict=True)]
    rng.shuffle(renamed)
    text_of = {r.id: r.text for r in (*never, *renamed)}
    first, second = split(never), split(renamed)
    assert [text_of[i] for i in first.training] == [text_of[i] for i in second.training]
    assert [text_of[i] for i in first.held_out] == [text_of[i] for i in second.held_out]
    assert len(first.held_out) == 12


def test_without_different_days_the_content_decides() -> None:
    texts = [passage(i, day=7 + i / 1000) for i in range(100)]
    later = [dataclasses.replace(p, time=p.time + 3 * DAY) for p in texts]
    result = split(texts)
    assert result == split(later)
    assert result.held_out != tuple(sorted(result.held_out)[-20:])
    assert len(result.held_out) == 20


def test_equal_texts_stay_together_and_are_as_old_as_the_oldest() -> None:
    texts: list[AnyRecord] = [passage(i) for i in range(50)]
    texts.append(passage(900, text="note NUMBER 0, about the garden!", day=60))
    texts.append(passage(901, text="Note number 49 about the garden.", day=61))
    result = split(texts)
    assert "p900" in result.training
    assert {"p049", "p901"} <= set(result.held_out)


def test_what_was_made_of_a_text_goes_with_it() -> None:
    records: list[AnyRecord] = []
    for i in range(40):
        records.append(turn(2 * i, "user", f"Question {i}", day=i))
        records.append(turn(2 * i + 1, "assistant", f"Answer {i}", day=i))
    records.append(Feedback("old", "t001", "accept", None, 80 * DAY))
    records.append(Feedback("new", "t079", "edit", "Better", 80 * DAY))
    records.append(fact(1, source="c", day=5.1))
    records.append(fact(2, source="c", day=39.1))
    records.append(fact(3, day=39.1))
    training, held_out = (set(part) for part in split(records))
    assert {"t000", "t001", "old", "f001", "f003"} <= training
    assert {"t078", "t079", "new", "f002"} <= held_out


def test_a_kept_back_verdict_takes_its_answer_along() -> None:
    records: list[AnyRecord] = []
    for i in range(30):
        records.append(turn(2 * i, "user", "Same question again?", day=i))
        records.append(turn(2 * i + 1, "assistant", f"Answer {i}", day=i))
        records.append(Feedback(f"v{i:02d}", f"t{2 * i + 1:03d}", "edit", f"Text {i}", i * DAY))
    _, held_out = split(records)
    assert set(held_out) == {f"v{i}" for i in range(24, 30)} | {
        f"t{2 * i + 1:03d}" for i in range(24, 30)
    }


def test_what_must_not_be_learned_is_in_neither_part() -> None:
    records: list[AnyRecord] = [passage(i) for i in range(30)]
    records += [
        passage(800, learn=False),
        dataclasses.replace(passage(801), speaker="Robin"),
        fact(1, state="pending"),
        fact(2, state="superseded"),
        turn(0, "system", "Be brief."),
    ]
    known = {i for part in split(records) for i in part}
    assert known == {f"p{i:03d}" for i in range(30)}
