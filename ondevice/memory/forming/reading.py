"""Reading the person's texts for statements: one as it is said, or all that were not read yet.

What is read is noted in the transaction that stores what was drawn from it, so whoever is
interrupted goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ondevice.memory.forming.classifier import LazyClassifier
from ondevice.memory.forming.form import Formed, Former, Text
from ondevice.memory.forming.keeping import Found, Keeper
from ondevice.memory.forming.sentences import Kind
from ondevice.memory.kept import Kept
from ondevice.store.records import Passage, Turn
from ondevice.store.vectors import Embedded

if TYPE_CHECKING:
    import numpy as np

    from ondevice.memory.embedding import Embedding

BATCH = 256  # texts of one transaction


@dataclass(frozen=True)
class FormReport:
    """What was drawn from texts that were not read yet.

    Attributes:
        texts: so many were read.
        facts: statements that are used from now on.
        waiting: statements that wait for approval.
    """

    texts: int = 0
    facts: int = 0
    waiting: int = 0


class Forming:
    """Draws statements from the texts of one profile and stores them."""

    def __init__(self, embedding: Embedding) -> None:
        """Work on the profile of `embedding`; nothing is loaded yet."""
        self._profile, self._embedding = embedding.profile, embedding
        wanted = embedding.wanted
        classifier = LazyClassifier(wanted, embedding.profile.home)
        self._former = Former(classifier.get, wanted.embed)

    def run(self, progress: Callable[[int, int], None] | None = None) -> FormReport:
        """Read all texts that were not read yet.

        Args:
            progress: called with (texts read, all that were to be read) after each batch. What it
                raises ends the reading; the next one goes on there.

        Raises:
            RecallError: the embedder is missing or damaged; what is done is kept.
        """
        origins, done = self._profile.origins, FormReport()
        total = origins.count_unread()
        if not total:
            return done
        keeper = self.keeper()
        while batch := origins.unread(BATCH):
            drawn = [one for one in self.draw(batch) if not one.formed.ending]
            with self._profile.transaction():
                known = self._profile.records([record.id for record in batch])
                there = [one for one in drawn if one.record.id in known]  # not forgotten meanwhile
                kept = [one.fact for one in keeper.keep(there) if one.is_new]
                origins.read([record.id for record in batch])
            done = FormReport(
                done.texts + len(batch),
                done.facts + sum(fact.state == "active" for fact in kept),
                done.waiting + sum(fact.state == "pending" for fact in kept),
            )
            if progress is not None:
                progress(min(done.texts, total), total)
        return done

    def read(self, record: Passage | Turn) -> list[Kept]:
        """Draw statements from one text and store them.

        Raises:
            RecallError: the embedder is missing or damaged.
        """
        drawn = self.draw([record])
        with self._profile.transaction():
            kept = self.keeper().keep(drawn) if drawn else []
            self._profile.origins.read([record.id])
        return kept

    def draw(self, records: Sequence[Passage | Turn]) -> list[Found]:
        """Return what the texts of the person's among `records` state; nothing is stored."""
        own = [record for record in records if _is_own(record)]
        vectors = self._vectors(own)
        texts = [Text(one.text, _kind(one), vectors.get(one.id)) for one in own]
        return [
            Found(formed, record)
            for record, found in zip(own, self._former.form(texts), strict=True)
            for formed in found
        ]

    def form(self, text: Text) -> list[Formed]:
        """Return what a text states; nothing is stored."""
        return self._former.form([text])[0]

    def keeper(self) -> Keeper:
        """Return what stores statements; it knows those that are there now."""
        return Keeper(self._profile, self._embed)

    def _embed(self, texts: Sequence[str], known: Mapping[str, np.ndarray]) -> Embedded:
        """Return the vectors that are stored of texts; those that judged them serve if they fit."""
        import numpy as np

        current = self._embedding.current()
        if current.sha256 != self._embedding.wanted.sha256:
            known = {}
        missing = sorted({one for one in texts if one not in known})
        made = dict(zip(missing, current.embed(missing), strict=True)) if missing else {}
        values = [known[one] if one in known else made[one] for one in texts]
        matrix = np.stack(values) if values else np.zeros((0, current.dimensions), np.float32)
        return Embedded(current.sha256, current.name, matrix)

    def _vectors(self, records: Sequence[Passage | Turn]) -> dict[str, np.ndarray]:
        """Return the stored vectors of texts that may be one sentence."""
        short = [one.id for one in records if "\n" not in one.text]
        return self._profile.vectors.of(self._embedding.wanted.sha256, short)


def _is_own(record: Passage | Turn) -> bool:
    if isinstance(record, Turn):
        return record.role == "user"
    return record.speaker in (None, "user")


def _kind(record: Passage | Turn) -> Kind:
    if isinstance(record, Turn):
        return Kind.TURN
    return Kind.NOTE if record.speaker is None else Kind.MESSAGE
