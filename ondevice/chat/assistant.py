"""The facade that ties profile, recall, adapters and engine together.

    with Assistant.open() as me:
        me.remember("My dog is called Biscuit.")
        for piece in me.chat("What is my dog called?"):
            print(piece, end="", flush=True)

An `Assistant` may be used from several threads: one answer is generated at a
time, further calls wait.  Two processes may have the same profile open; what
one forgets the other drops before its next token.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ondevice.adapters import forgetting
from ondevice.chat.client_reply import ClientConversations, ClientReply, MemoryUse
from ondevice.chat.conversations import KeepsConversations
from ondevice.chat.receipt import Receipt, UsedMemory
from ondevice.chat.reply import Reply
from ondevice.engine.protocol import ChatOptions, ChatStream, Engine
from ondevice.errors import RecordNotFoundError
from ondevice.home import Home
from ondevice.memory.embedder import Embedder
from ondevice.memory.facts import endings_in, facts_in
from ondevice.memory.persona import build_prefix, build_turn
from ondevice.memory.search import Memory, Recall
from ondevice.memory.selection import is_evidence, prefix_facts
from ondevice.memory.transcript import Conversation, Exchange, exchanges_of
from ondevice.models.base_model import resolve
from ondevice.models.messages import Message
from ondevice.settings import Settings
from ondevice.store.profile import Profile

if TYPE_CHECKING:
    from ondevice.store.records import Fact

# A memory that stands beside one of so many last turns is not sent again.
NEAR = 2

EXPIRY_SECONDS = 3600.0  # between two looks at what is due: a server runs for months


class Assistant(KeepsConversations):
    """A base model, a profile, its recall and its adapters."""

    def __init__(
        self,
        engine: Engine,
        profile: Profile | None,
        embedder: Embedder | None,
        settings: Settings,
        *,
        temporary: bool = False,
        scope: str | None = None,
        system: str | None = None,
        reader: bool = True,
    ) -> None:
        """Put the parts together; most callers want `Assistant.open`.

        Args:
            engine: a loaded engine; the assistant closes it.
            profile: an open profile, or None to chat without one.
            embedder: needed with a profile.
            settings: defaults for sampling and recall.
            temporary: read and write no memory.
            scope: only memories and adapters of this context, and those of none, are used.
            system: a system prompt of the person's own.
            reader: False leaves out the reader that comes with the base model.
        """
        self.engine = engine
        self.profile = profile
        self.settings = settings
        self.without_memory = temporary or profile is None  # whatever a conversation says
        self.temporary = self.without_memory
        self.scope = scope
        self.embedder = embedder
        self.recaller = self._recaller()
        self.conversation = Conversation(system=system)
        self._conversation_id: str | None = None
        self._prefix_ready = False
        self._prefix_facts: Sequence[Fact] = ()
        self._turn_lock = threading.RLock()
        self._steps = []
        self._reader_wanted = reader
        self._adapters_wanted: list[tuple[str, float | None]] | None = None  # None: as activated
        self._generation = profile.generation() if profile is not None else 0
        self._data_version = profile.data_version() if profile is not None else 0
        self._read_only = False
        self._n_rebuilt = 0
        self._next_expiry = time.monotonic() + EXPIRY_SECONDS
        self.clients = ClientConversations()

    @classmethod
    def open(
        cls,
        *,
        profile: str | None = None,
        model: str | None = None,
        home: Home | None = None,
        settings: Settings | None = None,
        adapters: Sequence[tuple[str, float | None]] | None = None,
        temporary: bool = False,
        scope: str | None = None,
        system: str | None = None,
        reader: bool = True,
        ask_passphrase: Callable[[], str] | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> Assistant:
        """Open the profile (made at first use) and the base model.

        Args:
            profile: its name; if None the one chosen by `profile use`, made at first use.
            model: a name of the catalogue or the path of a GGUF file.
            home: where things live; the platform's folders if None.
            settings: all defaults; read from the config folder if None.
            adapters: (name, scale) pairs to use instead of the active ones; empty for none.
            temporary: read and write no memory.
            scope: the context, such as "work".
            system: a system prompt of the person's own.
            reader: False leaves out the reader, the adapter that comes with the base model and
                makes it use its notes.
            ask_passphrase: called when the profile needs a passphrase.
            warn: called with a sentence for the person, such as where the key is kept.

        Raises:
            ProfileLockedError: no key or passphrase opens the profile.
            BaseModelError: the model is missing, damaged or not what it should be.
            AdapterError: an adapter is stale, damaged or made for another base.
        """
        from ondevice.engine.llama import LlamaEngine

        home = home or Home.default()
        settings = settings or Settings.load(home.config / "config.toml")
        base = resolve(model or settings.model.name, home)
        store = Profile.open(
            home,
            profile,
            ask_passphrase=ask_passphrase,
            create=profile is None,  # a mistyped name makes no new profile
            warn=warn,
        )
        try:
            forgetting.expire(store, settings.retention)
            engine = LlamaEngine(base, settings.model, home)
        except BaseException:
            store.close()
            raise
        assistant = cls(
            engine,
            store,
            Embedder(),
            settings,
            temporary=temporary,
            scope=scope,
            system=system,
            reader=reader,
        )
        try:
            assistant.use_adapters(adapters)
        except BaseException:
            assistant.close()
            raise
        return assistant

    # --- chat ---------------------------------------------------------------

    def chat(self, text: str, options: ChatOptions | None = None) -> Reply:
        """Answer `text` as the next turn of the conversation; iterate the reply for the pieces.

        Raises (while iterating):
            ContextOverflowError: `text` does not fit the model's context.
            EngineError: the model failed.
        """
        return Reply(self, text, options or ChatOptions.from_settings(self.settings.generation))

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
        return Reply(self, None, options or ChatOptions.from_settings(self.settings.generation))

    def respond(
        self,
        messages: Sequence[Message],
        options: ChatOptions | None = None,
        *,
        memory: MemoryUse = "on",
        adapters: Sequence[tuple[str, float | None]] | None = None,
    ) -> Reply:
        """Answer the last of `messages`, a conversation that a client program keeps.

        The assistant's own conversation is left as it is. Memories are recalled for the newest
        user turn; the turn, the facts in it and the answer are saved if `memory` is "on".

        Args:
            messages: the whole conversation; the last one is the person's.
            options: how to sample.
            memory: "read-only" saves nothing, "off" recalls nothing either.
            adapters: (name, scale) pairs for this answer; None uses the active ones.
        """
        options = options or ChatOptions.from_settings(self.settings.generation)
        return ClientReply(self, messages, options, memory, adapters)

    def complete(
        self,
        prompt: str,
        options: ChatOptions,
        *,
        adapters: Sequence[tuple[str, float | None]] | None = None,
    ) -> ChatStream:
        """Go on with the text `prompt`, without memory; `adapters` as in `respond`."""
        with self._turn_lock:
            wanted = self._adapters_wanted
            try:
                self.use_adapters(wanted if adapters is None else adapters)
                return self.engine.complete(prompt, options)
            finally:
                self._adapters_wanted = wanted

    @property
    def system(self) -> str | None:
        """The person's own system prompt."""
        return self.conversation.system

    @system.setter
    def system(self, text: str | None) -> None:
        with self._turn_lock:
            self.conversation.system = text

    # --- one turn -----------------------------------------------------------

    def _begin(self, text: str, options: ChatOptions, receipt: Receipt) -> str:
        """Save the user turn, recall, and return the user content that the model is shown."""
        content = text
        if not self.temporary:
            profile, _ = self._needs_profile()
            self._drop_what_was_forgotten()
            if self._conversation_id is None and not self._read_only:
                self._conversation_id = profile.new_conversation()
            self._make_prefix()
            if not self._read_only and receipt.user_turn_id is None:
                self._save_user_turn(text, receipt)
            content = self._with_memories(text, receipt)
        room = self.engine.n_ctx - min(options.max_tokens, self.engine.n_ctx // 2)
        receipt.dropped_exchanges = self.conversation.make_room(
            content, self.engine.count_prompt, room
        )
        return content

    def _save_user_turn(self, text: str, receipt: Receipt) -> None:
        """Store the turn and the facts in it, before anything can go wrong."""
        profile, recaller = self._needs_profile()
        assert self._conversation_id is not None
        assert self.embedder is not None
        turn = profile.add_turn(
            self._conversation_id,
            "user",
            text,
            vector=self.embedder.embed([text])[0],
            scope=self.scope,
        )
        receipt.user_turn_id = turn.id
        # "I'm not a nurse" is worth a note only to whom "I'm a nurse" was said before.
        ended = [one for one in endings_in(text) if recaller.would_replace(one, self.scope)]
        for candidate in (*facts_in(text), *ended):
            kept = self.keep(candidate.text, category=candidate.category, source_id=turn.source_id)
            receipt.saved.append(kept.fact)
            receipt.replaced += kept.replaced

    def _with_memories(self, text: str, receipt: Receipt) -> str:
        """Put this turn's memories beside `text` and note in the receipt what the model sees."""
        _, recaller = self._needs_profile()
        limits = self.settings.recall
        found = {m.id: m for m in recaller.search(text, k=limits.memories * 3, scope=self.scope)}
        useful = [memory for memory in found.values() if self._is_evidence(memory, receipt)]
        useful = useful[: limits.memories]
        near = self.conversation.sent_ids(NEAR)
        content, sent = build_turn(
            text,
            [memory for memory in useful if memory.id not in near],
            self.engine.count_tokens,
            limits.memory_tokens,
        )
        for memory in useful:
            if memory.id in sent or memory.id in near:
                place = "turn" if memory.id in sent else "earlier"
                receipt.used.append(
                    UsedMemory(
                        memory.id, memory.text, memory.score, place, memory.source, memory.reason
                    )
                )
        shown = {memory.id for memory in receipt.used}
        for fact in self._prefix_facts:
            if fact.id not in shown:
                score = found[fact.id].score if fact.id in found else 0.0
                receipt.used.append(UsedMemory(fact.id, fact.text, score, "prefix"))
        return content

    def _is_evidence(self, memory: Memory, receipt: Receipt) -> bool:
        """Leave out what does not fit the turn, what it says itself, and what proves nothing."""
        if memory.id in {fact.id for fact in receipt.saved}:
            return False
        return is_evidence(memory, self.settings.recall, self._conversation_id)

    def _end(self, content: str, answer: str, receipt: Receipt) -> None:
        """Keep the exchange: in the transcript, and in the profile unless it is temporary."""
        used = frozenset(m.id for m in receipt.used if m.place == "turn")
        self.conversation.exchanges.append(Exchange(content, answer, used))
        if self.temporary or self._read_only or self._conversation_id is None:
            return
        profile, _ = self._needs_profile()
        try:
            turn = profile.add_turn(
                self._conversation_id,
                "assistant",
                answer,
                memories_used=tuple(m.id for m in receipt.used),
                scope=self.scope,
            )
        except RecordNotFoundError:  # the whole conversation was forgotten meanwhile
            receipt.forgotten_meanwhile = True
            self._rebuild()
            return
        receipt.assistant_turn_id = turn.id
        self._drop_replaced(receipt)
        if receipt.forgotten_meanwhile:
            self._rebuild()

    # --- staying true to the profile ------------------------------------------

    def _make_prefix(self) -> None:
        """Choose the facts of the prefix once a conversation: it must not move in the cache."""
        if self._prefix_ready:
            return
        profile, _ = self._needs_profile()
        facts = prefix_facts(profile.facts(state="active", scope=self.scope))
        prefix, used = build_prefix(
            facts, self.engine.count_tokens, self.settings.recall.prefix_tokens
        )
        self.conversation.prefix = prefix
        self._prefix_facts = [fact for fact in facts if fact.id in used]
        self._prefix_ready = True

    def _forgotten_elsewhere(self) -> bool:
        """Whether another process has forgotten or superseded something since the last look."""
        if self.profile is None or self.temporary:
            return False
        version = self.profile.data_version()  # microseconds; changes when others write
        if version == self._data_version:
            return False
        self._data_version = version
        return self.profile.generation() != self._generation

    def _drop_what_was_forgotten(self) -> None:
        """Forget what is due, and follow what was forgotten elsewhere."""
        assert self.profile is not None
        if time.monotonic() >= self._next_expiry:
            self._next_expiry = time.monotonic() + EXPIRY_SECONDS
            forgetting.expire(self.profile, self.settings.retention)
        if self.profile.generation() != self._generation:
            self._rebuild()

    def _rebuild(self) -> None:
        """Build transcript, prefix, recall, adapters and KV cache anew from the profile."""
        profile, recaller = self._needs_profile()
        self._n_rebuilt += 1
        self._generation = profile.generation()
        self._data_version = profile.data_version()
        recaller.invalidate()
        self.engine.reset_cache()
        self._apply_adapters()
        former, self.conversation = self.conversation, Conversation(self.conversation.system)
        self._prefix_ready = False
        if self._conversation_id is not None and not profile.has(self._conversation_id):
            self._conversation_id = None  # forgotten as a whole: the next turn begins another one
        kept = self.clients.forget()
        if kept is not None:  # a client's conversation is its own; only the notes in it go
            self.conversation.exchanges = list(kept)
        elif self._conversation_id is not None:
            turns = profile.turns(self._conversation_id)
            self.conversation.exchanges = list(exchanges_of(turns))
        elif self.temporary:  # nothing of the profile stands in it
            self.conversation.exchanges = former.exchanges

    def _recaller(self) -> Recall | None:
        if self.profile is None or self.embedder is None:
            return None
        return Recall(self.profile, self.embedder, self.settings.recall)

    def reopen(self, profile: Profile) -> None:
        """Go on with `profile`, opened anew after it was locked, in a new conversation."""
        with self._turn_lock:
            if self.profile is not None:
                self.profile.close()
            self.profile = profile
            self.recaller = self._recaller()
            self.new_conversation()
            self.clients = ClientConversations()
            self._rebuild()

    def close(self) -> None:
        """Free the model and close the profile; safe to call twice."""
        self.engine.close()
        if self.profile is not None:
            self.profile.close()

    def __enter__(self) -> Self:
        """Return the assistant itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the assistant."""
        self.close()
