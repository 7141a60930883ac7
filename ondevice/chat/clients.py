"""Conversations that client programs keep and send whole with every turn.

What was sent to the model for earlier turns (the notes beside them, the prefix) is remembered for
a while, so that a later turn only adds tokens and finds the others in the KV cache.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TypeVar

from ondevice.chat.reply import Reply
from ondevice.chat.session import Session, Shown
from ondevice.engine.protocol import ChatOptions
from ondevice.errors import EngineError
from ondevice.memory.transcript import Exchange
from ondevice.models.messages import Message

MOST_REMEMBERED = 256  # states of conversations
T = TypeVar("T")


class ClientConversations:
    """What was shown of the last conversations; used while a session holds the model."""

    def __init__(self) -> None:
        """Begin with none."""
        self._shown: OrderedDict[str, Shown] = OrderedDict()
        self._asked: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def shown(self, state: str) -> Shown | None:
        """Return what was shown of the conversation that has come to `state`."""
        return self._shown.get(state)

    def keep(self, state: str, shown: Shown) -> None:
        """Remember what was shown of a conversation that has come to `state`."""
        _keep(self._shown, state, shown)

    def asked(self, request: str) -> tuple[str, str] | None:
        """Return the conversation and the turn in which `request` was saved before."""
        return self._asked.get(request)

    def note(self, request: str, conversation_id: str, turn_id: str) -> None:
        """Remember where a request was saved, to know it when it comes again."""
        _keep(self._asked, request, (conversation_id, turn_id))


class ClientReply(Reply):
    """A reply to the last message of a client's conversation."""

    def __init__(
        self,
        conversations: ClientConversations,
        session: Session,
        question: str,
        options: ChatOptions,
    ) -> None:
        """Prepare an answer; nothing runs before the first piece is asked for.

        Args:
            conversations: of all clients.
            session: of this one, made of what it has told.
            question: its last message.
            options: how to sample.
        """
        super().__init__(session, question, options)
        self._conversations = conversations
        self._client_question = question
        self._told = session.exchanges
        self._state = _digest(session, self._told)
        self._request = _digest(session, (*self._told, Exchange(question, "")))

    def __iter__(self) -> Iterator[str]:
        """Yield the answer piece by piece."""
        session = self.session
        with session.generating():
            shown = self._conversations.shown(self._state)
            if shown is not None:
                session.show(shown)
            self._know_again()
            try:
                yield from super().__iter__()
            finally:
                if session.id is not None and self.receipt.user_turn_id is not None:
                    self._conversations.note(self._request, session.id, self.receipt.user_turn_id)
            if not self.receipt.forgotten_meanwhile:
                said = (*self._told, Exchange(self._client_question, self.text))
                self._conversations.keep(_digest(session, said), session.shown())

    def _know_again(self) -> None:
        """If this request was answered before and nothing followed, replace that answer."""
        session = self.session
        known = self._conversations.asked(self._request)
        if known is None or not session.saves:
            return
        conversation_id, turn_id = known
        turns = session.runtime.needed_memory.profile.turns.all(conversation_id)
        asked = next((turn for turn in turns if turn.id == turn_id), None)
        if asked is None:
            return
        if all(turn.role == "assistant" for turn in turns if turn.position > asked.position):
            session.id = conversation_id
            session.answer_anew(self.receipt, asked, turns)


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


def _keep(known: OrderedDict[str, T], key: str, value: T) -> None:
    """Remember `value` as the newest; the oldest is dropped."""
    known[key] = value
    known.move_to_end(key)
    while len(known) > MOST_REMEMBERED:
        known.popitem(last=False)


def _digest(session: Session, exchanges: Sequence[Exchange]) -> str:
    said = [(e.user, e.answer) for e in exchanges]
    return hashlib.sha256(
        json.dumps([session.memory_use, session.scope, session.system, said]).encode()
    ).hexdigest()
