"""Phrases of time in the tokens of a text: where they stand and what they mean, not yet which day.

A phrase is matched by the tree of its language; then what belongs together is joined: "until" and
Friday, Tuesday and next week, the 3rd and the 7th of May.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ondevice.memory.times import numeric
from ondevice.memory.times.lexicon import Language, Node
from ondevice.memory.times.tokens import Token

Captures = tuple[tuple[str, str], ...]
# What a number may count in any language, so that it is no day and no year.
_MEASURES = frozenset(
    """km kg cm mm m g l kb mb gb tb px pt kcal eur euro euros usd chf gbp""".split()  # noqa: SIM905
)
_LONGEST = 14  # tokens


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase: its tokens first to last, the meaning its pattern has, and what fills it."""

    first: int
    last: int
    meaning: tuple[str, ...]
    captures: Captures
    relation: str = "at"
    second: Phrase | None = None  # what refines it, or where its range ends
    join: str = ""  # "within" or "to"

    def value(self, slot: str) -> str | None:
        """Return what a slot holds."""
        return next((value for name, value in self.captures if name == slot), None)

    def values(self, slot: str) -> list[str]:
        """Return all that the slots of a name hold, in their order."""
        return [value for name, value in self.captures if name == slot]


class Finder:
    """Finds the phrases of one language in the tokens of one text."""

    def __init__(self, tokens: Sequence[Token], language: Language) -> None:
        """Take the tokens; nothing is matched yet."""
        self._tokens = tokens
        self._language = language
        self._keys: dict[int, list[tuple[str, str]]] = {}

    def phrases(self) -> Iterator[Phrase]:
        """Yield the phrases from left to right; none overlaps another."""
        at = 0
        while at < len(self._tokens):
            phrase = self._joined(at)
            if phrase is None:
                at += 1
                continue
            at = phrase.last + 1
            if phrase.meaning[0] != "none" and not self._is_amount(phrase):
                yield phrase

    def _joined(self, at: int) -> Phrase | None:
        """Return the phrase that begins here, with what belongs to it."""
        phrase = self._with_relation(at)
        if phrase is None or phrase.meaning[0] == "none":
            return phrase
        found = self._range(phrase)
        if found is None and phrase.relation == "start":
            found = self._longest(at)  # "vom Montag" is no range by itself
            return found and self._refined(found)
        return found or self._refined(phrase)

    def _with_relation(self, at: int) -> Phrase | None:
        plain = self._longest(at)
        for end, relation, _ in self._walk(self._language.prefixes, at, ()):
            inner = self._longest(end, prefixed=True)
            if inner is None or inner.meaning[0] == "none":
                continue
            if plain is None or inner.last > plain.last:
                plain = Phrase(at, inner.last, inner.meaning, inner.captures, relation[0])
        return plain

    def _longest(self, at: int, prefixed: bool = False) -> Phrase | None:
        best: Phrase | None = None
        found = list(self._walk(self._language.tree, at, ()))
        if prefixed:
            found += self._walk(self._language.after, at, ())
        for end, meaning, captures in found:
            if best is None or end - 1 > best.last:
                best = Phrase(at, end - 1, meaning, captures)
        if best is None or best.meaning[0] == "none":
            return best
        tails = [end for end, _, _ in self._walk(self._language.tails, best.last + 1, ())]
        last = max(tails, default=best.last + 1) - 1
        return Phrase(best.first, last, best.meaning, best.captures)

    def _walk(
        self, node: Node, at: int, captures: Captures, depth: int = 0
    ) -> Iterator[tuple[int, tuple[str, ...], Captures]]:
        if node.meaning is not None and depth:
            yield at, node.meaning, captures
        free = node.after.get("~")
        if free is not None and free.meaning is not None and self._no_noun(at):
            yield at, free.meaning, captures
        if at >= len(self._tokens) or depth >= _LONGEST:
            return
        for key, value in self._keys_at(at):
            after = node.after.get(key)
            if after is not None:
                more = (*captures, (_slot(key), value)) if value else captures
                yield from self._walk(after, at + 1, more, depth + 1)

    def _keys_at(self, at: int) -> list[tuple[str, str]]:
        keys = self._keys.get(at)
        if keys is None:
            token = self._tokens[at]
            keys = self._language.keys_of(token)
            if token.kind == "date":
                keys += self._date_keys(token, at)
            self._keys[at] = keys
        return keys

    def _date_keys(self, token: Token, at: int) -> Iterator[tuple[str, str]]:
        if numeric.is_full(token.text):
            yield "{date}", token.text
            return
        sign = numeric.short_sign(token.text)
        dotted = at + 1 < len(self._tokens) and self._tokens[at + 1].start == token.end
        dotted = dotted and self._tokens[at + 1].text == "."
        if sign == "/" or (sign == "." and self._language.settings.get("dotted") == "yes"):
            yield "{shortdate}", token.text
            # "Termin 14.3. beim Zahnarzt": the point does not end a sentence.
            follows = at + 2 < len(self._tokens) and self._tokens[at + 2].kind == "word"
            if dotted and sign == "." and follows and not self._tokens[at + 2].capital:
                yield "{pointdate}", token.text

    def _no_noun(self, at: int) -> bool:
        if at >= len(self._tokens):
            return True
        token = self._tokens[at]
        return token.kind == "sign" or token.text in self._language.functions

    def _is_amount(self, phrase: Phrase) -> bool:
        """Say whether the numbers are those of a page or a price."""
        first, last = self._tokens[phrase.first], self._tokens[phrase.last]
        if phrase.first and self._tokens[phrase.first - 1].text in self._language.streets:
            return True  # "rue du 8 Mai"
        if first.kind in ("number", "date") and phrase.first:
            before = self._tokens[phrase.first - 1].text
            if before in self._language.labels:
                return True
        if last.kind not in ("number", "date") or phrase.last + 1 >= len(self._tokens):
            return False
        after = self._tokens[phrase.last + 1]
        return after.text in _MEASURES or after.text in self._language.measures

    def _range(self, phrase: Phrase) -> Phrase | None:
        """Return "from Monday to Thursday", if the phrase begins it."""
        at = phrase.last + 1
        if phrase.relation == "until" or at >= len(self._tokens):
            return None
        word = self._tokens[at].text
        opened = phrase.relation in ("from", "between", "start")
        if not (
            word in self._language.ends
            or (phrase.relation == "between" and word in self._language.tense.joins)
        ):
            return None
        end = at + 1
        if end < len(self._tokens) and self._tokens[end].text in self._language.articles:
            end += 1
        second = self._longest(end, prefixed=True) or self._longest(at + 1)
        if second is None or second.meaning[0] == "none":
            return None
        weekly = phrase.meaning[0] == second.meaning[0] == "weekday"
        if weekly and not opened and self._tokens[at].kind == "sign":
            # Opening hours: "Monday–Friday".
            return Phrase(phrase.first, second.last, ("none",), ())
        return Phrase(
            phrase.first, second.last, phrase.meaning, phrase.captures, "at", second, "to"
        )

    def _refined(self, phrase: Phrase) -> Phrase:
        """Return "Tuesday of next week", "last year in October"; else the phrase as it is."""
        at = phrase.last + 1
        for skipped in range(3):
            second = self._longest(at + skipped)
            if second is not None and second.meaning[0] != "none":
                if not _refines(phrase, second):
                    return phrase
                return Phrase(
                    phrase.first, second.last, phrase.meaning, phrase.captures,
                    phrase.relation, second, "within",
                )  # fmt: skip
            glue = self._tokens[at + skipped] if at + skipped < len(self._tokens) else None
            if glue is None or (glue.text != "," and glue.text not in self._language.glue):
                return phrase
        return phrase


def _slot(key: str) -> str:
    name = key.strip("{}+!")
    return "unit" if name == "period" else name


_WEEKLY = frozenset(("weekday", "weekend"))
_YEARLY = frozenset(("month", "date", "season", "part", "numeric", "easter"))
_WIDE = frozenset(("at", "unit", "shift", "year", "next"))


def _refines(one: Phrase, other: Phrase) -> bool:
    """Say whether two phrases side by side name one time together."""
    for narrow, wide in ((one, other), (other, one)):
        name, around = narrow.meaning[0], wide.meaning[0]
        modified = len(narrow.meaning) > 1 and name not in ("part", "date", "easter")
        if name in _WEEKLY and around in ("date", "numeric"):
            return True
        if modified:
            continue
        unit = wide.value("unit") or (wide.meaning[1] if around == "at" else "")
        if name in _WEEKLY and around in _WIDE and unit in ("week", "day"):
            return unit == "week" or narrow is one
        if name in _YEARLY and around in _WIDE and (unit in ("year", "month") or around == "year"):
            return around == "year" or unit == "year"
        if name == "nth" and (unit == "month" or around == "month"):
            return True
    return False
