"""The chat of the page: stream, stop, retry, edit, judge; and the conversations of before.

The assistant has one conversation at a time, and a browser may have several tabs: each message
names the conversation that it belongs to, and that one is taken up first.
"""

from __future__ import annotations

import dataclasses
import secrets
from typing import Any

from starlette.routing import BaseRoute

from ondevice.chat.receipt import Receipt
from ondevice.chat.reply import Reply
from ondevice.server.errors import ApiError
from ondevice.server.manage.http import BadRequestError, Values, events, route
from ondevice.server.manage.jobs import Job
from ondevice.server.manage.memories import as_json
from ondevice.server.manage.page import Page
from ondevice.server.manage.transcript import transcript

MOST_CONVERSATIONS = 200  # in the list of earlier ones
BEGINNING = 200  # characters of a conversation's first message


class Chat:
    """The conversation that the page shows; it is the assistant's own."""

    def __init__(self, page: Page) -> None:
        """Talk with the assistant of `page`."""
        self._page = page
        self._reply: Reply | None = None
        self._temporary: str | None = None  # the id of the temporary chat, in memory only

    def state(self, values: Values) -> dict[str, Any]:
        """Return what the page shows before anything is said."""
        page = self._page
        me = page.me
        return {
            "profile": me.profile.name if me.profile is not None and not page.wiped else None,
            "locked": page.locked,
            "model": me.engine.model.name,
            "adapters": [
                {"name": use.name, "scale": use.scale} for use in me.engine.active_adapters
            ],
            "learning": page.jobs.running("learn"),
            "evaluating": page.jobs.running("evaluate"),
            "importing": page.jobs.running("import"),
        }

    def show(self, values: Values) -> dict[str, Any]:
        """Return a conversation: the one that is named, else the newest of this server."""
        me = self._page.me
        if me.profile is not None:
            _ = self._page.profile  # it may have been locked or wiped
        wanted = values.text_or_none("conversation")
        if wanted is None:
            wanted = None if me.temporary else me.conversation_id
        elif wanted == self._temporary and me.temporary:
            said = [
                {"text": e.user, "answer": {"text": e.answer}} for e in me.conversation.exchanges
            ]
            return {"conversation": wanted, "temporary": True, "exchanges": said}
        shown = transcript(self._page.profile, wanted) if wanted is not None else []
        return {
            "conversation": wanted if shown else None,
            "temporary": me.without_memory,
            "exchanges": shown,
        }

    def list_(self, values: Values) -> dict[str, Any]:
        """Return the conversations that are kept, the newest first."""
        found = self._page.profile.conversations(
            words=values.take("query", str, ""), limit=MOST_CONVERSATIONS
        )
        return {
            "conversations": [
                {**dataclasses.asdict(one), "begins": one.begins[:BEGINNING]} for one in found
            ]
        }

    def say(self, values: Values) -> Any:
        """Answer a message.

        With `edit` it takes the place of the last one, with `retry` that one is answered again.
        """
        page = self._page
        page.refuse_while_busy()
        retry, edit = values.take("retry", bool, False), values.take("edit", bool, False)
        text = "" if retry else values.take("text", str)
        if not retry and not text.strip():
            raise BadRequestError("Say something.")
        if not page.me.temporary:
            _ = page.profile  # it may have been locked or wiped

        def answer(job: Job) -> dict[str, Any]:
            # In one thread, because the assistant's lock belongs to the thread that took it.
            with page.model():
                self._take_up(values)
                if edit:
                    page.me.take_back()
                return self._answer(job, page.me.retry() if retry else page.me.chat(text))

        # Nobody else follows it: when they go the model stops, and what was said so far is kept.
        return events(page.jobs.begin(answer).follow_alone())

    def _take_up(self, values: Values) -> None:
        """Make the conversation that a message names the assistant's own."""
        if "conversation" not in values:
            return
        me, wanted = self._page.me, values.text_or_none("conversation")
        if me.without_memory:
            return
        if wanted is not None and wanted.startswith(TEMPORARY):
            if not me.temporary or wanted != self._temporary:
                raise ApiError(
                    409, "This temporary chat is over; start a new one.", code="chat_over"
                )
            return
        if me.temporary or wanted != me.conversation_id:
            me.temporary, self._temporary = False, None
            if wanted is None:
                me.new_conversation()
            else:
                me.continue_conversation(wanted)

    def _answer(self, job: Job, reply: Reply) -> dict[str, Any]:
        self._reply = reply
        if job.should_stop():  # nobody waits any more
            reply.cancel()
        for piece in reply:
            job.tell({"piece": piece})
            if job.should_stop():
                reply.cancel()
        return {"stage": "done", **self._receipt(reply)}

    def _receipt(self, reply: Reply) -> dict[str, Any]:
        receipt, me = reply.receipt, self._page.me
        return {
            "conversation": self._temporary if me.temporary else me.conversation_id,
            "saved": [as_json(fact) for fact in receipt.saved],
            "replaced": [as_json(fact) for fact in receipt.replaced],
            "used": self._used(receipt),
            "dropped_exchanges": receipt.dropped_exchanges,
            "forgotten_meanwhile": receipt.forgotten_meanwhile,
            "turn_id": receipt.assistant_turn_id,
            "temporary": me.temporary,
            "finish_reason": reply.finish_reason,
            "adapters": reply.adapters,
            "tokens": reply.usage.completion_tokens,
            "seconds_to_first": reply.timings.first_token_seconds,
            "tokens_per_second": reply.timings.tokens_per_second,
        }

    def _used(self, receipt: Receipt) -> list[dict[str, Any]]:
        """Return the memories that an answer was given, with what kind of record each is."""
        if not receipt.used:
            return []
        known = self._page.profile.records([memory.id for memory in receipt.used])
        return [
            {**dataclasses.asdict(memory), "kind": type(known[memory.id]).__name__.lower()}
            for memory in receipt.used
            if memory.id in known
        ]

    def stop(self, values: Values) -> dict[str, Any]:
        """Stop the answer that is being given; what was said so far is kept."""
        if self._reply is not None:
            self._reply.cancel()
        return {}

    def new(self, values: Values) -> dict[str, Any]:
        """Start another conversation, temporary or not."""
        me = self._page.me
        self.stop(values)
        with self._page.model():
            me.new_conversation()
            me.temporary = values.take("temporary", bool, False) or me.without_memory
            self._temporary = TEMPORARY + secrets.token_hex(8) if me.temporary else None
        return {"temporary": me.temporary, "conversation": self._temporary}

    def feedback(self, values: Values) -> dict[str, Any]:
        """Keep a verdict on an answer."""
        text = values.take("text", str, None)
        verdict: Any = values.take("verdict", str)
        kept = self._page.me.feedback(verdict, text, turn_id=values.take("turn_id", str))
        return {"id": kept.id, "verdict": kept.verdict}


TEMPORARY = "temporary-"  # begins the ids of temporary chats; those of records have no hyphen


def chat_routes(page: Page) -> list[BaseRoute]:
    """Return the routes of the chat."""
    chat = Chat(page)
    return [
        route(page, "GET", "/state", chat.state),
        route(page, "GET", "/chat", chat.show),
        route(page, "GET", "/conversations", chat.list_),
        route(page, "POST", "/chat", chat.say),
        route(page, "POST", "/chat/stop", chat.stop),
        route(page, "POST", "/chat/new", chat.new),
        route(page, "POST", "/feedback", chat.feedback),
    ]
