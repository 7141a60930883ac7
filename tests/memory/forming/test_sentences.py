"""Which sentences of a text may be the person's own words about themselves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ondevice.memory.forming.sentences import MAX_LENGTH, Kind, own_text, sentences


def told(text: str, kind: Kind = Kind.TURN) -> list[str]:
    return [one.text for one in sentences(text, kind)]


def test_a_text_is_cut_at_sentences_and_lines_of_any_script() -> None:
    lines = "I saw Dr. Weber today. My knee is fine!\n- I row at 6.30 a lot\n2) no gluten\n"
    text = lines + "犬が好きです。東京に住んでいます。"
    assert told(text) == [
        "I saw Dr. Weber today.", "My knee is fine!", "I row at 6.30 a lot", "no gluten",
        "犬が好きです。", "東京に住んでいます。",
    ]  # fmt: skip


def test_who_he_is_stands_in_the_sentence_before() -> None:
    found = sentences("My son is called Emil. He's allergic to nuts.\n\nHe who laughs.", Kind.NOTE)
    assert [one.told for one in found] == [
        "My son is called Emil.",
        "My son is called Emil. He's allergic to nuts.",
        "He who laughs.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Here is my friend's cover letter:\nMy name is Bob Jones. I work at Acme.",
        "Email from Ben:\nHi, I am Ben. I live in Oslo.",
        "Shorten this please:\n\nI am a widow.\n\nI live in Rome.",
        "From: Ben <ben@example.org>\nTo: me\nSubject: hello\n\nI live in Oslo.",
        "Dear Ms Weber,\nI am allergic to nuts.",
        "Liebe Anna,\nich wohne in Graz.",
        "Hi Anna,\nI moved to Oslo.\nBest,\nBen",
        "### Task:\nMake a title.\n### Chat History:\nI live in Oslo.",
        "<context>\nI live in Oslo.\n</context>",
        "```\nI live in Oslo.\n```",
        "> I live in Oslo.",
        "assistant: I am a model.\nI live in the cloud.",
        "[31.12.23, 10:05] Ben: I live in Oslo.\n[31.12.23, 10:06] Ida: I live in Rome.",
        "- [ ] call the dentist",
        "Use the following text to answer.\n\nI live in Oslo.",
        "Anna lives in Oslo.\nI am Anna.\n\nQuestion: where do I live?",
        "user: I live in Oslo\nassistant: nice\nuser: it is",
    ],
)
def test_what_others_wrote_is_left_out(text: str) -> None:
    assert told(text) == []
    assert "Oslo" not in own_text(text, Kind.TURN)


def test_what_stands_before_what_was_pasted_is_the_persons() -> None:
    text = "I'm a nurse in Ghent.\n\nImprove this letter:\nDear Tom,\nI am a pilot."
    assert told(text) == ["I'm a nurse in Ghent."]


def test_a_list_about_oneself_is_introduced_too() -> None:
    assert told("A few things about me:\n- vegan since 2010\n- two cats") == [
        "vegan since 2010", "two cats",
    ]  # fmt: skip


def test_notes_have_headings_and_letters_that_may_be_their_owners() -> None:
    found = sentences(
        "# Health\nHere is a list:\nno gluten\n\nDear Tom,\nI live in Rome.", Kind.NOTE
    )
    assert [(one.text, one.pasted) for one in found][1] == ("no gluten", False)
    assert found[-1].text == "I live in Rome." and found[-1].pasted
    own_mail = sentences("Dear Ms Weber,\nI live in Rome.", Kind.MESSAGE)
    assert [(one.text, one.pasted) for one in own_mail][-1] == ("I live in Rome.", False)
    assert told("Dear diary,\nI live in Rome.", Kind.NOTE)[-1] == "I live in Rome."


def test_my_lines_of_a_chat_are_mine() -> None:
    text = "me: I live in Rome.\nBen: I live in Oslo.\nme: nice to know"
    assert told(text) == ["I live in Rome.", "nice to know"]


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=600), st.sampled_from(list(Kind)))
def test_every_text_gives_sentences_of_bounded_length(text: str, kind: Kind) -> None:
    for one in sentences(text, kind):
        assert 0 < len(one.text) <= MAX_LENGTH


def test_a_huge_text_takes_no_time() -> None:
    for piece in ("I am here. ", "a", "* _ ", "<a>", "> > ", "(", "Ben: hi\n", "1/1/1 "):
        sentences(piece * 100_000, Kind.TURN)
