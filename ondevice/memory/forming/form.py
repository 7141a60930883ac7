"""What is drawn from a text, and by what: the one place where that is decided.

The rules come first, where they know a sentence: they are precise, make a note of it in the third
person, and know what it is about. Every other sentence is judged by the classifier; what it takes
is kept exactly as it was said. What is not certain waits for the person's approval, and so does
what a request tells along the way. Secrets are never drawn from a text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ondevice.memory.fact_clauses import TASK
from ondevice.memory.facts import FactCandidate, endings_in, facts_in, is_ruled
from ondevice.memory.forming.secrets import holds_secret
from ondevice.memory.forming.sentences import Kind, Sentence, own_text, sentences

if TYPE_CHECKING:
    import numpy as np

    from ondevice.memory.forming.classifier import Classifier, Judgement

State = Literal["active", "pending"]
# What asks for something; a fact in it was not told to be remembered.
_ASKING = frozenset(("question", "request", "telling"))
_ASKS = "?？؟¿"


@dataclass(frozen=True)
class Text:
    """A text of the person's, from which statements are drawn.

    Attributes:
        text: as they wrote it.
        kind: how it came.
        vector: of the whole text, if it is known.
    """

    text: str
    kind: Kind
    vector: np.ndarray | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Formed:
    """A statement that was drawn from a text.

    Attributes:
        candidate: what is to be kept.
        state: "active" if it is certain.
        ending: it denies something, and matters only if that was remembered.
        as_said: the person's own sentence, which no rule has reworded.
        vector: of its text, if it was needed to judge it.
    """

    candidate: FactCandidate
    state: State = "active"
    ending: bool = False
    as_said: bool = False
    vector: np.ndarray | None = field(default=None, compare=False, repr=False)


class Former:
    """Draws statements from texts; safe to share between threads."""

    def __init__(
        self,
        classifier: Callable[[], Classifier],
        embed: Callable[[Sequence[str]], np.ndarray],
    ) -> None:
        """Draw by the rules and a classifier.

        Args:
            classifier: returns it; called when a sentence is to be judged.
            embed: makes vectors as the classifier knows them.
        """
        self._classifier, self._embed = classifier, embed

    def form(self, texts: Sequence[Text]) -> list[list[Formed]]:
        """Return the statements of each of `texts`, in their order.

        Raises:
            RecallError: the embedder is missing or damaged.
        """
        import numpy as np

        read = [_Reading(text) for text in texts]
        wanted = {text for one in read for text in one.to_judge}
        known = {
            one.text.text.strip(): one.text.vector for one in read if one.text.vector is not None
        }
        vectors = self._vectors(wanted, known)
        order = list(vectors)
        judged: dict[str, Judgement] = {}
        if order:
            judgements = self._classifier().judge(order, np.stack(list(vectors.values())))
            judged = dict(zip(order, judgements, strict=True))
        formed = [one.formed(judged, self._classifier) for one in read]
        return [
            [dataclasses.replace(one, vector=vectors.get(one.candidate.text)) for one in some]
            for some in formed
        ]

    def _vectors(self, wanted: set[str], known: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the vector of each sentence; that of a text which is one sentence serves it."""
        missing = sorted(wanted.difference(known))
        made = dict(zip(missing, self._embed(missing), strict=True)) if missing else {}
        return {one: known[one] if one in known else made[one] for one in sorted(wanted)}


class _Reading:
    """A text, what the rules find in it, and the sentences that are left to be judged."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.is_task = text.kind is not Kind.NOTE and TASK.match(text.text) is not None
        found = sentences(text.text, text.kind)
        if self.is_task:  # what follows is the text to be worked on
            found = [one for one in found[:1] if text.text.lstrip().startswith(one.text)]
        self._pasted = any(one.pasted for one in found)
        self._ruled = self._by_rules()
        self._rest = [one for one in found if not is_ruled(one.text) and not holds_secret(one.told)]

    @property
    def to_judge(self) -> list[str]:
        """What the classifier is asked for: sentences, and notes of unknown category."""
        notes = [one.candidate for one in self._ruled if not one.ending]
        return [one.text for one in self._rest] + [
            note.text for note in notes if note.category == "other"
        ]

    def formed(
        self, judged: Mapping[str, Judgement], classifier: Callable[[], Classifier]
    ) -> list[Formed]:
        """Return the statements: those by the rules, then those as they were said."""
        found = [
            categorised(one, judged[one.candidate.text].category)
            if one.candidate.text in judged
            else one
            for one in self._ruled
        ]
        told: set[str] = set()
        for sentence in self._rest:
            state = self._state(sentence, judged[sentence.text], classifier())
            if state is None or sentence.told in told:
                continue
            told.add(sentence.told)
            category = judged[sentence.text].category
            found.append(Formed(FactCandidate(sentence.told, category), state, as_said=True))
        return found

    def _by_rules(self) -> list[Formed]:
        own = "" if self.is_task else own_text(self.text.text, self.text.kind)
        state: State = "pending" if self._pasted else "active"
        found = [Formed(one, state) for one in facts_in(own)]
        found += [Formed(one, state, ending=True) for one in endings_in(own)]
        return [one for one in found if not holds_secret(one.candidate.text)]

    def _state(
        self, sentence: Sentence, judgement: Judgement, classifier: Classifier
    ) -> State | None:
        asks = (
            self.is_task
            or judgement.label in _ASKING
            or any(sign in sentence.text for sign in _ASKS)
        )
        if asks and ":" in sentence.text:
            return None  # "Make this formal: …": what follows is a text to be worked on
        if not asks and not sentence.pasted and judgement.statement >= classifier.sure:
            return "active"
        if judgement.told >= classifier.unsure:
            return "pending"
        return None


def categorised(formed: Formed, category: str) -> Formed:
    """Return a statement whose rule knows no category with the one that it was judged to have."""
    candidate = formed.candidate
    if candidate.category != "other":
        return formed
    return dataclasses.replace(formed, candidate=dataclasses.replace(candidate, category=category))
