"""Hybrid search over everything that is remembered: full text, embeddings, and their fusion."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ondevice.errors import ProfileError
from ondevice.ground.words import folded, is_unspaced, pairs_of, words_in
from ondevice.memory.embedding import Embedding
from ondevice.memory.facts import FactCandidate, candidate_for, replaces
from ondevice.memory.fusion import Evidence, Fused, FusionWeights, fuse
from ondevice.memory.kept import Kept
from ondevice.memory.query_terms import asked_in, looked_up, query_terms
from ondevice.remedies import Remedy
from ondevice.settings import RecallSettings
from ondevice.store.records import ANY_SCOPE, Fact

if TYPE_CHECKING:
    import numpy as np

    from ondevice.memory.embedders.protocol import Embedder
    from ondevice.memory.index import Index
    from ondevice.memory.relevance.judge import Asked, Relevance
    from ondevice.store.profile import Profile
    from ondevice.store.records import Record

TEXT_HITS = 1000  # full-text hits that enter the fusion
SECONDS_A_DAY = 86_400.0
_SPOKEN = re.compile("([\\w\u0300-\u036f]+)(?:['’]s\\b)?\\s*")  # a word of a question


@dataclass(frozen=True)
class Hit:
    """Something remembered that fits a question.

    `reason` says why: bm25 (with its neighbours, 1 for the best hit), cosine
    (rescaled by the embedder, with its neighbours), recency, pinned, and the final score.
    """

    id: str
    text: str
    score: float
    source: str | None  # the name of the import, or the conversation's id
    time: float
    kind: str  # "fact", "passage" or "turn"
    reason: dict[str, object] = field(default_factory=dict)
    role: str | None = None  # of a turn: "user" or "assistant"
    speaker: str | None = None  # of a passage: "user", "assistant", a name, or None in notes
    conversation_id: str | None = None
    cosine: float = 0.0  # to the question, rescaled: 0 unrelated, 1 the same; with neighbours
    shares_words: bool = False  # it or a neighbour is among the full-text hits
    origin: str | None = None  # the turn or passage that this quotes a sentence of


@dataclass(frozen=True)
class Found:
    """What was found for a prompt.

    Attributes:
        hits: best first.
        personal: how likely a good answer depends on who asks, from 0 to 1.
    """

    hits: list[Hit]
    personal: float


class Recall:
    """Finds memories of one profile; safe to share between threads.

    The index is read from the profile at the first search and follows what is
    written through any process: new records are added, and after a forget or a
    superseding it is built anew.
    """

    def __init__(
        self,
        profile: Profile,
        embedder: Embedder,
        settings: RecallSettings | None = None,
        *,
        weights: FusionWeights | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare a search over `profile`; nothing is read yet.

        Args:
            profile: what is searched.
            embedder: makes the vectors.
            settings: the defaults if None.
            weights: of the fusion; the tuned ones if None.
            clock: the present in seconds since 1970; everything that has to do with memory asks it.
        """
        self.clock = clock
        self._profile = profile
        self.embedding = Embedding(profile, embedder)
        self._settings = settings or RecallSettings()
        self._weights = weights or FusionWeights()
        self._lock = threading.RLock()
        self._index: Index | None = None
        self._relevance: tuple[str, Relevance] | None = None
        self._generation = -1
        self._text_search = ThreadPoolExecutor(1, thread_name_prefix="recall-text")

    # --- finding --------------------------------------------------------------

    def search(
        self,
        query: str,
        k: int | None = None,
        scope: str | None = None,
        *,
        without: Collection[str] = (),
    ) -> list[Hit]:
        """Return the `k` memories that fit `query` best, best first.

        Args:
            query: a question or a few words.
            k: how many; the setting `recall.memories` if None.
            scope: also memories of this context; those without a context are always searched.
            without: ids of records to search as if they were not there: they do not lead to
                their neighbours either.
        """
        k = self._settings.memories if k is None else k
        return self._found(query, k, scope, without, weighed=False).hits

    def for_prompt(
        self, query: str, k: int, scope: str | None = None, *, without: Collection[str] = ()
    ) -> Found:
        """Return the `k` memories that should be known to whoever answers `query`, best first.

        Unlike in `search`, statements also count by how much they matter, and for what.

        Args:
            query: what the person writes.
            k: how many.
            scope: also memories of this context.
            without: ids of records to search as if they were not there.
        """
        return self._found(query, k, scope, without, weighed=True)

    def matters(self, ids: Collection[str]) -> dict[str, float]:
        """Return how much statements matter, from 0 to 2, of those of `ids` that have a vector."""
        import numpy as np

        with self._lock:
            index = self._current_index(self.embedding.current())
            rows = [row for row in np.flatnonzero(index.fact) if index.ids[row] in ids]
            rows = [row for row in rows if index.matrix[row].any()]
            if not rows:
                return {}
            weights = self._judge().matters(index.matrix[rows])
            return {index.ids[row]: float(weights[at]) for at, row in enumerate(rows)}

    def _judge(self) -> Relevance:
        """Return what judges vectors of the embedder that is searched by now."""
        from ondevice.memory.relevance.training import open_relevance

        embedder = self.embedding.current()
        if self._relevance is None or self._relevance[0] != embedder.sha256:
            judge = open_relevance(embedder, self._profile.home.cache)
            self._relevance = (embedder.sha256, judge)
        return self._relevance[1]

    def _found(
        self, query: str, k: int, scope: str | None, without: Collection[str], *, weighed: bool
    ) -> Found:
        import numpy as np

        if k <= 0 or not query.strip():
            return Found([], 0.0)
        with self._lock:
            embedder = self.embedding.current()
            index = self._current_index(embedder)
            terms = query_terms(query)
            named = _named_speakers(index, terms)
            # A speaker's name finds every greeting; it says who spoke, not what about.
            about = [term for term in terms if term not in named] or terms
            # SQLite and the embedder both release the interpreter: they run side by side.
            forms = looked_up(about, asked_in(query))
            pending = self._text_search.submit(self._text_hits, forms)
            vector = embedder.embed_queries([_without(query, named)])[0]
            cosine = embedder.calibration.relevance(index.matrix @ vector)
            hits = pending.result()
            fused, evidence, hidden = self._fused(
                index, cosine, hits, named, scope, set(without), quoting=weighed
            )
            personal = 0.0
            if weighed:
                judge = self._judge()
                asked = judge.asked(vector)
                personal = 1.0 if named else asked.personal  # somebody they know
                rows = np.flatnonzero(index.fact & ~hidden)
                fused.final[rows] += _weight(judge, asked, index.matrix[rows], self._weights)
            memories = self._memories(index, fused, evidence, k, scope, quoting=weighed)
            return Found(memories, personal)

    def invalidate(self) -> None:
        """Forget the index; it is read from the profile again at the next search."""
        with self._lock:
            self._index = None

    def _text_hits(self, terms: list[str]) -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        if not terms:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        return self._profile.search_tables.rank_text(terms, TEXT_HITS)

    def _current_index(self, embedder: Embedder) -> Index:
        """Return the index, brought up to date with what was written since the last call."""
        from ondevice.memory.index import Index

        generation = self._profile.generation()
        index = self._index
        # Something was forgotten: its vector must not stay.
        if index is None or generation != self._generation or index.embedder != embedder.sha256:
            self._index = index = Index(embedder.sha256, embedder.dimensions)
        self._generation = generation
        index.update(self._profile)
        return index

    def _fused(
        self,
        index: Index,
        cosine: np.ndarray,
        hits: tuple[np.ndarray, np.ndarray],
        named: dict[str, set[int]],
        scope: str | None,
        without: set[str],
        *,
        quoting: bool,
    ) -> tuple[Fused, Evidence, np.ndarray]:
        import numpy as np

        bm25 = np.zeros(index.size, dtype=np.float32)
        rows, found = index.rows_of(hits[0])
        bm25[rows] = hits[1][found]
        absent = index.rows_with(without)
        bm25[absent] = cosine[absent] = 0
        evidence = Evidence(
            bm25=bm25,
            cosine=cosine,
            before=index.before,
            after=index.after,
            age_days=((self.clock() - index.time) / SECONDS_A_DAY).astype(np.float32),
            pinned=index.pinned.astype(np.float32),
            speaker=np.isin(index.speaker, list(set().union(*named.values()))).astype(np.float32),
        )
        fused = fuse(evidence, self._weights)
        hidden = ~(index.active | index.pending) if quoting else ~index.active
        hidden[absent] = True
        if scope != ANY_SCOPE:
            codes = [code for name, code in index.scopes.items() if name in (None, scope)]
            hidden |= ~np.isin(index.scope, codes)
        fused.final[hidden] = 0
        return fused, evidence, hidden

    def _memories(
        self,
        index: Index,
        fused: Fused,
        evidence: Evidence,
        k: int,
        scope: str | None,
        *,
        quoting: bool,
    ) -> list[Hit]:
        import numpy as np

        # A few more than asked for: what changed a moment ago is dropped when it is read.
        wanted = min(2 * k + 8, index.size)
        rows = np.argpartition(-fused.final, wanted - 1)[:wanted] if wanted else np.zeros(0, int)
        rows = rows[np.lexsort((-rows, -fused.final[rows]))]
        best = [int(row) for row in rows if fused.final[row] > 0]
        records = self._profile.records([index.ids[row] for row in best])
        memories: list[Hit] = []
        for row in best:
            record = records.get(index.ids[row])
            if record is None:
                continue
            quoted = self._quoted(record) if quoting else None
            if not _to_be_shown(quoted or record, scope, self.clock()):
                continue
            reason: dict[str, object] = {
                "bm25": round(float(fused.bm25[row]), 4),
                "cosine": round(float(fused.cosine[row]), 4),
                "recency": round(float(fused.recency[row]), 4),
                "pinned": bool(evidence.pinned[row]),
                "final": round(float(fused.final[row]), 4),
            }
            hit = self._memory(quoted or record, float(fused.final[row]), reason)
            if quoted is not None:
                hit = replace(hit, id=record.id, text=record.text, origin=quoted.id)
            memories.append(hit)
            if len(memories) == k:
                break
        return memories

    def _quoted(self, record: Record) -> Record | None:
        """Return the text that a statement which waits for approval was drawn from.

        Whether it says what it seems to say is not certain; that the person wrote it is.
        """
        if not isinstance(record, Fact) or record.state != "pending":
            return None
        texts = self._profile.records([one for one in record.origins if one != record.id])
        return next(iter(texts.values()), None)

    def _memory(self, record: Record, score: float, reason: dict[str, object]) -> Hit:
        source = None
        if record.source_id is not None:
            row: Any = self._profile.get(record.source_id)
            source = row.name or row.id
        return Hit(
            id=record.id,
            text=record.text,
            score=score,
            source=source,
            time=record.time,
            kind=type(record).__name__.lower(),
            reason=reason,
            role=getattr(record, "role", None),
            speaker=getattr(record, "speaker", None),
            conversation_id=getattr(record, "conversation_id", None),
            cosine=float(str(reason["cosine"])),
            shares_words=reason["bm25"] != 0,
        )

    # --- facts ----------------------------------------------------------------

    def add_fact(self, candidate: FactCandidate, **options: Any) -> Fact:
        """Store a fact; see `keep`, which tells what it replaces, too."""
        return self.keep(candidate, **options).fact

    def keep(
        self,
        candidate: FactCandidate,
        *,
        pinned: bool = False,
        learn: bool = True,
        scope: str | None = None,
        source_id: str | None = None,
        state: str = "active",
        said: float | None = None,
    ) -> Kept:
        """Store a fact with its vector; older ones that it makes untrue are superseded.

        Facts of different contexts do not supersede each other, and a pending
        one supersedes nothing. `said` is when it was said, if that is not now.
        """
        vector = self.embedding.embed([candidate.text])
        older = self._superseded_by(candidate, scope) if state == "active" else []
        fact = self._profile.facts.add(
            candidate.text,
            category=candidate.category,
            subject=candidate.subject,
            state=state,
            source_id=source_id,
            scope=scope,
            pinned=pinned or any(fact.pinned for fact in older),
            learn=learn,
            supersedes=[fact.id for fact in older],
            vector=vector,
            time=self.clock() if said is None else said,
        )
        return Kept(fact, _other_words(candidate.text, older))

    def edit_fact(self, fact_id: str, **changes: Any) -> Fact:
        """Change a fact; a new text gets a new subject and vector.

        Raises:
            RecordNotFoundError: there is no fact with that id.
        """
        if "text" in changes:
            candidate = candidate_for(changes["text"])
            changes["text"] = candidate.text
            changes["subject"] = candidate.subject
            changes["vector"] = self.embedding.embed([candidate.text])
        fact = self._profile.facts.edit(fact_id, **changes)
        self.invalidate()
        return fact

    def approve(self, fact_id: str) -> Fact:
        """Make a pending fact active; see `keep_pending`, which tells what it replaces, too."""
        return self.keep_pending(fact_id).fact

    def keep_pending(self, fact_id: str) -> Kept:
        """Make a pending fact active; older ones that it makes untrue are superseded.

        Raises:
            RecordNotFoundError: there is no fact with that id.
        """
        fact = self._profile.get(fact_id)
        older: list[Fact] = []
        if isinstance(fact, Fact):
            candidate = FactCandidate(fact.text, fact.category, fact.subject)
            older = self._superseded_by(candidate, fact.scope)
        approved = self._profile.facts.approve(fact_id, supersedes=[other.id for other in older])
        return Kept(approved, _other_words(approved.text, older))

    def would_replace(self, candidate: FactCandidate, scope: str | None) -> tuple[Fact, ...]:
        """Return the active facts of a context that a statement, once active, makes untrue."""
        return _other_words(candidate.text, self._superseded_by(candidate, scope))

    def restore(self, fact_id: str) -> Fact:
        """Make a fact active again that was replaced; what replaced it stays.

        Raises:
            RecordNotFoundError: there is no fact with that id.
            ProfileError: it was not replaced.
        """
        fact = self._profile.get(fact_id)
        if not isinstance(fact, Fact) or fact.state != "superseded":
            raise ProfileError(f"{fact.id} is not a fact that was replaced.", Remedy.LIST_REPLACED)
        self._profile.facts.restore([fact.id])
        self.invalidate()
        restored = self._profile.get(fact.id)
        assert isinstance(restored, Fact)
        return restored

    def _superseded_by(self, candidate: FactCandidate, scope: str | None) -> list[Fact]:
        """Return the active facts of the same context that say the same or are no longer true."""
        subject = candidate_for(candidate.text).subject
        words = set(subject.split()) if subject else set()
        return [
            fact
            for fact in self._profile.facts.all(state="active", scope=scope)
            if fact.scope == scope
            and (
                fact.text == candidate.text
                # Profiles hold coarser subjects of earlier versions: what two facts are about is
                # read from their texts, and what was stored only spares the most of the reading.
                or (
                    bool(words.intersection((fact.subject or "").split()))
                    and replaces(candidate.text, fact.text)
                )
            )
        ]


def _weight(
    judge: Relevance, asked: Asked, vectors: np.ndarray, weights: FusionWeights
) -> np.ndarray:
    """Return what statements gain by mattering, and by the topics they share with a request."""
    shared = judge.topics(vectors) @ asked.topics
    gain: np.ndarray = weights.topics * shared + weights.matters * judge.matters(vectors)
    return asked.personal * gain


def _to_be_shown(record: Record, scope: str | None, now: float) -> bool:
    """Whether a record, as the profile has it now, may come up in a search of `scope`."""
    if record.scope is not None and scope not in (record.scope, ANY_SCOPE):
        return False
    if record.state != "active":
        return False
    return not isinstance(record, Fact) or record.expires is None or record.expires > now


def _other_words(text: str, facts: Collection[Fact]) -> tuple[Fact, ...]:
    """Return those of `facts` that do not just say the same once more."""
    return tuple(fact for fact in facts if fact.text != text)


def _named_speakers(index: Index, terms: list[str]) -> dict[str, set[int]]:
    """Return the terms of a question that are speakers' names, with the speakers' codes."""
    named: dict[str, set[int]] = {}
    for speaker, code in index.speakers.items():
        for word in words_in(speaker or ""):
            parts = pairs_of(word) if is_unspaced(word) else [word]
            if all(part in terms for part in parts):
                for part in parts:
                    named.setdefault(part, set()).add(code)
    return named


def _without(query: str, named: dict[str, set[int]]) -> str:
    """Return the question without the names, so that it is near to what they said."""
    if not named:
        return query
    return _SPOKEN.sub(lambda word: "" if folded(word[1]) in named else word[0], query)
