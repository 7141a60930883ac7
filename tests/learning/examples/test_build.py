"""Which records become which examples, and that nothing but their content decides."""

from __future__ import annotations

import random

import pytest

from ondevice.evaluation.evaluate import records_in_scope
from ondevice.learning.examples.build import build
from ondevice.learning.examples.duplicates import distinct
from ondevice.learning.examples.notes import questions_for, to_person
from ondevice.learning.examples.selection import select
from ondevice.store.records import NewPassage

DAY = 86_400.0
NOTES = [
    f"The {thing} in the {place} has given up again, and of course it chose a {day} to do it."
    for thing, place, day in [
        ("kettle", "kitchen", "Sunday"), ("lamp", "cellar", "feast"), ("gate", "garden", "Monday"),
        ("clock", "hall", "birthday"), ("tap", "bathroom", "market day"),
    ]
]  # fmt: skip


def records_of(profile, scope=None):
    return records_in_scope(profile, scope)


def examples(profile, scope=None):
    return build(select(records_of(profile, scope)))


def contents(made):
    return [(e.kind, e.key, [m.content for m in e.messages]) for e in made.examples], [
        (p.key, p.chosen, p.rejected) for p in made.preferences
    ]


def texts(made):
    learned = [e.messages[i].content for e in made.examples for i in e.learned]
    return "\n".join([*learned, *(p.chosen for p in made.preferences)])


def shown(made):
    """Everything that enters training, contexts and rejected answers too."""
    parts = [m.content for e in made.examples for m in e.messages]
    for pair in made.preferences:
        parts += [*(m.content for m in pair.prompt), pair.chosen, pair.rejected]
    return "\n".join(parts)


def fill(profile, order):
    """Store the same content in the order that `order` shuffles to, with pauses of other ids."""
    jobs = []
    for place, note in enumerate(NOTES):
        jobs.append(lambda n=note, d=place: passage(profile, n, time=d * DAY))
    for fact in ("The user lives in Ulm.", "The user's dog is called Biscuit.",
                 "The user hates phone calls."):  # fmt: skip
        jobs.append(lambda f=fact: profile.facts.add(f, time=DAY))
    jobs.append(lambda: conversation(profile))
    order.shuffle(jobs)
    for job in jobs:
        job()


def passage(profile, text, **options):
    source = profile.sources.add("import", "note")
    return profile.passages.add(source.id, [NewPassage(text, **options)])[0]


def conversation(profile):
    talk = profile.turns.new_conversation()
    ask = profile.turns.add(talk, "user", "So what is my dog called, then?", time=DAY)
    answer = profile.turns.add(talk, "assistant", "Rex, I think.", time=DAY)
    profile.feedback.add(answer.id, "edit", "Biscuit. As ever.")
    more = profile.turns.add(talk, "user", "Right, that was not so hard.", time=DAY)
    return ask, answer, more


def test_order_and_ids_decide_nothing(home, profile):
    from ondevice.store.profile import Profile

    fill(profile, random.Random(1))
    with Profile.create(home, "other") as other:
        fill(other, random.Random(2))
        assert contents(examples(profile)) == contents(examples(other))
        assert set(examples(profile).records).isdisjoint(examples(other).records)


def test_after_forgetting_it_is_as_if_never_seen(home, profile):
    from ondevice.store.profile import Profile

    with Profile.create(home, "other") as other:
        for one in (profile, other):
            fill(one, random.Random(3))
        gone = [
            passage(profile, "The oven in the studio has given up too, on a Friday as ever.",
                    time=DAY).id,
            profile.facts.add("The user plays the oboe.", time=DAY).id,
            profile.turns.add(
                profile.turns.new_conversation(), "user", "I do play the oboe, you know.",
                time=DAY).id,
        ]  # fmt: skip
        assert "oboe" in texts(examples(profile))
        profile.forget(gone)
        assert contents(examples(profile)) == contents(examples(other))


def test_every_kind_lists_what_it_came_from(profile):
    fact = profile.facts.add("The user's dog is called Biscuit.")
    ask, answer, more = conversation(profile)
    for note in NOTES:
        passage(profile, note)
    made = examples(profile)
    by_kind = {kind: [e for e in made.examples if e.kind == kind] for kind in made.counts}
    assert all(made.counts[kind] for kind in ("style", "fact", "write", "answer", "replay"))
    assert all(e.records == () for e in by_kind["replay"])
    assert all(fact.id in e.records for e in by_kind["fact"])
    (verdict,) = profile.feedback.all()
    assert set(by_kind["answer"][0].records) == {ask.id, answer.id, verdict.id}
    (pair,) = made.preferences
    assert (pair.chosen, pair.rejected) == ("Biscuit. As ever.", "Rex, I think.")
    (turn,) = [e for e in made.examples if e.messages[-1].content == more.text]
    assert set(turn.records) == {ask.id, answer.id, more.id}
    assert turn.learned == (len(turn.messages) - 1,)
    assert set(made.records) == {r for e in made.examples for r in e.records}


def test_the_models_own_words_are_learned_only_when_wanted(profile):
    talk = profile.turns.new_conversation()
    for verdict, said in (("accept", "good answer here"), ("reject", "bad answer here"),
                          (None, "unjudged answer here")):  # fmt: skip
        profile.turns.add(talk, "user", f"What do you say to my {said}?")
        answer = profile.turns.add(talk, "assistant", said)
        if verdict:
            profile.feedback.add(answer.id, verdict)
    learned = texts(examples(profile)).splitlines()
    assert "good answer here" in learned
    assert "bad answer here" not in learned
    assert "unjudged answer here" not in learned


def test_a_rejected_answer_is_paired_with_an_accepted_one_to_the_same_question(profile):
    for verdict, said in (("reject", "No idea."), ("accept", "Water them at dusk.")):
        talk = profile.turns.new_conversation()
        profile.turns.add(talk, "user", "When should I water the beans?")
        profile.feedback.add(profile.turns.add(talk, "assistant", said).id, verdict)
    (pair,) = examples(profile).preferences
    assert (pair.chosen, pair.rejected) == ("Water them at dusk.", "No idea.")


def test_what_must_not_be_learned_is_not(profile):
    profile.facts.add("The user owns a zeppelin.", state="pending")
    profile.facts.add("The user owns a submarine.", learn=False)
    profile.facts.add("The user's wifi password is xylophone.")
    old = profile.facts.add("The user owns a gyrocopter.")
    profile.facts.add("The user owns a barge.", supersedes=[old.id])
    profile.facts.add("The user owns a tram.", scope="work")
    passage(profile, "Bob here: I really do prefer hovercrafts to most people.", speaker="Bob")
    passage(profile, "My card is 4111 1111 1111 1111. The unicycle is mine, though.")
    passage(profile, "Call me about the dinghy on +49 170 1234567.")
    seen = shown(examples(profile))
    for word in ("zeppelin", "submarine", "xylophone", "gyrocopter", "tram", "hovercraft", "4111",
                 "dinghy", "170"):  # fmt: skip
        assert word not in seen, word
    assert "barge" in seen
    assert "unicycle" in seen
    work = shown(examples(profile, "work"))
    assert "tram" in work
    assert "barge" in work


def test_sensitive_turns_are_no_context_either(profile):
    talk = profile.turns.new_conversation()
    profile.turns.add(talk, "user", "My password is xylophone, remember that.")
    profile.turns.add(talk, "assistant", "Noted.")
    profile.turns.add(talk, "user", "Good, now tell me about slugs.")
    made = examples(profile)
    assert "xylophone" not in shown(made)
    assert "slugs" in texts(made)


def test_nothing_kept_back_is_in_an_example(profile):
    from ondevice.evaluation.split import split

    talk = profile.turns.new_conversation()
    for day in range(30):
        profile.turns.add(talk, "user", f"On day {day} I counted {day * 7} very small snails.",
                         time=day * DAY)  # fmt: skip
        profile.turns.add(talk, "assistant", f"That is {day * 7}.", time=day * DAY)
    records = records_of(profile)
    held_out = set(split(records).held_out)
    made = build(select(records))
    assert held_out
    assert held_out.isdisjoint(made.records)
    kept_back = next(r for r in records if r.id in held_out and r.text.startswith("On"))
    assert kept_back.text not in shown(made)


@pytest.mark.parametrize("extra", ["", " Really.", " That is that."])
def test_near_duplicates_are_learned_once(extra):
    kept = distinct({"a": NOTES[0], "b": NOTES[0] + extra, "c": NOTES[1]})
    assert len(kept) == 2
    assert sum(len(keys) for keys in kept.values()) == (3 if not extra else 2)


def test_notes_become_answers_to_the_person():
    assert to_person("The user's dog is called Biscuit.") == "Your dog is called Biscuit."
    assert to_person("The user lives in Ulm with their cat.") == "You live in Ulm with your cat."
    assert to_person("Ich mag kurze Antworten") == "You told me: Ich mag kurze Antworten."
    assert "Where do I live?" not in questions_for("The user lives in Ulm.", None)
    assert all(q.endswith(("?", ".")) for q in questions_for("The user mends old radios.", None))
