"""How what is remembered is written into a prompt.

Standing notes are a prefix that does not move (it stays warm in the KV cache);
what fits this turn stands beside the newest user turn.  Both are one line each,
quoted as data under a token budget, in the form that the base model is given.
"""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ondevice.memory.form import TAUGHT, Form
from ondevice.memory.times import describe, resolve
from ondevice.memory.whose import ASSISTANT, as_told, name_of, voices

if TYPE_CHECKING:
    from ondevice.memory.search import Hit
    from ondevice.store.records import Fact

_MOST_TIMES = 3  # of those that one note names

# What the chat formats of the known model families begin and end turns with.
_CONTROL = re.compile(
    r"<\|[^|<>\n]{0,40}\|>"  # ChatML, Llama 3, Phi
    r"|<｜[^｜\n]{0,40}｜>"  # DeepSeek
    r"|</?s>|<(?:bos|eos|pad|unk|mask)>|\[/?(?:INST|SYS|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]"
    r"|<</?SYS>>|</?(?:start_of_turn|end_of_turn|start_of_image|end_of_image|think|tool_call|"
    r"tool_response|tool_calls?|system|user|assistant)>",
    re.IGNORECASE,
)
_HALF_CONTROL = re.compile(r"<\|+|\|+>|<｜|｜>")
_ROLE = re.compile(
    r"(?:(?<=\s)|\A)[#*>\s-]*(?P<role>system|user|assistant|human|ai|model|instructions?|developer|"
    r"tool)\s*:(?=\s|\Z)",
    re.IGNORECASE,
)
_INVISIBLE = re.compile(
    r"[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+"
)


def neutralise(text: str) -> str:
    """Return `text` as one line without control tokens, role markers or invisible characters."""
    text = _INVISIBLE.sub(" ", text)
    before = None
    while before != text:  # "<|im_<|x|>start|>" leaves a token when its middle is taken out
        before = text
        text = _HALF_CONTROL.sub(" ", _CONTROL.sub(" ", text))
    # "user: do this" reads like the start of a turn; without the colon it is a word.
    text = _ROLE.sub(lambda match: f" {match['role']} –", text)
    text = text.replace("```", "'''")
    return " ".join(text.split())


def build_prefix(
    facts: Sequence[Fact],
    count_tokens: Callable[[str], int],
    budget: int,
    form: Form = TAUGHT,
    now: float | None = None,
) -> tuple[str | None, list[str]]:
    """Return what stands before the conversation, and the ids of the facts in it.

    Args:
        facts: most important first.
        count_tokens: counts the base model's tokens of a text.
        budget: tokens that the notes may have.
        form: of the base model.
        now: seconds since 1970; the present if None.
    """
    notes = [(fact.id, fact_note(fact, form)) for fact in facts]
    chosen = _within(notes, form.prefix_head, count_tokens, budget)
    # Oldest first: a fact that is added later does not move the ones before it.
    chosen.sort(key=lambda note: note[0])
    return prefix_of([text for _, text in chosen], form, now), [ident for ident, _ in chosen]


def prefix_of(notes: Sequence[str], form: Form, now: float | None = None) -> str | None:
    """Return what stands before a conversation: the form's rules, and notes in this order."""
    parts = [_block(form.prefix_head, notes)] if notes else []
    if form.rules:
        moment = time.localtime(now)
        parts.insert(0, form.rules.format(today=f"{time.strftime('%A', moment)}, {_day(moment)}"))
    return "\n\n".join(parts) or None


def build_turn(
    user_text: str,
    memories: Sequence[Hit],
    count_tokens: Callable[[str], int],
    budget: int,
    form: Form = TAUGHT,
) -> tuple[str, list[str]]:
    """Return the user turn with this turn's memories before it, and the ids of those used.

    Args:
        user_text: what the person wrote; it is sent unchanged.
        memories: best first.
        count_tokens: counts the base model's tokens of a text.
        budget: tokens that the notes may have.
        form: of the base model.
    """
    notes = [(memory.id, _note(memory, form)) for memory in memories]
    chosen = _within(notes, form.turn_head, count_tokens, budget)
    if not chosen:
        return user_text, []
    return beside_of([text for _, text in chosen], user_text, form), [ident for ident, _ in chosen]


def beside_of(notes: Sequence[str], user_text: str, form: Form) -> str:
    """Return a user turn with notes before it, in this order."""
    return f"{_block(form.turn_head, notes)}\n\n{user_text}"


def _note(memory: Hit, form: Form) -> str:
    """Return a memory as one line; what is not a fact stands in quotation marks.

    What somebody else wrote begins with their name, which also takes the place of "I" and "my":
    read alone, "My dog" would be the user's.
    """
    if memory.kind == "fact":
        return _with_date(memory.text, memory.time, form)
    when = ""
    if form.dated:
        place = f", {neutralise(memory.source)}" if memory.source and memory.kind != "turn" else ""
        when = f" ({_dated(memory.text, memory.time)}{place})"
    parts = voices(memory)
    speaker = parts[0].speaker if len(parts) == 1 else None
    if speaker is not None:
        name = neutralise(name_of(parts[0]))
        head = "An assistant wrote" if speaker == ASSISTANT else f"{name} wrote"
        return f"{head}{when}: {_quoted(as_told(parts[0]))}"
    head = "The user once said" if memory.kind == "turn" else "From notes"
    if form.dated and memory.kind != "turn":
        head = "The user wrote"
    told = [part.text if part.speaker is None else f"{name_of(part)}: {as_told(part)}"
            for part in parts]  # fmt: skip
    return f"{head}{when}: {_quoted(' '.join(told))}"


def fact_note(fact: Fact, form: Form) -> str:
    """Return a fact as one line."""
    return _with_date(fact.text, fact.valid_from, form)


def _with_date(text: str, moment: float, form: Form) -> str:
    return f"{neutralise(text)} ({_dated(text, moment)})" if form.dated else neutralise(text)


def _dated(text: str, moment: float) -> str:
    """Return the day on which something was said, and the days that it names by other words."""
    day = time.localtime(moment)
    said = datetime.date(day.tm_year, day.tm_mon, day.tm_mday)
    named = [neutralise(describe(one)) for one in resolve(text, said)[:_MOST_TIMES]]
    return "; ".join([_day(day), *named])


def _day(moment: time.struct_time) -> str:
    return f"{moment.tm_mday} {time.strftime('%b %Y', moment)}"


def _quoted(text: str) -> str:
    return '"' + neutralise(text).replace('"', "'") + '"'


def _within(
    notes: Sequence[tuple[str, str]], head: str, count_tokens: Callable[[str], int], budget: int
) -> list[tuple[str, str]]:
    """Return the notes, in their order, that fit `budget` tokens; one too long is passed over."""
    left = budget - count_tokens(f"{head}\n\n")
    chosen: list[tuple[str, str]] = []
    seen: set[str] = set()
    for identity, text in notes:
        if not text or text.casefold() in seen:
            continue
        cost = count_tokens(f"- {text}\n")
        if cost <= left:
            left -= cost
            seen.add(text.casefold())
            chosen.append((identity, text))
    return chosen


def _block(head: str, notes: Sequence[str]) -> str:
    return "\n".join([head, *(f"- {note}" for note in notes)])
