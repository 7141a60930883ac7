"""What a reader learns from and what it is measured on share nothing."""

import random
import re

from ondevice.learning.reader import held_out_topics, topics, words
from ondevice.learning.reader.preferences import DISLIKES, LIKES, LIMITS, SUGGESTIONS, TASTES, Taste
from ondevice.learning.reader.requests import NEUTRAL, ORDER_WORDS, ORDERS, PASSAGES


def templates(half):
    found = {t for a in half.ATTRIBUTES for t in (*a.states, *a.asks, *a.hints)}
    return found | set(half.CHANGES) | set(half.TOLD) | set(half.TOLD_CHANGED) | set(half.NOTED)


def preference_texts(split):
    found = {*LIKES[split], *DISLIKES[split], *SUGGESTIONS[split]}
    for matter in (*TASTES[split], *LIMITS[split]):
        found |= {matter.key, *matter.requests}
        if isinstance(matter, Taste):
            found |= {*matter.kinds, *(e for kind in matter.kinds.values() for e in kind)}
        else:
            found |= {*matter.states, *matter.good, *matter.bad}
    return found


def test_topics_templates_and_relations_are_disjoint() -> None:
    assert not {a.key for a in topics.ATTRIBUTES} & {a.key for a in held_out_topics.ATTRIBUTES}
    assert not templates(topics) & templates(held_out_topics)
    assert not set(topics.RELATIONS) & set(held_out_topics.RELATIONS)
    wrapped = {*topics.CARRIERS} & {*held_out_topics.CARRIERS}
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
    kinds = {a.kind for half in (topics, held_out_topics) for a in half.ATTRIBUTES}
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
    for half in (topics, held_out_topics):
        for one in half.ATTRIBUTES:
            for template in (*one.states, *one.asks, *one.hints):
                assert set(re.findall(r"\{[^}]*\}", template)) <= known, template
            assert all("{x}" in state for state in one.states), one.key
            assert len(one.asks) >= 2 and not any("{x}" in t for t in (*one.asks, *one.hints))
