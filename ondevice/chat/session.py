"""One conversation: what was said, what the model is shown of it, and what it may remember.

Several may be open at once; one answer is generated at a time. A session reads the profile before
every answer and follows what was forgotten or changed elsewhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ondevice.chat.adapters import Wanted
from ondevice.chat.receipt import Receipt, UsedMemory
from ondevice.chat.reply import Reply
from ondevice.engine.protocol import ChatOptions
from ondevice.errors import OndeviceError, RecordNotFoundError
from ondevice.memory.facts import endings_in, facts_in
from ondevice.memory.notes import Notes
from ondevice.memory.transcript import Exchange, Transcript, exchanges_of

if TYPE_CHECKING:
    from ondevice.chat.runtime import Runtime
    from ondevice.memory.search import Hit
    from ondevice.memory.service import Memory
    from ondevice.store.records import Fact, Feedback, Turn, Verdict

MemoryUse = Literal["on", "read-only", "off"]

# A memory that stands beside one of so many last turns is not sent again.
NEAR = 2
# What was said in so many last exchanges is seen anyway; what is further back is easily overlooked.
RECENT = 8


class Session:
    """A conversation with the assistant."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        memory: MemoryUse = "on",
        system: str | None = None,
        scope: str | None = None,
        adapters: Wanted = None,
        conversation_id: str | None = None,
        told: Sequence[Exchange] | None = None,
    ) -> None:
        """Begin a conversation, or take one up; `Assistant.session` makes them.

        Args:
            runtime: what all conversations share.
            memory: "read-only" saves nothing, "off" reads nothing either.
            system: a system prompt of the person's own.
            scope: only memories of this context, and those of none, are used.
            adapters: (name, scale) pairs; None uses those of the assistant.
            conversation_id: of a conversation of the profile that is gone on with.
            told: what a client program says was said so far; it keeps the conversation itself.
        """
        self.memory_use: MemoryUse = memory if runtime.memory is not None else "off"
        self.scope = scope
        self.adapters: Wanted = adapters
        self.id = conversation_id
        self.transcript = Transcript(system=system, form=runtime.form, exchanges=list(told or ()))
        self._runtime = runtime
        self._told = tuple(told) if told is not None else None
        self._prefix_ready = False
        self._prefix_facts: Sequence[Fact] = ()
        self._generation = -1  # nothing of the profile was read yet
        self._data_version = 0
        if conversation_id is not None:
            self.rebuild()
        runtime.joined_by(self)

    # --- talking ----------------------------------------------------------------------

    def chat(self, text: str, options: ChatOptions | None = None) -> Reply:
        """Answer `text` as the next turn; iterate the reply for the pieces.

        Raises (while iterating):
            ContextOverflowError: `text` does not fit the model's context.
            EngineError: the model failed.
        """
        return Reply(self, text, self._options(options))

    def ask(self, text: str, options: ChatOptions | None = None) -> Reply:
        """Like `chat`, but run to the end before returning."""
        return self.chat(text, options).finish()

    def retry(self, options: ChatOptions | None = None) -> Reply:
        """Answer the last message again; the new answer takes the place of the old one.

        The message and the facts that were taken from it stay as they are. An answer that was
        judged stays in the profile, to be learned from, but in no transcript.

        Raises (while iterating):
            OndeviceError: nothing was said yet.
        """
        return Reply(self, None, self._options(options))

    def _options(self, options: ChatOptions | None) -> ChatOptions:
        return options or ChatOptions.from_settings(self._runtime.settings.generation)

    @property
    def runtime(self) -> Runtime:
        """What all conversations share."""
        return self._runtime

    @property
    def is_temporary(self) -> bool:
        """Whether it neither reads nor writes memory."""
        return self.memory_use == "off"

    @property
    def saves(self) -> bool:
        """Whether what is said is kept in the profile."""
        return self.memory_use == "on"

    @property
    def exchanges(self) -> Sequence[Exchange]:
        """What was said and is still in the model's view, oldest first."""
        return tuple(self.transcript.exchanges)

    @property
    def system(self) -> str | None:
        """The person's own system prompt."""
        return self.transcript.system

    @system.setter
    def system(self, text: str | None) -> None:
        with self._runtime.turn:
            self.transcript.system = text

    # --- one turn, for replies --------------------------------------------------------

    @contextlib.contextmanager
    def generating(self) -> Iterator[None]:
        """Hold the model for one answer, with this conversation's adapters applied."""
        with self._runtime.turn:
            if not self.is_temporary:
                self._runtime.follow()
                if self._memory.profile.generation() != self._generation:
                    self.rebuild()
            self._runtime.adapters.apply(self.adapters)
            yield

    def begin(self, text: str, options: ChatOptions, receipt: Receipt) -> str:
        """Save the user turn, recall, and return the user content that the model is shown."""
        content = text
        engine = self._runtime.engine
        if not self.is_temporary:
            if self.saves and self.id is None:
                self.id = self._memory.profile.turns.new_conversation()
            self._make_prefix()
            if self.saves and receipt.user_turn_id is None:
                self._save_user_turn(text, receipt)
                self._make_prefix()  # a fact that replaced another one has undone it
            content = self._with_memories(text, receipt)
        room = engine.n_ctx - min(options.max_tokens, engine.n_ctx // 2)
        receipt.dropped_exchanges = self.transcript.make_room(content, engine.count_prompt, room)
        if receipt.dropped_exchanges and not self.is_temporary:
            # A note that stood beside an exchange which has left is not in the prompt any more.
            receipt.used.clear()
            content = self._with_memories(text, receipt)
            receipt.dropped_exchanges += self.transcript.make_room(
                content, engine.count_prompt, room
            )
        return content

    def end(self, content: str, answer: str, receipt: Receipt) -> None:
        """Keep the exchange: in the transcript, and in the profile unless it is temporary."""
        used = frozenset(m.id for m in receipt.used if m.place == "turn")
        self.transcript.exchanges.append(Exchange(content, answer, used))
        if not self.saves or self.id is None:
            return
        try:
            turn = self._memory.profile.turns.add(
                self.id,
                "assistant",
                answer,
                time=self._memory.recall.clock(),
                memories_used=tuple(m.id for m in receipt.used),
                scope=self.scope,
            )
        except RecordNotFoundError:  # the whole conversation was forgotten meanwhile
            receipt.forgotten_meanwhile = True
            self._runtime.changed()
            return
        receipt.assistant_turn_id = turn.id
        self._drop_replaced(receipt)
        if receipt.forgotten_meanwhile:
            self._runtime.changed()

    def is_outdated(self) -> bool:
        """Whether another process has forgotten or superseded something since the last look."""
        if self.is_temporary:
            return False
        profile = self._memory.profile
        version = profile.data_version()  # microseconds; changes when others write
        if version == self._data_version:
            return False
        self._data_version = version
        return profile.generation() != self._generation

    def _save_user_turn(self, text: str, receipt: Receipt) -> None:
        """Store the turn and the facts in it, before anything can go wrong."""
        memory = self._memory
        assert self.id is not None
        turn = memory.profile.turns.add(
            self.id,
            "user",
            text,
            time=memory.recall.clock(),
            vector=memory.recall.embedding.embed([text]),
            scope=self.scope,
        )
        receipt.user_turn_id = turn.id
        for kept in memory.keep_from(turn):
            receipt.saved.append(kept.fact)
            receipt.replaced += kept.replaced

    def _with_memories(self, text: str, receipt: Receipt) -> str:
        """Put this turn's memories beside `text` and note in the receipt what the model sees."""
        beside = self._notes().beside(
            text,
            scope=self.scope,
            recent=self._seen_turns(),
            standing={fact.id for fact in self._prefix_facts},
            near=self.transcript.sent_ids(NEAR),
            without={fact.id for fact in receipt.saved},
        )
        receipt.used += [_used(hit, "turn") for hit in beside.sent]
        receipt.used += [_used(hit, "earlier") for hit in beside.near]
        shown = {memory.id for memory in receipt.used}
        receipt.used += [
            UsedMemory(fact.id, fact.text, beside.scores.get(fact.id, 0.0), "prefix")
            for fact in self._prefix_facts
            if fact.id not in shown
        ]
        return beside.content

    def _seen_turns(self) -> set[str]:
        """Return the ids of this conversation's last turns; what is far back is told again."""
        last = min(RECENT, len(self.transcript.exchanges) + 1)
        return {turn.id for turn in self._turns()[-2 * last :]}

    def _make_prefix(self) -> None:
        """Choose the facts of the prefix once a conversation: it must not move in the cache."""
        if self._prefix_ready:
            return
        facts = self._memory.profile.facts.all(state="active", scope=self.scope)
        self.transcript.prefix, self._prefix_facts = self._notes().before(facts)
        self._prefix_ready = True

    def _notes(self) -> Notes:
        runtime = self._runtime
        return Notes(
            self._memory.recall, runtime.settings.recall, runtime.engine.count_tokens, runtime.form
        )

    # --- answering again --------------------------------------------------------------

    def ask_again(self, receipt: Receipt) -> tuple[str, Exchange | None]:
        """Prepare to answer the last message again; return it, and the exchange that goes.

        Raises:
            OndeviceError: nothing was said yet.
        """
        exchanges = self.transcript.exchanges
        if not self.saves:
            if not exchanges:
                raise OndeviceError("There is no message to answer again yet; write one first.")
            former = exchanges.pop()
            return former.user, former
        turns = self._turns()
        asked = _last_question(turns)
        if asked is None:
            raise OndeviceError("There is no message to answer again yet; write one first.")
        self.answer_anew(receipt, asked, turns)
        return asked.text, exchanges.pop() if receipt.replaces and exchanges else None

    def answer_anew(self, receipt: Receipt, asked: Turn, turns: Sequence[Turn]) -> None:
        """Note in the receipt what was saved with a message before, and the answers that go."""
        receipt.user_turn_id = asked.id
        receipt.saved = [fact for fact in self._facts_from(asked) if fact.state != "superseded"]
        receipt.replaces = tuple(t.id for t in turns if t.position > asked.position)

    def put_back(self, exchange: Exchange) -> None:
        """Put an exchange back whose message got no new answer."""
        self.transcript.exchanges.append(exchange)

    def take_back(self) -> bool:
        """Take the last exchange back: message, answers, and the facts that were taken from it.

        Facts that these had replaced hold again; those that were corrected since stay. Returns
        whether there was something to take back.
        """
        with self._runtime.turn:
            exchanges = self.transcript.exchanges
            if not self.saves or self.id is None:
                return bool(exchanges) and bool(exchanges.pop())
            turns = self._turns()
            asked = _last_question(turns)
            if asked is None:
                return False
            profile = self._memory.profile
            facts = self._facts_from(asked)
            replaced = _replaced_by(facts, profile.facts.all(state="superseded"))
            ids = [asked.id, *(t.id for t in turns if t.position > asked.position)]
            self._memory.forget(
                *ids, *(fact.id for fact in facts if not fact.origins), keep_turns=True
            )
            if replaced:
                profile.facts.restore(replaced)
                self._runtime.changed()
        return True

    def _drop_replaced(self, receipt: Receipt) -> None:
        """Delete the answers that a new one has replaced, but for those that were judged."""
        profile = self._memory.profile
        gone = [t for t in receipt.replaces if profile.has(t) and not profile.feedback.all(t)]
        if not gone:
            return
        before = profile.generation()
        report = profile.forget(gone)
        if report.adapters_stale or before != self._generation:
            self._runtime.changed()
            return
        # The transcript is without them already.
        self._generation = profile.generation()
        self._runtime.changed_by(self, from_generation=before)

    def _turns(self) -> list[Turn]:
        return self._memory.profile.turns.all(self.id) if self.id is not None else []

    def _facts_from(self, asked: Turn) -> list[Fact]:
        """Return the facts that were taken from the last message of a conversation."""
        profile = self._memory.profile
        wordings = {one.id: one.text for one in profile.corrections.wordings(asked.id)}
        first = asked.corrects or asked.id  # a correction came later than what it says
        said = {
            candidate.text
            for text in wordings.values()
            for candidate in (*facts_in(text), *endings_in(text))
        }
        return [
            fact
            for fact in profile.facts.all()
            if not set(wordings).isdisjoint(fact.origins)
            # Earlier versions did not note the turn.
            or (
                not fact.origins
                and fact.source_id == asked.source_id
                and fact.id > first
                and fact.text in said
            )
        ]

    # --- judging ----------------------------------------------------------------------

    def feedback(
        self, verdict: Verdict, text: str | None = None, *, turn_id: str | None = None
    ) -> Feedback:
        """Judge an answer: it is learned from, and compared with, at the next `learn`.

        Kept with it are the model, the adapters and the form of the notes; the memories that were
        in the prompt are those that the answer's turn lists.

        Args:
            verdict: "accept", "reject", or "edit".
            text: what was wanted instead, of an edit.
            turn_id: of the answer; the last one of this conversation if None.

        Raises:
            OndeviceError: there is no such answer, or it was not kept.
            ProfileError: an edit has no text, or something else has one.
        """
        memory = self._memory
        if turn_id is None:
            answers = [turn for turn in self._turns() if turn.role == "assistant"]
            if not answers or self.is_temporary:
                raise OndeviceError(
                    "There is no answer to judge in this conversation yet; ask something first."
                )
            turn_id = answers[-1].id
        engine = self._runtime.engine
        answered_by = {
            "model": engine.model.sha256,
            "adapters": [[use.sha256, use.scale] for use in engine.active_adapters],
            "persona_version": self._runtime.form.version,
        }
        given = memory.profile.feedback.add(turn_id, verdict, text, answered_by=answered_by)
        memory.can_undo("the verdict", given.id)
        return given

    # --- staying true to the profile ----------------------------------------------------

    def rebuild(self) -> None:
        """Build the transcript anew from the profile, without what was forgotten."""
        self._prefix_ready, self._prefix_facts, self.transcript.prefix = False, (), None
        if self.is_temporary:
            return  # nothing of the profile stands in it
        profile = self._memory.profile
        if self.id is None and not profile.is_open:  # locked: there is nothing to build it from
            self.transcript.exchanges = list(self._told or ())
            return
        self._generation = profile.generation()
        self._data_version = profile.data_version()
        if self.id is not None and not profile.has(self.id):
            self.id = None  # forgotten as a whole: the next turn begins another one
        if self._told is not None:  # a client's conversation is its own; only the notes in it go
            self.transcript.exchanges = list(self._told)
        else:
            self.transcript.exchanges = list(exchanges_of(self._turns()))

    def shown(self) -> Shown:
        """Return what the model was shown so far, to go on from there with `show`."""
        return Shown(
            tuple(self.transcript.exchanges),
            self.transcript.prefix,
            tuple(self._prefix_facts),
            self._prefix_ready,
            self.id,
            self._generation,
        )

    def show(self, shown: Shown) -> bool:
        """Take up what the model was shown; False if something was forgotten since."""
        if not self.is_temporary and shown.generation != self._generation:
            return False
        self.transcript.exchanges = list(shown.exchanges)
        self.transcript.prefix = shown.prefix
        self._prefix_facts, self._prefix_ready = shown.prefix_facts, shown.prefix_ready
        self.id = shown.conversation_id
        return True

    @property
    def _memory(self) -> Memory:
        return self._runtime.needed_memory


@dataclass(frozen=True)
class Shown:
    """A conversation as the model was shown it: with the notes that stood beside its turns."""

    exchanges: tuple[Exchange, ...]
    prefix: str | None
    prefix_facts: tuple[Fact, ...]
    prefix_ready: bool
    conversation_id: str | None
    generation: int


def _used(hit: Hit, place: str) -> UsedMemory:
    speaker = hit.speaker or hit.role
    return UsedMemory(hit.id, hit.text, hit.score, place, hit.source, hit.reason, speaker)


def _last_question(turns: Sequence[Turn]) -> Turn | None:
    return next((turn for turn in reversed(turns) if turn.role == "user"), None)


def _replaced_by(facts: Sequence[Fact], superseded: Sequence[Fact]) -> list[str]:
    """Return the ids of the facts that `facts` had replaced when they were stored."""
    moments = {fact.valid_from for fact in facts}
    return [fact.id for fact in superseded if fact.valid_to in moments]
