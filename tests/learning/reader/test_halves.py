"""What a reader learns from and what it is measured on share nothing."""

import random
import re

from ondevice.learning.reader import words
from ondevice.learning.reader.preferences import DISLIKES, LIKES, LIMITS, SUGGESTIONS, TASTES, Taste
from ondevice.learning.reader.requests import NEUTRAL, ORDER_WORDS, ORDERS, PASSAGES
from ondevice.learning.reader.topics import TOPICS, Topics

LEARNED, HELD_OUT = TOPICS["train"], TOPICS["test"]


def templates(half: Topics) -> set[str]:
    found = {t for a in half.attributes for t in (*a.states, *a.asks, *a.hints)}
    return found | set(half.changes) | set(half.told) | set(half.told_changed) | set(half.noted)


def preference_texts(split: words.Split) -> set[str]:
    found = {*LIKES[split], *DISLIKES[split], *SUGGESTIONS[split]}
    for matter in (*TASTES[split], *LIMITS[split]):
        found |= {matter.key, *matter.requests}
        if isinstance(matter, Taste):
            found |= {*matter.kinds, *(e for kind in matter.kinds.values() for e in kind)}
        else:
            found |= {*matter.states, *matter.good, *matter.bad}
    return found


def test_topics_templates_and_relations_are_disjoint() -> None:
    assert not {a.key for a in LEARNED.attributes} & {a.key for a in HELD_OUT.attributes}
    assert not templates(LEARNED) & templates(HELD_OUT)
    assert not set(LEARNED.relations) & set(HELD_OUT.relations)
    wrapped = {*LEARNED.carriers} & {*HELD_OUT.carriers}
    assert wrapped == {"{Q}"}  # the question by itself


def test_values_are_disjoint() -> None:
    for kind, pool in words.POOLS.items():
        low = [{value.lower() for value in pool[split]} for split in words.SPLITS]
        assert low[0] and low[1] and not low[0] & low[1], kind
    names = [
        set(words.POOLS["person"][split]) | set(words.POOLS["pet"][split]) for split in words.SPLITS
    ]
    assert not names[0] & names[1]


def test_made_values_are_disjoint() -> None:
    kinds = {a.kind for half in (LEARNED, HELD_OUT) for a in half.attributes}
    for kind in kinds - set(words.POOLS):
        made = [
            {words.value(kind, split, random.Random(f"{split} {i}")) for i in range(400)}
            for split in words.SPLITS
        ]
        assert not made[0] & made[1], kind
        assert len(made[1]) > 2, kind


def test_preferences_and_requests_are_disjoint() -> None:
    assert not preference_texts("train") & preference_texts("test")
    for pool in (NEUTRAL, ORDERS, ORDER_WORDS, PASSAGES):
        assert not {t.lower() for t in pool["train"]} & {t.lower() for t in pool["test"]}


def test_templates_have_only_known_places() -> None:
    known = {"{s}", "{m}", "{p}", "{x}"}
    for half in (LEARNED, HELD_OUT):
        for one in half.attributes:
            for template in (*one.states, *one.asks, *one.hints):
                assert set(re.findall(r"\{[^}]*\}", template)) <= known, template
            assert all("{x}" in state for state in one.states), one.key
            assert len(one.asks) >= 2 and not any("{x}" in t for t in (*one.asks, *one.hints))
