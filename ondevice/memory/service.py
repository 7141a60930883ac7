"""The memory of one profile: everything that a front end does with it, without a model.

    with Memory.open() as memory:
        memory.remember("My dog is called Biscuit.")
        print(memory.search("dog")[0].text)

Forgetting and correcting take effect everywhere at once: whoever shows or caches what is
remembered is told through `shared_with`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ondevice.errors import ProfileError, RecordNotFoundError
from ondevice.home import Home
from ondevice.memory import facts as fact_rules
from ondevice.memory.correcting import Corrector
from ondevice.memory.embedders.choose import open_embedder
from ondevice.memory.embedders.protocol import Embedder
from ondevice.memory.forming.reading import Forming, FormReport
from ondevice.memory.forming.secrets import holds_secret
from ondevice.memory.ingest import IngestReport, ingest
from ondevice.memory.kept import Kept
from ondevice.memory.reembedding import Reembedding
from ondevice.memory.search import Hit, Recall
from ondevice.memory.steps import Steps
from ondevice.remedies import Remedy
from ondevice.settings import Settings
from ondevice.store.profile import Profile
from ondevice.store.records import ANY_SCOPE, Fact, Passage, Turn

if TYPE_CHECKING:
    from ondevice.importers import ImportFile, ImportOptions
    from ondevice.store.forget import Forgotten
    from ondevice.store.records import ForgetPreview, Record

# Names for these, because the class has a method `list`.
Facts = list[Fact]
Hits = list[Hit]
Keepings = list[Kept]

# Answers a prompt under a GBNF grammar.
Complete = Callable[[str, str], str]


class Memory:
    """What is remembered of a person: to store, find, correct and forget.

    It may be used from several threads; changes wait for each other.
    """

    def __init__(
        self,
        profile: Profile,
        embedder: Embedder,
        settings: Settings | None = None,
        *,
        scope: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Work on an open profile; most callers want `Memory.open`.

        Args:
            profile: whoever opened it closes it, or calls `close`.
            embedder: makes the vectors, as soon as it has made those of all that is there.
            settings: of recall; the defaults if None.
            scope: the context: what is stored belongs to it, and what is found to it or to none.
            clock: the present in seconds since 1970, for what is stored, found and shown.
        """
        self.profile = profile
        self.embedder = embedder
        self.settings = settings or Settings()
        self.scope = scope
        self.recall = Recall(profile, embedder, self.settings.recall, clock=clock)
        self._lock: contextlib.AbstractContextManager[object] = threading.RLock()
        self._on_change: Callable[[], None] = _nothing
        self._forming = Forming(self.recall.embedding)
        self._corrector = Corrector(profile, self.recall, self._forming)
        self._steps = Steps(profile, self.recall)
        self.reembedding = Reembedding(self.recall.embedding)

    @classmethod
    def open(
        cls,
        *,
        profile: str | None = None,
        home: Home | None = None,
        settings: Settings | None = None,
        scope: str | None = None,
        ask_passphrase: Callable[[], str] | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> Memory:
        """Open the memory of a profile, which is made at its first use.

        Args:
            profile: its name; if None the one chosen by `profile use`, made at first use.
            home: where things live; the platform's folders if None.
            settings: all defaults; read from the config folder if None.
            scope: the context, such as "work".
            ask_passphrase: called when the profile needs a passphrase.
            warn: called with a sentence for the person, such as where the key is kept.

        Raises:
            ProfileLockedError: no key or passphrase opens the profile.
            ProfileNotFoundError: there is none of that name.
        """
        home = home or Home.default()
        settings = settings or Settings.load(home.config / "config.toml")
        opened = Profile.open(
            home,
            profile,
            ask_passphrase=ask_passphrase,
            create=profile is None,  # a mistyped name makes no new profile
            retention=settings.retention,
            warn=warn,
        )
        embedder = open_embedder(settings.recall.embedder, home, warn=warn)
        return cls(opened, embedder, settings, scope=scope)

    def shared_with(
        self, lock: contextlib.AbstractContextManager[object], on_change: Callable[[], None]
    ) -> None:
        """Hold `lock` for every change, and call `on_change` after one that undoes something.

        Whoever answers from this memory holds the lock meanwhile, and drops then what it has kept.
        """
        self._lock = lock
        self._on_change = on_change

    # --- storing --------------------------------------------------------------------

    def remember(self, text: str, **options: Any) -> Fact:
        """Store a statement about the person at once; what it makes untrue is replaced.

        The answer has the text as it is kept. `keep` has the options and tells what was replaced.
        """
        return self.keep(text, **options).fact

    def keep(
        self,
        text: str,
        *,
        category: str | None = None,
        pinned: bool = False,
        learn: bool = True,
        scope: str | None = None,
        source_id: str | None = None,
        said: float | None = None,
    ) -> Kept:
        """Store a statement as `remember` does, and tell which facts it has replaced.

        `restore` brings one of these back.

        Args:
            text: a statement, in the first or third person.
            category: one of `store.records.CATEGORIES`; found by rules if None.
            pinned: always stands in the prompt.
            learn: False keeps it out of training.
            scope: the context that it belongs to; the memory's own if None.
            source_id: the conversation or import that it came from.
            said: when it was said, in seconds since 1970; now if None.

        Raises:
            ProfileError: the text is empty.
        """
        candidate = fact_rules.candidate_for(text)
        if category is not None:
            candidate = dataclasses.replace(candidate, category=category)
        return self._keep(
            candidate,
            pinned=pinned,
            learn=learn,
            scope=scope or self.scope,
            source_id=source_id,
            said=said,
        )

    def keep_from(self, turn: Turn) -> Keepings:
        """Store what the person states about themselves in one of their own turns.

        Returns:
            What is used from now on; what is not certain waits for approval.
        """
        with self._lock, self._telling():
            kept = self._forming.read(turn)
            for one in kept:
                if one.is_new:
                    replaced = [fact.id for fact in one.replaced]
                    self._steps.added("remembering a fact", one.fact.id, replaced)
        return [one for one in kept if one.fact.state == "active"]

    def form(self, progress: Callable[[int, int], None] | None = None) -> FormReport:
        """Draw statements about the person from their texts that were not read for them yet.

        Imports do it at their end; this is for what was imported by an earlier version, and for
        an import that was stopped.

        Args:
            progress: called with (texts read, all that were to be read) after each batch.

        Raises:
            RecallError: the embedder is missing or damaged; what is done is kept.
        """
        with self._telling():
            return self._forming.run(progress)

    def _keep(self, candidate: fact_rules.FactCandidate, **options: Any) -> Kept:
        _refuse_secret(candidate.text)
        with self._lock, self._telling():
            before = {known.id for known in self.profile.facts.all(state="active")}
            kept = self.recall.keep(candidate, **options)
            after = {known.id for known in self.profile.facts.all(state="active")}
            self._steps.added("remembering a fact", kept.fact.id, sorted(before - after))
        return kept

    def edit(self, record_id: str, **changes: Any) -> Record:
        """Correct a fact, an imported text or a message of the person's.

        Adapters that were trained on it are not used any more. The new wording of a text is kept as
        it was typed; the former one is superseded: `restore` or `undo` brings it back.

        Args:
            record_id: its id, or the start of it.
            changes: of a fact a new `text`, `category`, `scope` or `learn`, or when it `expires`;
                of anything else a new `text`.

        Returns:
            The fact, or the passage or turn that says it from now on.

        Raises:
            RecordNotFoundError: there is no such record, or it is an answer.
            ProfileError: it has no such field.
        """
        with self._lock, self._telling():
            if isinstance(self.profile.get(record_id), Fact):
                _refuse_secret(str(changes.get("text", "")))
            record = self._corrector.edit(record_id, **changes)
            if isinstance(record, Passage | Turn) and record.corrects is not None:
                self._steps.corrected(record.id, self._corrector)
        return record

    def restore(self, record_id: str) -> Record:
        """Use something again that was replaced: a fact, or the former wording of a text.

        What has replaced a fact stays. Of a text whose wording holds, the one before it is meant.

        Raises:
            RecordNotFoundError: there is no such record, or it is an answer.
            ProfileError: it was never replaced.
        """
        with self._lock, self._telling():
            if not isinstance(self.profile.get(record_id), Fact):
                return self._corrector.restore(record_id)
            fact = self.recall.restore(record_id)
            self._steps.brought_back(fact.id)
        return fact

    def pin(self, fact_id: str, pinned: bool = True) -> Fact:
        """Always show a fact to the model, or no longer.

        Raises:
            RecordNotFoundError: there is no such fact.
        """
        with self._lock, self._telling():
            return self.profile.facts.pin(fact_id, pinned)

    def import_paths(
        self,
        paths: Sequence[Path | ImportFile],
        progress: Callable[[int, int | None], None] | None = None,
        options: ImportOptions | None = None,
        *,
        forming: Callable[[int, int], None] | None = None,
    ) -> IngestReport:
        """Import notes, chats, mail and exports of other assistants so that they can be recalled.

        What they state about the person is remembered, too.

        Args:
            paths: files, zip archives and folders; an `ImportFile` need not be on disk.
            progress: called with (passages stored, total or None) after each batch.
            options: who the person is in them.
            forming: called with (texts read for statements, all of them) after each batch.

        Raises:
            ImportSourceError: nothing can be read, or `paths` is one file and its rest cannot; what
                was imported stays. Of several files the report names those that cannot be read.
        """
        from ondevice.importers import ImportOptions, read

        options = options or ImportOptions()
        report = ingest(
            self.profile,
            self.embedder,
            read(paths, options),
            progress=progress,
            scope=self.scope,
            settings=self.settings.recall,
            options=options,
        )
        self.recall.invalidate()
        formed = self.form(forming)
        return dataclasses.replace(report, formed=formed.facts, waiting=formed.waiting)

    # --- finding --------------------------------------------------------------------

    def search(self, query: str, k: int = 10) -> Hits:
        """Return the `k` memories that fit `query` best, best first."""
        return self.recall.search(query, k=k, scope=self.scope)

    def list(self, state: str | None = "active", *, every_scope: bool = False) -> Facts:
        """Return the statements about the person, oldest first; all states if `state` is None."""
        scope = ANY_SCOPE if every_scope else self.scope
        return self.profile.facts.all(state=state, scope=scope)

    # --- proposals ------------------------------------------------------------------

    def propose(self, text: str, complete: Complete) -> Facts:
        """Let a model propose facts about the person from their own words, as pending ones.

        They are not used before they are approved; what is known already is not proposed.

        Args:
            text: what the person wrote.
            complete: called with a prompt and a GBNF grammar, returns the model's answer.
        """
        proposals = fact_rules.propose(complete, text)
        known = {fact.text for fact in self.profile.facts.all(scope=self.scope)}
        new = [one for one in proposals if one.text not in known and not holds_secret(one.text)]
        return [self._pending(proposal) for proposal in new]

    def suggest(self, text: str) -> Kept:
        """Store a statement that another program makes about the person; it waits for approval.

        Returns:
            The fact as it would be kept, or the one that says so already, and the facts that it
            would replace.
        """
        candidate = fact_rules.candidate_for(text)
        _refuse_secret(candidate.text)
        known = self.profile.facts.all(scope=self.scope)
        same = [f for f in known if f.text == candidate.text and f.state != "superseded"]
        fact = same[0] if same else self._pending(candidate)
        pending = fact.state == "pending"
        return Kept(fact, self.recall.would_replace(candidate, self.scope) if pending else ())

    def _pending(self, candidate: fact_rules.FactCandidate) -> Fact:
        return self.recall.add_fact(candidate, scope=self.scope, state="pending")

    def pending(self) -> Facts:
        """Return the proposed facts that wait for a decision, oldest first."""
        return self.profile.facts.all(state="pending", scope=self.scope)

    def approve(self, *ids: str) -> Facts:
        """Use pending facts from now on; what they make untrue is replaced.

        Raises:
            RecordNotFoundError: one of the ids is no fact's; nothing was changed.
        """
        return [kept.fact for kept in self.keep_pending(*ids)]

    def keep_pending(self, *ids: str) -> Keepings:
        """Approve facts as `approve` does, and tell which facts each has replaced.

        Raises:
            RecordNotFoundError: one of the ids is no fact's; nothing was changed.
        """
        with self._lock, self._telling():
            facts = self._facts(ids)
            before = {fact.id for fact in self.profile.facts.all(state="active")}
            done = [self.recall.keep_pending(fact.id) for fact in facts if fact.state == "pending"]
            after = {fact.id for fact in self.profile.facts.all(state="active")}
            if done:
                self._steps.approved([kept.fact for kept in done], sorted(before - after))
        return done

    def reject(self, *ids: str) -> Facts:
        """Delete pending facts; `undo` proposes them again.

        Raises:
            RecordNotFoundError: one of the ids is not a pending fact's; nothing was changed.
        """
        with self._lock, self._telling():
            facts = self._facts(ids)
            if any(fact.state != "pending" for fact in facts):
                raise RecordNotFoundError("Only pending facts can be rejected.", Remedy.FORGET)
            if facts:
                self.profile.forget([fact.id for fact in facts])
                self._steps.rejected(facts)
        return facts

    def undo(self) -> str | None:
        """Take the last change back: remembering, approving, rejecting or a verdict.

        Returns:
            What it was, or None if there is nothing to undo.
        """
        with self._lock, self._telling():
            return self._steps.undo()

    def can_undo(self, what: str, record_id: str) -> None:
        """Let `undo` take back a record that was added by another way."""
        self._steps.added(what, record_id)

    # --- forgetting -----------------------------------------------------------------

    def preview_forget(self, *ids: str, keep_turns: bool = False) -> ForgetPreview:
        """Return what `forget` would delete; changes nothing.

        Raises:
            RecordNotFoundError: there is no record with one of the ids.
        """
        return self.profile.preview_forget(ids, keep_turns=keep_turns)

    def forget(self, *ids: str, keep_turns: bool = False, keep_stale: bool = False) -> Forgotten:
        """Delete records for good, with index entries and vectors.

        Adapters that were trained on them go stale and, unless `keep_stale`, their files are
        shredded. The turn that a fact was taken from and the answers that repeat it go too, unless
        `keep_turns`.

        Raises:
            RecordNotFoundError: there is no record with one of the ids; nothing was deleted.
        """
        with self._lock, self._telling():
            shown = self.preview_forget(*ids, keep_turns=keep_turns)
            return self.profile.forget_shown(shown, keep_stale=keep_stale)

    # --- the rest -------------------------------------------------------------------

    def close(self) -> None:
        """Close the profile; safe to call twice."""
        self.reembedding.stop()
        self.profile.close()

    def __enter__(self) -> Self:
        """Return the memory itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the profile."""
        self.close()

    def _facts(self, ids: Sequence[str]) -> Facts:
        found = [self.profile.get(record_id) for record_id in ids]
        facts = [record for record in found if isinstance(record, Fact)]
        if len(facts) != len(found):
            raise RecordNotFoundError(
                "One of these ids is not that of a fact, so nothing was changed.",
                Remedy.LIST_MEMORIES,
            )
        return facts

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """Say that something is no longer as it was, if the block made it so."""
        before = self.profile.generation()
        yield
        if self.profile.generation() != before:
            self.recall.invalidate()
            self._on_change()


def _nothing() -> None:
    pass


def _refuse_secret(text: str) -> None:
    """Raise if a statement holds a secret: every statement may be shown to a model."""
    if holds_secret(text):
        raise ProfileError(
            "A password, PIN, key or card number is not kept as a statement, because it could "
            "be shown to a model; keep it in a password manager."
        )
