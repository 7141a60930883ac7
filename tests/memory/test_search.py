"""Hybrid search over a real encrypted profile with the real embedder."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from memories import add_text

from ondevice.errors import ProfileError
from ondevice.home import Home
from ondevice.memory.embedders.protocol import Embedder
from ondevice.memory.embedding import embedded
from ondevice.memory.facts import candidate_for
from ondevice.memory.fusion import Evidence, FusionWeights, fuse
from ondevice.memory.query_terms import query_terms
from ondevice.memory.search import Recall
from ondevice.store.profile import Profile
from ondevice.store.records import ANY_SCOPE, NewPassage


def add_chat(profile: Profile, embedder: Embedder, lines: list[str]) -> list[str]:
    """Import "Speaker: text" lines as one source and return the ids."""
    source = profile.sources.add("import", "chat.jsonl")
    passages = []
    for line in lines:
        speaker, _, text = line.partition(": ")
        passages.append(NewPassage(text=text, speaker=speaker))
    vectors = embedded(embedder, [passage.text for passage in passages])
    return [passage.id for passage in profile.passages.add(source.id, passages, vectors)]


def test_a_fact_is_found_by_other_words_and_says_why(recall: Recall) -> None:
    add_text(recall, "I'm allergic to peanuts.")
    add_text(recall, "I live in Lisbon.")
    best, *_ = recall.search("Which food is dangerous for me?", k=2)
    assert best.text == "The user is allergic to peanuts."
    assert best.kind == "fact"
    assert set(best.reason) == {"bm25", "cosine", "recency", "pinned", "final"}
    assert best.score == pytest.approx(best.reason["final"], abs=1e-3)


def test_an_answer_without_a_word_of_the_question_is_found_by_its_neighbour(
    profile: Profile, recall: Recall, embedder: Embedder
) -> None:
    talk = [f"Ann: I had the number {n} bus to work, nothing special." for n in range(20)]
    talk[10:10] = ["Bob: What did you call the kitten from the shelter?", "Ann: Pickle!"]
    ids = add_chat(profile, embedder, talk)
    found = [memory.id for memory in recall.search("name of the kitten", k=3)]
    assert ids[11] in found


def test_a_named_speaker_is_preferred_to_who_is_only_greeted(
    profile: Profile, recall: Recall, embedder: Embedder
) -> None:
    ids = add_chat(
        profile,
        embedder,
        ["Tom: Nadia, good morning!", "Tom: I am scared of moths.", "Tom: It rains."]
        + ["Nadia: The bus was late."] * 3
        + ["Nadia: I am scared of lifts."],
    )
    assert recall.search("What is Nadia scared of?", k=1)[0].id == ids[-1]
    assert recall.search("What is Tom scared of?", k=1)[0].id == ids[1]


def test_a_superseded_fact_does_not_come_back(recall: Recall, profile: Profile) -> None:
    old = add_text(recall, "I live in Hamburg.")
    assert recall.search("Where do I live?", k=5)
    new = add_text(recall, "I live in Lisbon.")
    assert [memory.id for memory in recall.search("Where do I live?", k=5)] == [new.id]
    assert profile.get(old.id).state == "superseded"  # type: ignore[union-attr]


def test_what_is_replaced_is_told_and_comes_back(recall: Recall, profile: Profile) -> None:
    old = add_text(recall, "I live in Hamburg.")
    kept = recall.keep(candidate_for("I moved from Hamburg to Lisbon."))
    assert [fact.id for fact in kept.replaced] == [old.id]
    assert recall.restore(old.id).state == "active"
    assert {fact.id for fact in profile.facts.all(state="active")} == {old.id, kept.fact.id}
    assert old.id in {memory.id for memory in recall.search("Where do I live?", k=5)}
    with pytest.raises(ProfileError):
        recall.restore(old.id)  # it is active already


def test_what_an_approval_replaces_is_told(recall: Recall) -> None:
    old = add_text(recall, "I am married.")
    waits = recall.add_fact(candidate_for("I am divorced."), state="pending")
    assert recall.would_replace(candidate_for("I am divorced."), None) == (old,)
    assert [fact.id for fact in recall.keep_pending(waits.id).replaced] == [old.id]


def test_a_coarse_subject_of_an_older_version_replaces_nothing(
    recall: Recall, profile: Profile
) -> None:
    intolerant = profile.facts.add("The user is lactose intolerant.", subject="diet")
    vegetarian = profile.facts.add("The user is vegetarian.", subject="diet")
    son = profile.facts.add("The user's son is allergic to nuts.", subject="son")
    spanish = profile.facts.add("The user is learning Spanish.", subject="learning")
    dog = profile.facts.add("The user's dog is called Rex.", subject="dog name")
    for said in ("I am vegan.", "My son is 7.", "I'm learning to cook.", "My dog is called Max."):
        add_text(recall, said)
    states = {fact.id: fact.state for fact in profile.facts.all()}
    assert states[vegetarian.id] == "superseded"
    assert all(states[fact.id] == "active" for fact in (intolerant, son, spanish, dog))


def test_what_no_rule_knows_replaces_nothing(recall: Recall, profile: Profile) -> None:
    add_text(recall, "The bins go out on Tuesdays.")
    add_text(recall, "The bins go out on Fridays.")
    assert len(profile.facts.all(state="active")) == 2


def test_a_statement_said_twice_is_kept_once_and_pinning_survives(recall: Recall) -> None:
    add_text(recall, "The bins go out on Tuesdays.", pinned=True)
    again = add_text(recall, "The bins go out on Tuesdays.")
    assert again.pinned
    assert len(recall.search("bins", k=5)) == 1


def test_pending_facts_and_other_contexts_are_not_found(recall: Recall) -> None:
    add_text(recall, "I love jazz.", state="pending")
    work = add_text(recall, "I prefer tabs to spaces.", scope="work")
    other = add_text(recall, "I prefer tea to coffee.")
    assert [m.id for m in recall.search("what do I prefer", k=5)] == [other.id]
    at_work = {m.id for m in recall.search("what do I prefer", k=5, scope="work")}
    assert at_work == {work.id, other.id}
    assert {m.id for m in recall.search("prefer", k=5, scope=ANY_SCOPE)} == at_work


def test_what_another_context_says_more_often_hides_nothing(
    profile: Profile, recall: Recall, embedder: Embedder
) -> None:
    wanted = add_text(recall, "The dog sleeps in the kitchen since the stove was mended.")
    source = profile.sources.add("import", "kennel", scope="work")
    passages = [NewPassage("dog dog", scope="work") for _ in range(500)]
    profile.passages.add(source.id, passages, embedded(embedder, ["dog dog"]).some([0] * 500))
    assert [memory.id for memory in recall.search("dog", k=3)] == [wanted.id]


def test_facts_of_different_contexts_do_not_supersede_each_other(recall: Recall) -> None:
    add_text(recall, "My name is Jo.", scope="work")
    add_text(recall, "My name is Joanna.")
    assert len(recall.search("name", k=5, scope="work")) == 2


def test_a_forgotten_record_is_gone_from_an_open_search(
    profile: Profile, recall: Recall, embedder: Embedder
) -> None:
    fact = add_text(recall, "My dog is called Biscuit.")
    assert recall.search("dog")
    profile.forget([fact.id])
    assert recall.search("dog") == []
    # What is held in memory must be gone too, found or not.
    assert not np.any(recall._current_index(embedder).matrix @ embedder.embed(["dog"])[0])


def test_what_another_process_writes_or_forgets_is_followed(
    home: Home, profile: Profile, recall: Recall, embedder: Embedder
) -> None:
    add_text(recall, "I live in Lisbon.")
    assert recall.search("Lisbon")
    with Profile.open(home) as other_process:
        fact = add_text(Recall(other_process, embedder), "My dog is called Biscuit.")
        assert recall.search("What is my dog called?", k=1)[0].id == fact.id
        other_process.forget([fact.id])
        assert all(memory.id != fact.id for memory in recall.search("dog called", k=5))


def test_records_left_out_are_not_found_and_lead_nowhere(
    profile: Profile, recall: Recall, embedder: Embedder
) -> None:
    source = profile.sources.add("import", "log")
    texts = [
        "Zebras graze beside the turnstile.",
        "Quarterly figures are due.",
        "Nothing else to report.",
    ]
    made = profile.passages.add(
        source.id, [NewPassage(t) for t in texts], embedded(embedder, texts)
    )
    add_text(recall, "The zebra costume is in the attic.")
    question = "zebras at the turnstile"
    everything = recall.search(question, k=5)
    assert everything[0].id == made[0].id
    without = recall.search(question, k=5, without={made[0].id})
    assert {m.id for m in without} == {m.id for m in everything} - {made[0].id}
    before, after = ({m.id: m.score for m in found} for found in (everything, without))
    assert after[made[1].id] < before[made[1].id]  # its neighbour no longer lends to it


def test_an_edited_fact_is_found_by_its_new_words(recall: Recall) -> None:
    fact = add_text(recall, "I live in Lisbon.")
    recall.edit_fact(fact.id, text="I live in Reykjavik.")
    (found,) = recall.search("Reykjavik", k=1)
    assert found.text == "The user lives in Reykjavik."
    assert found.reason["bm25"] == 1.0


def test_an_empty_profile_or_question_finds_nothing(recall: Recall) -> None:
    assert recall.search("anything") == []
    add_text(recall, "I live in Lisbon.")
    assert recall.search("  ") == []
    assert recall.search("Lisbon", k=0) == []


def test_a_question_of_operators_is_only_words(recall: Recall) -> None:
    add_text(recall, "I live in Lisbon.")
    assert recall.search('" OR NEAR( lisbon* ) AND NOT -"', k=1)[0].text.endswith("Lisbon.")


def test_threads_may_search_while_facts_come_in(recall: Recall) -> None:
    add_text(recall, "My dog is called Biscuit.")

    def work(number: int) -> str:
        add_text(recall, f"Locker {number} holds the {'abcd'[number]} papers.")
        return recall.search("dog Biscuit", k=1)[0].text

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(work, range(4))) == {"The user's dog is called Biscuit."}
    assert len(recall.search("locker papers", k=10)) >= 4


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("What is my dog's name?", ["dog", "name"]),
        ("Who won the war in 1945?", ["won", "war", "1945"]),
        ("Wie heißt mein Hund?", ["hund"]),
        ("¿Cómo se llama mi perro?", ["perro"]),
        ("What is it?", []),
        ("tea or TEA", ["tea"]),
    ],
)
def test_stop_words_of_three_languages_are_left_out(query: str, terms: list[str]) -> None:
    assert query_terms(query) == terms


def test_recency_and_pins_only_raise_what_is_relevant() -> None:
    def column(*values: float) -> np.ndarray:
        return np.array(values, dtype=np.float32)

    none = np.array([3, 3, 3])
    fused = fuse(
        Evidence(
            bm25=column(4, 4, 0),
            cosine=column(0.5, 0.5, 0.0),
            before=none,
            after=none,
            age_days=column(900, 0, 0),
            pinned=column(0, 0, 1),
            speaker=column(0, 0, 0),
        ),
        FusionWeights(),
    )
    assert fused.final[1] > fused.final[0] > 0
    assert fused.final[2] == 0
