"""An answer in a conversation that a client program keeps and sends whole with every turn.

For the time of the answer the client's conversation takes the place of the assistant's own, so
that both are answered by the same code. What was sent to the model for earlier turns (the notes
beside them, the prefix) is remembered for a while, so that a later turn only adds tokens and finds
the others in the KV cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ondevice.chat.reply import Reply
from ondevice.engine.protocol import ChatOptions
from ondevice.errors import EngineError
from ondevice.memory.transcript import Conversation, Exchange
from ondevice.models.messages import Message

if TYPE_CHECKING:
    from ondevice.chat import Assistant
    from ondevice.store.records import Fact

MemoryUse = Literal["on", "read-only", "off"]
MOST_REMEMBERED = 256  # states of conversations


@dataclass(frozen=True)
class ClientConversation:
    """A client's conversation as the model was shown it."""

    exchanges: tuple[Exchange, ...]
    prefix: str | None = None
    prefix_facts: tuple[Fact, ...] = ()
    prefix_ready: bool = False
    conversation_id: str | None = None


class ClientConversations:
    """What was shown of the last conversations; used under the assistant's turn lock."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: OrderedDict[str, ClientConversation] = OrderedDict()
        self._asked: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self.current: tuple[Exchange, ...] | None = None  # of the client that is answered now

    def find(self, key: str) -> ClientConversation | None:
        """Return the conversation that has come to the state `key`."""
        return self._known.get(key)

    def keep(self, key: str, conversation: ClientConversation) -> None:
        """Remember a conversation in the state `key`; the oldest is dropped."""
        self._known[key] = conversation
        self._known.move_to_end(key)
        while len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)

    def asked(self, key: str) -> tuple[str, str] | None:
        """Return the conversation and the turn in which the request `key` was saved before."""
        return self._asked.get(key)

    def note(self, key: str, conversation_id: str, turn_id: str) -> None:
        """Remember where a request was saved, to know it when it comes again."""
        self._asked[key] = (conversation_id, turn_id)
        self._asked.move_to_end(key)
        while len(self._asked) > MOST_REMEMBERED:
            self._asked.popitem(last=False)

    def forget(self) -> tuple[Exchange, ...] | None:
        """Drop every note that was shown; return the bare exchanges of the current client."""
        self._known.clear()
        return self.current


class ClientReply(Reply):
    """A reply to the last message of a client's conversation; see `Assistant.respond`."""

    def __init__(
        self,
        assistant: Assistant,
        messages: Sequence[Message],
        options: ChatOptions,
        memory: MemoryUse,
        adapters: Sequence[tuple[str, float | None]] | None,
    ) -> None:
        """Prepare an answer; nothing runs before the first piece is asked for.

        Raises:
            EngineError: the last message is not a user's.
        """
        self._system, self._exchanges, question = as_exchanges(messages)
        super().__init__(assistant, question, options)
        self._memory = memory
        self._adapters = adapters

    def _run(self) -> Iterator[str]:
        with self._visit():
            self._know_again()
            try:
                yield from super()._run()
            finally:
                self._note_turn()
            self._remember()

    @contextlib.contextmanager
    def _visit(self) -> Iterator[None]:
        """Put the client's conversation in place of the assistant's own."""
        me = self._assistant
        # Of the assistant's own conversation alone may it be said that it is temporary.
        temporary = me.without_memory or self._memory == "off"
        if not temporary:
            me._drop_what_was_forgotten()
        own = (
            me.conversation,
            me._conversation_id,
            me._prefix_ready,
            me._prefix_facts,
            me.temporary,
            me._adapters_wanted,
        )
        rebuilt = me._n_rebuilt
        self._key = _digest(self._memory, self._system, self._exchanges)
        self._request = _digest(self._key, self._question, self._exchanges)
        known = me.clients.find(self._key) or ClientConversation(self._exchanges)
        try:
            me.clients.current = self._exchanges
            me.conversation = Conversation(self._system, known.prefix, list(known.exchanges))
            me._conversation_id = known.conversation_id
            me._prefix_ready, me._prefix_facts = known.prefix_ready, known.prefix_facts
            me.temporary = temporary
            me._read_only = self._memory == "read-only"
            if self._adapters is not None:
                me._adapters_wanted = list(self._adapters)
            yield
        finally:
            me.clients.current, me._read_only = None, False
            (
                me.conversation,
                me._conversation_id,
                me._prefix_ready,
                me._prefix_facts,
                me.temporary,
                me._adapters_wanted,
            ) = own
            if me._n_rebuilt != rebuilt:
                me._rebuild()

    def _know_again(self) -> None:
        """If this request was answered before and nothing followed, replace that answer."""
        me = self._assistant
        if me.temporary or me._read_only or me.profile is None:
            return
        conversation_id, turn_id = me.clients.asked(self._request) or ("", "")
        turns = me.profile.turns(conversation_id) if conversation_id else []
        asked = next((turn for turn in turns if turn.id == turn_id), None)
        later = [t for t in turns if asked is not None and t.position > asked.position]
        if asked is not None and all(turn.role == "assistant" for turn in later):
            me._conversation_id = conversation_id
            me._replace(self.receipt, asked, turns)

    def _note_turn(self) -> None:
        me, turn_id = self._assistant, self.receipt.user_turn_id
        if turn_id is not None and me._conversation_id is not None:
            me.clients.note(self._request, me._conversation_id, turn_id)

    def _remember(self) -> None:
        me = self._assistant
        if self.receipt.forgotten_meanwhile:
            return
        assert self._question is not None
        said = (*self._exchanges, Exchange(self._question, self.text))
        me.clients.keep(
            _digest(self._memory, self._system, said),
            ClientConversation(
                tuple(me.conversation.exchanges),
                me.conversation.prefix,
                tuple(me._prefix_facts),
                me._prefix_ready,
                me._conversation_id,
            ),
        )


def as_exchanges(
    messages: Sequence[Message],
) -> tuple[str | None, tuple[Exchange, ...], str]:
    """Return the system prompt, the exchanges before the newest user turn, and that turn.

    Chat templates want user and assistant in turn, so messages of one side that follow each
    other are joined, and system messages stand together at the beginning.

    Raises:
        EngineError: the last message is not a user's.
    """
    system = "\n\n".join(m.content for m in messages if m.role == "system") or None
    turns: list[Message] = []
    for message in messages:
        if message.role == "system":
            continue
        if turns and turns[-1].role == message.role:
            turns[-1] = Message(message.role, f"{turns[-1].content}\n\n{message.content}")
        else:
            turns.append(message)
    if not turns or turns[-1].role != "user":
        raise EngineError("The last message must be the user's; add one.")
    if turns[0].role == "assistant":  # a greeting
        turns.insert(0, Message("user", ""))
    pairs = zip(turns[:-1:2], turns[1::2], strict=True)
    return system, tuple(Exchange(u.content, a.content) for u, a in pairs), turns[-1].content


def _digest(memory: str, system: str | None, exchanges: Sequence[Exchange]) -> str:
    said = json.dumps([memory, system, [(e.user, e.answer) for e in exchanges]])
    return hashlib.sha256(said.encode()).hexdigest()
