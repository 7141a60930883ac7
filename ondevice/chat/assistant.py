"""The assistant: a base model, a memory and its adapters as one thing to talk to.

    with Assistant.open() as me:
        me.remember("My dog is called Biscuit.")
        for piece in me.chat("What is my dog called?"):
            print(piece, end="", flush=True)

An `Assistant` may be used from several threads: one answer is generated at a
time, further calls wait.  Two processes may have the same profile open; what
one forgets the other drops before its next token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ondevice.chat.adapters import AppliedAdapters, Wanted
from ondevice.chat.clients import ClientConversations, ClientReply, as_exchanges
from ondevice.chat.learning import Learning
from ondevice.chat.reply import Reply
from ondevice.chat.runtime import Runtime
from ondevice.chat.session import MemoryUse, Session
from ondevice.engine.protocol import ChatOptions, ChatStream, Engine
from ondevice.errors import AdapterError, RecordNotFoundError
from ondevice.home import Home
from ondevice.memory.search import Hit
from ondevice.memory.service import Memory
from ondevice.models.base_model import resolve
from ondevice.models.chosen import chosen
from ondevice.models.messages import Message
from ondevice.remedies import within
from ondevice.settings import Settings, settings_path

if TYPE_CHECKING:
    from ondevice.store.forget import Forgotten
    from ondevice.store.profile import Profile
    from ondevice.store.records import Fact

PROPOSAL_TOKENS = 256  # five short notes as JSON


class Assistant:
    """A base model, what it remembers, and its adapters.

    Attributes:
        learning: adapters from the profile.
        conversation: the session that `chat` and `ask` go on with.
    """

    def __init__(
        self,
        engine: Engine,
        memory: Memory | None,
        settings: Settings,
        *,
        temporary: bool = False,
        system: str | None = None,
        reader: bool = True,
    ) -> None:
        """Put the parts together; most callers want `Assistant.open`.

        Args:
            engine: a loaded engine; the assistant closes it.
            memory: of an open profile, which is closed too; its context is the conversations'.
                None to chat without one.
            settings: defaults for sampling and recall.
            temporary: read and write no memory, whatever a conversation says.
            system: a system prompt of the person's own.
            reader: False leaves out the reader that comes with the base model.
        """
        self._runtime = Runtime(engine, memory, settings, reader=reader)
        self._clients = ClientConversations()
        self._temporary = temporary
        self._system = system
        self.learning = Learning(self._runtime)
        self.conversation = self.session()

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
        stand_in: Callable[[str], None] | None = None,
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
            warn: called with a sentence for the person, such as where the key is kept, or what is
                wrong with the settings; without it wrong settings are an error.
            stand_in: called with a sentence when the model or the active adapters that were
                chosen earlier cannot be used any more: the default model, or none, are used
                instead. Without it that is an error.

        Raises:
            ProfileLockedError: no key or passphrase opens the profile.
            BaseModelError: the model is missing, damaged or not what it should be.
            AdapterError: an adapter is stale, damaged or made for another base.
        """
        from ondevice.engine.llama import LlamaEngine

        home = home or Home.default()
        settings = settings or Settings.load(settings_path(home), warn)
        base = resolve(model, home) if model else chosen(settings.model.name, home, stand_in)
        memory = Memory.open(
            profile=profile,
            home=home,
            settings=settings,
            scope=scope,
            ask_passphrase=ask_passphrase,
            warn=warn,
        )
        try:
            engine = LlamaEngine(base, settings.model, home)
        except BaseException:
            memory.close()
            raise
        assistant = cls(
            engine,
            memory,
            settings,
            temporary=temporary,
            system=system,
            reader=reader,
        )
        try:
            assistant.choose_adapters(adapters, stand_in)
        except BaseException:
            assistant.close()
            raise
        return assistant

    # --- its parts ----------------------------------------------------------------------

    @property
    def memory(self) -> Memory:
        """What is remembered of the person.

        Raises:
            OndeviceError: the assistant was opened without a profile.
        """
        return self._runtime.needed_memory

    @property
    def engine(self) -> Engine:
        """What generates; the assistant closes it."""
        return self._runtime.engine

    @property
    def profile(self) -> Profile | None:
        """The profile behind the memory; None without one."""
        return self._runtime.memory.profile if self._runtime.memory is not None else None

    @property
    def adapters(self) -> AppliedAdapters:
        """Which adapters answers are given with."""
        return self._runtime.adapters

    @property
    def settings(self) -> Settings:
        """Defaults for sampling and recall."""
        return self._runtime.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._runtime.settings = settings

    @property
    def scope(self) -> str | None:
        """The context of its conversations."""
        return self._runtime.scope

    @property
    def without_memory(self) -> bool:
        """Whether no conversation reads or writes memory."""
        return self._temporary or self.profile is None

    def choose_adapters(
        self, adapters: Wanted, stand_in: Callable[[str], None] | None = None
    ) -> None:
        """Answer with these adapters; see `open` for `stand_in`.

        Raises:
            AdapterError: one is not found, stale, damaged or made for another base.
        """
        try:
            self.adapters.choose(adapters)
        except AdapterError as error:
            if stand_in is None or adapters is not None:
                raise
            self.adapters.choose([])
            stand_in(within("The active adapters are left out: ", error.notice))

    # --- conversations ------------------------------------------------------------------

    def session(self, conversation_id: str | None = None, *, memory: MemoryUse = "on") -> Session:
        """Return a new conversation, or one of the profile to go on with; several may be open.

        Args:
            conversation_id: of a conversation that was kept.
            memory: "read-only" saves nothing, "off" reads nothing either.

        Raises:
            RecordNotFoundError: there is no conversation of that id (any more).
        """
        if conversation_id is not None and not self.memory.profile.turns.all(conversation_id):
            raise RecordNotFoundError(
                f"There is no conversation {conversation_id} (any more); start a new one."
            )
        return Session(
            self._runtime,
            memory="off" if self._temporary else memory,
            system=self._system,
            scope=self.scope,
            conversation_id=conversation_id,
        )

    def new_conversation(self, *, memory: MemoryUse = "on") -> Session:
        """Leave the conversation of `chat` and `ask` and begin another one."""
        system = self.conversation.system
        self.conversation = self.session(memory=memory)
        self.conversation.system = system
        return self.conversation

    def continue_conversation(self, conversation_id: str | None = None) -> Session:
        """Let `chat` and `ask` go on with a conversation of the profile, the newest if None.

        Raises:
            RecordNotFoundError: there is none of that id.
        """
        if conversation_id is None and self.profile is not None:
            conversation_id = self.profile.turns.last_conversation()
        self.conversation = self.session(conversation_id)
        return self.conversation

    def chat(self, text: str, options: ChatOptions | None = None) -> Reply:
        """Answer `text` in the present conversation; iterate the reply for the pieces."""
        return self.conversation.chat(text, options)

    def ask(self, text: str, options: ChatOptions | None = None) -> Reply:
        """Like `chat`, but run to the end before returning."""
        return self.conversation.ask(text, options)

    # --- for programs that keep the conversation themselves ---------------------------------

    def respond(
        self,
        messages: Sequence[Message],
        options: ChatOptions | None = None,
        *,
        memory: MemoryUse = "on",
        adapters: Wanted = None,
    ) -> Reply:
        """Answer the last of `messages`, a conversation that a client program keeps.

        Memories are recalled for the newest user turn; the turn, the facts in it and the answer
        are saved if `memory` is "on".

        Args:
            messages: the whole conversation; the last one is the person's.
            options: how to sample.
            memory: "read-only" saves nothing, "off" recalls nothing either.
            adapters: (name, scale) pairs for this answer; None uses the active ones.

        Raises:
            EngineError: the last message is not a user's.
        """
        system, told, question = as_exchanges(messages)
        session = Session(
            self._runtime,
            memory="off" if self._temporary else memory,
            system=system,
            scope=self.scope,
            adapters=adapters,
            told=told,
        )
        options = options or ChatOptions.from_settings(self.settings.generation)
        return ClientReply(self._clients, session, question, options)

    def complete(self, prompt: str, options: ChatOptions, *, adapters: Wanted = None) -> ChatStream:
        """Go on with the text `prompt`, without memory; `adapters` as in `respond`."""
        with self._runtime.turn:
            self.adapters.apply(adapters)
            return self.engine.complete(prompt, options)

    # --- short ways to the memory -----------------------------------------------------------

    def remember(self, text: str, **options: Any) -> Fact:
        """Store a statement about the person at once; see `Memory.remember`."""
        return self.memory.remember(text, **options)

    def recall(self, query: str, k: int = 10) -> list[Hit]:
        """Return the `k` memories that fit `query` best, best first."""
        return self.memory.search(query, k)

    def forget(self, *ids: str, keep_turns: bool = False) -> Forgotten:
        """Delete records for good; see `Memory.forget`."""
        return self.memory.forget(*ids, keep_turns=keep_turns)

    def propose(self, text: str) -> list[Fact]:
        """Let the model propose facts about the person from their own words, as pending ones."""

        def complete(prompt: str, grammar: str) -> str:
            options = ChatOptions(temperature=0.0, max_tokens=PROPOSAL_TOKENS, grammar=grammar)
            return self.engine.chat([Message("user", prompt)], options).read()

        with self._runtime.turn:
            self.engine.set_adapters([])  # they teach to answer, and not to take notes
            try:
                return self.memory.propose(text, complete)
            finally:
                self.adapters.apply()

    # --- opening and closing ----------------------------------------------------------------

    def reopen(self, profile: Profile) -> None:
        """Go on with `profile`, opened anew after it was locked, in a new conversation."""
        with self._runtime.turn:
            former = self.memory
            former.close()
            memory = Memory(
                profile,
                former.embedder,
                self.settings,
                scope=self.scope,
                clock=former.recall.clock,
            )
            self._runtime.remember_with(memory)
            if former.reembedding.is_started:
                memory.reembedding.start()
            self._clients = ClientConversations()
            self.new_conversation()
            self._runtime.changed()

    def close(self) -> None:
        """Free the model and close the profile; safe to call twice."""
        self.engine.close()
        if self._runtime.memory is not None:
            self._runtime.memory.close()

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
