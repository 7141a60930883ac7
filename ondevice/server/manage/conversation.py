"""The chat of the page: stream, stop, retry, edit, judge; and the conversations of before.

The assistant has one conversation at a time, and a browser may have several tabs: each message
names the conversation that it belongs to, and that one is taken up first.
"""

from __future__ import annotations

import dataclasses
import secrets
from typing import Any, Literal

from pydantic import Field

from ondevice.chat.receipt import Receipt
from ondevice.chat.reply import Reply
from ondevice.server.errors import ApiError, BadRequestError
from ondevice.server.events import Events
from ondevice.server.manage.jobs import Failed, Job
from ondevice.server.manage.page import Page, page_routes
from ondevice.server.manage.records import FactRecord, fact_of, mirrored
from ondevice.server.manage.transcript import Exchange, PlainAnswer, transcript
from ondevice.server.routing import Answer, Empty, Fields
from ondevice.store.listing import Outlined
from ondevice.store.records import Verdict

MOST_CONVERSATIONS = 200  # in the list of earlier ones
BEGINNING = 200  # characters of a conversation's first message
TEMPORARY = "temporary-"  # begins the ids of temporary chats; those of records have no hyphen

routes = page_routes()


# --- looking ------------------------------------------------------------------------------


class AdapterScale(Answer):
    """An adapter that is applied."""

    name: str
    scale: float


class State(Answer):
    """What is served and what is under way."""

    profile: str | None
    locked: bool
    model: str
    adapters: list[AdapterScale]
    learning: bool
    evaluating: bool
    importing: bool
    notices: list[str]


@routes.get("/state")
def state(page: Page) -> State:
    """What is served, and what is under way."""
    me = page.me
    return State(
        profile=me.profile.name if me.profile is not None and not page.wiped else None,
        locked=page.locked,
        model=me.engine.model.name,
        adapters=[mirrored(AdapterScale, use) for use in me.engine.active_adapters],
        learning=page.jobs.running("learn"),
        evaluating=page.jobs.running("evaluate"),
        importing=page.jobs.running("import"),
        notices=page.notices(),
    )


class ShowChat(Fields):
    """Which conversation to show."""

    conversation: str | None = Field(None, description="The newest of this server if absent.")


class Conversation(Answer):
    """A conversation."""

    conversation: str | None
    temporary: bool
    exchanges: list[Exchange]


@routes.get("/chat")
def show(page: Page, query: ShowChat) -> Conversation:
    """Show a conversation."""
    me, wanted = page.me, query.conversation
    if me.profile is not None:
        _ = page.profile  # it may have been locked or wiped
    if wanted is None:
        wanted = None if me.conversation.is_temporary else me.conversation.id
    elif wanted == page.chat.temporary and me.conversation.is_temporary:
        said = [
            Exchange(text=one.user, answer=PlainAnswer(text=one.answer))
            for one in me.conversation.exchanges
        ]
        return Conversation(conversation=wanted, temporary=True, exchanges=said)
    shown = transcript(page.profile, wanted) if wanted is not None else []
    return Conversation(
        conversation=wanted if shown else None, temporary=me.without_memory, exchanges=shown
    )


class Words(Fields):
    """What to search for."""

    query: str = Field("", description="Beginnings of words, all of which must occur.")


class Conversations(Answer):
    """Conversations, the newest first."""

    conversations: list[Outlined]


@routes.get("/conversations")
def list_conversations(page: Page, query: Words) -> Conversations:
    """List conversations."""
    found = page.profile.listing.conversations(words=query.query, limit=MOST_CONVERSATIONS)
    return Conversations(
        conversations=[dataclasses.replace(one, begins=one.begins[:BEGINNING]) for one in found]
    )


# --- saying -------------------------------------------------------------------------------


class Say(Fields):
    """A message, or what to do with the last one."""

    text: str | None = Field(None, description="Needed unless `retry` is set.")
    retry: bool = Field(False, description="Answer the last message again.")
    edit: bool = Field(False, description="The message takes the place of the last one.")
    conversation: str | None = Field(
        None, description="That it belongs to; null begins one, absent goes on with the last."
    )


class Piece(Answer):
    """A piece of an answer."""

    piece: str


class Used(Answer):
    """A memory that the model was given."""

    id: str
    text: str
    score: float
    place: str
    source: str | None
    reason: dict[str, Any]
    speaker: str | None = Field(description='Of a text: "user", "assistant" or a name.')
    kind: str


class Said(Answer):
    """The last event of an answer."""

    stage: Literal["done"]
    conversation: str | None
    saved: list[FactRecord]
    replaced: list[FactRecord] = Field(
        description="Facts that are not used any more for what was saved."
    )
    used: list[Used]
    dropped_exchanges: int
    forgotten_meanwhile: bool
    turn_id: str | None
    temporary: bool
    finish_reason: str
    adapters: list[str]
    tokens: int
    seconds_to_first: float
    tokens_per_second: float


@routes.post("/chat")
def say(page: Page, body: Say) -> Events[Piece | Said | Failed]:
    """Answer a message."""
    page.refuse_while_busy()
    text = "" if body.retry else body.text
    if text is None:
        raise BadRequestError("The field 'text' is missing.")
    if not body.retry and not text.strip():
        raise BadRequestError("Say something.")
    if not page.me.conversation.is_temporary:
        _ = page.profile  # it may have been locked or wiped

    def answer(job: Job[Piece | Said]) -> Piece | Said:
        # In one thread, because the assistant's lock belongs to the thread that took it.
        with page.model():
            _take_up(page, body)
            if body.edit:
                page.me.conversation.take_back()
            return _said(
                page, job, page.me.conversation.retry() if body.retry else page.me.chat(text)
            )

    # Nobody else follows it: when they go the model stops, and what was said so far is kept.
    return Events(page.jobs.begin(answer).follow_alone())


def _take_up(page: Page, body: Say) -> None:
    """Make the conversation that a message names the assistant's own."""
    me, wanted = page.me, body.conversation
    if "conversation" not in body.model_fields_set or me.without_memory:
        return
    if wanted is not None and wanted.startswith(TEMPORARY):
        if not me.conversation.is_temporary or wanted != page.chat.temporary:
            raise ApiError(409, "This temporary chat is over; start a new one.", code="chat_over")
        return
    if me.conversation.is_temporary or wanted != me.conversation.id:
        page.chat.temporary = None
        if wanted is None:
            me.new_conversation()
        else:
            me.continue_conversation(wanted)


def _said(page: Page, job: Job[Piece | Said], reply: Reply) -> Said:
    page.chat.reply = reply
    if job.should_stop():  # nobody waits any more
        reply.cancel()
    for piece in reply:
        job.tell(Piece(piece=piece))
        if job.should_stop():
            reply.cancel()
    receipt, session = reply.receipt, reply.session
    return Said(
        stage="done",
        conversation=page.chat.temporary if session.is_temporary else session.id,
        saved=[fact_of(fact) for fact in receipt.saved],
        replaced=[fact_of(fact) for fact in receipt.replaced],
        used=_used(page, receipt),
        dropped_exchanges=receipt.dropped_exchanges,
        forgotten_meanwhile=receipt.forgotten_meanwhile,
        turn_id=receipt.assistant_turn_id,
        temporary=session.is_temporary,
        finish_reason=reply.finish_reason,
        adapters=reply.adapters,
        tokens=reply.usage.completion_tokens,
        seconds_to_first=reply.timings.first_token_seconds,
        tokens_per_second=reply.timings.tokens_per_second,
    )


def _used(page: Page, receipt: Receipt) -> list[Used]:
    """Return the memories that an answer was given, with what kind of record each is."""
    if not receipt.used:
        return []
    known = page.profile.records([memory.id for memory in receipt.used])
    return [
        mirrored(Used, memory, kind=type(known[memory.id]).__name__.lower())
        for memory in receipt.used
        if memory.id in known
    ]


@routes.post("/chat/stop")
def stop(page: Page) -> Empty:
    """Stop the answer that is being given."""
    if page.chat.reply is not None:
        page.chat.reply.cancel()  # what was said so far is kept
    return Empty()


class NewChat(Fields):
    """What kind of conversation begins."""

    temporary: bool = Field(False, description="Nothing is recalled or kept.")


class Begun(Answer):
    """A conversation that has begun."""

    temporary: bool
    conversation: str | None


@routes.post("/chat/new")
def new(page: Page, body: NewChat) -> Begun:
    """Begin a conversation."""
    me = page.me
    stop(page)
    with page.model():
        session = me.new_conversation(memory="off" if body.temporary else "on")
        page.chat.temporary = TEMPORARY + secrets.token_hex(8) if session.is_temporary else None
    return Begun(temporary=session.is_temporary, conversation=page.chat.temporary)


class Judge(Fields):
    """A verdict on an answer."""

    verdict: Verdict
    text: str | None = Field(None, description="What was wanted instead, of an edit.")
    turn_id: str


class Judged(Answer):
    """A verdict that was kept."""

    id: str
    verdict: str


@routes.post("/feedback")
def feedback(page: Page, body: Judge) -> Judged:
    """Judge an answer."""
    page.refuse_if_temporary(keep=True)  # the answer is one of a kept chat
    kept = page.me.conversation.feedback(body.verdict, body.text, turn_id=body.turn_id)
    return Judged(id=kept.id, verdict=kept.verdict)
