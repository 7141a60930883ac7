"""The part of the assistant that remembers: to store, propose, recall, forget and import."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ondevice.adapters import forgetting
from ondevice.chat.learning import LearnsFromProfile
from ondevice.engine.protocol import ChatOptions, Engine
from ondevice.memory import facts as fact_rules
from ondevice.memory.embedder import Embedder
from ondevice.memory.ingest import IngestReport, ingest
from ondevice.memory.search import Kept, Memory
from ondevice.models.messages import Message
from ondevice.settings import Settings

if TYPE_CHECKING:
    from ondevice.importers import ImportFile, ImportOptions
    from ondevice.store.records import Fact, ForgetReport

PROPOSAL_TOKENS = 256  # five short notes as JSON


class Remembers(LearnsFromProfile):
    """What is known of the person; `Assistant` has the rest."""

    engine: Engine
    embedder: Embedder | None
    settings: Settings
    scope: str | None
    _generation: int
    _turn_lock: threading.RLock

    def remember(
        self,
        text: str,
        *,
        category: str | None = None,
        pinned: bool = False,
        learn: bool = True,
        scope: str | None = None,
        source_id: str | None = None,
    ) -> Fact:
        """Store a fact about the person at once; what it makes untrue is replaced.

        The answer has the text as it is kept; `keep` tells what was replaced, too.

        Args:
            text: a statement, in the first or third person.
            category: one of `profile.records.CATEGORIES`; found by rules if None.
            pinned: always stands in the prompt.
            learn: False keeps it out of training.
            scope: the context that it belongs to; the assistant's own if None.
            source_id: the conversation or import that it came from.
        """
        return self.keep(
            text, category=category, pinned=pinned, learn=learn, scope=scope, source_id=source_id
        ).fact

    def keep(
        self,
        text: str,
        *,
        category: str | None = None,
        pinned: bool = False,
        learn: bool = True,
        scope: str | None = None,
        source_id: str | None = None,
    ) -> Kept:
        """Store a fact as `remember` does, and tell which facts it has replaced.

        `restore` brings one of these back.
        """
        profile, recaller = self._needs_profile()
        candidate = fact_rules.candidate_for(text)
        before = {known.id for known in profile.facts(state="active")}
        kept = recaller.keep(
            dataclasses.replace(candidate, category=category or candidate.category),
            pinned=pinned,
            learn=learn,
            scope=scope or self.scope,
            source_id=source_id,
        )
        if profile.generation() != self._generation:
            with self._turn_lock:  # an answer under way ends first
                self._rebuild()
        replaced = before - {known.id for known in profile.facts(state="active")}
        self._can_take_back("remembering a fact", kept.fact.id, sorted(replaced))
        return kept

    def edit(self, fact_id: str, **changes: Any) -> Fact:
        """Correct a fact; adapters that were trained on it are not used any more.

        Args:
            fact_id: its id, or the start of it.
            changes: a new `text`, `category`, `scope` or `learn`, or when it `expires`.

        Raises:
            RecordNotFoundError: there is no fact with that id.
        """
        _, recaller = self._needs_profile()
        with self._turn_lock:  # an answer under way ends first
            fact = recaller.edit_fact(fact_id, **changes)
            self._rebuild()
        return fact

    def propose(self, text: str) -> list[Fact]:
        """Let the model propose facts about the person from their own words, as pending ones.

        They are not used before they are approved; what is known already is not proposed.
        """
        profile, recaller = self._needs_profile()

        def complete(prompt: str, grammar: str) -> str:
            options = ChatOptions(temperature=0.0, max_tokens=PROPOSAL_TOKENS, grammar=grammar)
            return self.engine.chat([Message("user", prompt)], options).read()

        with self._turn_lock:
            self.engine.set_adapters([])  # they teach to answer, and not to take notes
            try:
                proposals = fact_rules.propose(complete, text)
            finally:
                self._apply_adapters()
            known = {fact.text for fact in profile.facts(scope=self.scope)}
            return [
                recaller.add_fact(proposal, scope=self.scope, state="pending")
                for proposal in proposals
                if proposal.text not in known
            ]

    def recall(self, query: str, k: int = 10) -> list[Memory]:
        """Return the `k` memories that fit `query` best, best first."""
        _, recaller = self._needs_profile()
        return recaller.search(query, k=k, scope=self.scope)

    def forget(self, *ids: str, keep_turns: bool = False, keep_stale: bool = False) -> ForgetReport:
        """Delete records for good, with index entries and vectors.

        Adapters that were trained on them go stale and, unless `keep_stale`, their files are
        shredded. The turn that a fact was taken from and the answers that repeat it go too, unless
        `keep_turns`. The transcript and the KV cache are rebuilt without them.

        Raises:
            RecordNotFoundError: there is no record with one of the ids; nothing was deleted.
        """
        profile, _ = self._needs_profile()
        with self._turn_lock:
            shown = forgetting.preview(profile, ids, keep_turns=keep_turns)
            report = forgetting.forget(profile, shown, keep_stale=keep_stale).report
            self._rebuild()
        return report

    def import_paths(
        self,
        paths: Sequence[Path | ImportFile],
        progress: Callable[[int, int | None], None] | None = None,
        options: ImportOptions | None = None,
    ) -> IngestReport:
        """Import notes, chats, mail and exports of other assistants so that they can be recalled.

        Args:
            paths: files, zip archives and folders; an `ImportFile` need not be on disk.
            progress: called with (passages stored, total or None) after each batch.
            options: who the person is in them.

        Raises:
            ImportSourceError: a file cannot be read; what was imported before it stays.
        """
        from ondevice.importers import read

        profile, recaller = self._needs_profile()
        assert self.embedder is not None
        report = ingest(
            profile,
            self.embedder,
            read(paths, options),
            progress=progress,
            scope=self.scope,
            settings=self.settings.recall,
        )
        recaller.invalidate()
        return report
