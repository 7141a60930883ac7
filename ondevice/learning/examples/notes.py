"""Notes about the person turned to "you", and the questions that they answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ondevice.evaluation.questions import question_for
from ondevice.memory.fact_rules import JOB
from ondevice.memory.third_person import first_person, sentence


@dataclass(frozen=True)
class _Form:
    """A form that notes take, the questions it answers, and how the person would say it."""

    note: re.Pattern[str]
    questions: tuple[str, ...]


def _form(note: str, *questions: str) -> _Form:
    return _Form(re.compile(note + r"\.?\Z", re.IGNORECASE), questions)


# The first form that fits counts. `{x}` and `{n}` are what the note's groups hold.
_FORMS = (
    _form(r"the user's name is (?P<x>.+)", "Who am I?", "What am I called?"),
    _form(r"the user's (?P<n>[^.]+?) (?:is|are) (?:called|named) (?P<x>.+)",
          "What is the name of my {n}?", "Do you remember my {n}?", "How is my {n} called?"),
    _form(r"the user has (?:an? )?(?P<n>[^.]+?) (?:called|named) (?P<x>.+)",
          "What is the name of my {n}?", "Do I have a {n}?", "How is my {n} called?"),
    _form(r"the user's birthday is (?:on )?(?P<x>.+)",
          "On which day is my birthday?", "When do I celebrate my birthday?"),
    _form(r"the user's favou?rite (?P<n>[^.]+?) (?:is|are) (?P<x>.+)",
          "Which {n} do I like best?", "Do you know my favourite {n}?"),
    _form(r"the user's (?P<n>[^.]+?) (?:is|are) (?P<x>.+)",
          "What do you know about my {n}?", "Tell me about my {n}."),
    _form(r"the user lives in (?P<x>.+)", "Which place do I live in?", "Where is my home?"),
    _form(r"the user was born (?P<p>in|on) (?P<x>.+)",
          "Where or when was I born?", "What do you know about my birth?"),
    _form(r"the user is from (?P<x>.+)", "Where do I come from?", "What is my home?"),
    _form(r"the user grew up in (?P<x>.+)",
          "Where was I as a child?", "In which place did I grow up?"),
    _form(r"the user (?:works as|is) an? (?P<x>" + JOB + ")",
          "What do I do for a living?", "What do I work as?", "What is my profession?"),
    _form(r"the user works as (?P<x>.+)", "What do I do for a living?", "What do I work as?"),
    _form(r"the user works (?:at|for|in) (?P<x>.+)",
          "Where do I work?", "What do you know about my work?"),
    _form(r"the user (?:studies|is studying) (?P<x>.+)",
          "What is my subject?", "Which subject do I study?"),
    _form(r"the user is learning (?P<x>.+)",
          "What am I learning?", "What am I trying to get better at?"),
    _form(r"the user speaks (?P<x>.+)", "Which languages do I know?", "What do I speak?"),
    _form(r"the user plays (?P<x>.+)", "What is it that I play?", "Do I play anything?"),
    _form(r"the user drives (?P<x>.+)", "Which vehicle is mine?", "What do I get around in?"),
    _form(r"the user is married to (?P<x>.+)", "Who is my spouse?", "Am I married?"),
    _form(r"the user is allergic to (?P<x>.+)",
          "Do I have an allergy?", "What must I keep away from?"),
    _form(r"the user is (?P<x>\S+) years old", "What is my age?", "Do you know how old I am?"),
    _form(r"the user (?:likes|loves|enjoys|prefers|hates|dislikes|can't stand|doesn't like) "
          r"(?P<x>.+)", "What do I think of {x}?", "Do I like {x}?"),
    _form(r"the user (?:never )?(?:eats|drinks) (?P<x>.+)", "Do I have {x}?", "What about {x}?"),
    _form(r"the user is (?P<x>an? .+)", "What am I?", "What kind of person am I?"),
)  # fmt: skip

_YOU = (
    (r"\bI am\b", "you are"), (r"\bI'm\b", "you're"), (r"\bI was\b", "you were"),
    (r"\bam I\b", "are you"), (r"\bI\b", "you"), (r"\bmy\b", "your"), (r"\bmine\b", "yours"),
    (r"\bmyself\b", "yourself"), (r"\bme\b", "you"), (r"\bthe user\b", "you"),
)  # fmt: skip


def to_person(note: str) -> str:
    """Return a note ("The user lives in Ulm.") as an answer to the person: "You live in Ulm."."""
    text = first_person(note)
    if text == note and not re.search(r"\b(?:I|my|me)\b", note, re.IGNORECASE):
        return f"You told me: {sentence(note)}"  # in another language, or about something else
    if text != note:  # a note about the person: "their" is theirs
        text = re.sub(r"\btheir\b", "your", text)
    for pattern, you in _YOU:
        text = re.sub(pattern, you, text, flags=re.IGNORECASE)
    return sentence(text)


def questions_for(note: str, subject: str | None) -> tuple[str, ...]:
    """Return questions that the person may ask and `note` answers, the plainest first.

    The wording by which the evaluation asks is not among them: it shall find out what the
    adapter knows, not what it can recite.
    """
    asked = question_for(note).text
    return tuple(question for question in _questions(note, subject) if question != asked)


def _questions(note: str, subject: str | None) -> tuple[str, ...]:
    plain = " ".join(note.replace("’", "'").split())
    for form in _FORMS:
        found = form.note.match(plain)
        if found:
            values = {name: value.rstrip(" .") for name, value in found.groupdict().items()}
            return tuple(question.format(**values) for question in form.questions)
    topic = subject or _topic(plain)
    return (f"What did I tell you about {topic}?", f"What do you know about me and {topic}?")


def _topic(note: str) -> str:
    """Return the longest words of a note, in their order: what it is about."""
    words = [w for w in re.findall(r"[\w'-]{4,}", note) if w.lower() not in ("user", "user's")]
    chosen = set(sorted(dict.fromkeys(words), key=lambda w: (-len(w), w))[:3])
    return " ".join(dict.fromkeys(word for word in words if word in chosen)) or "that"
