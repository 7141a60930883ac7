"""The chat of the page: stream, stop, retry, edit, judge; and what each answer was given."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

from starlette.routing import BaseRoute

from ondevice.receipt import Receipt
from ondevice.reply import Reply
from ondevice.server.manage.http import BadRequestError, Values, events, route
from ondevice.server.manage.jobs import Job
from ondevice.server.manage.memories import as_json
from ondevice.server.manage.page import Page


class Chat:
    """The conversation that the page shows; it is the assistant's own."""

    def __init__(self, page: Page) -> None:
        """Talk with the assistant of `page`."""
        self._page = page
        self._reply: Reply | None = None
        self._last: Receipt | None = None

    def state(self, values: Values) -> dict[str, Any]:
        """Return what the page shows before anything is said."""
        page = self._page
        me = page.me
        return {
            "profile": me.profile.name if me.profile is not None and not page.wiped else None,
            "model": me.engine.model.name,
            "adapters": [
                {"name": use.name, "scale": use.scale} for use in me.engine.active_adapters
            ],
            "temporary": me.temporary,
            "learning": page.jobs.running("learn"),
            "importing": page.jobs.running("import"),
        }

    def say(self, values: Values) -> Any:
        """Answer a message; `redo` takes the last exchange back first."""
        page = self._page
        page.refuse_while_learning()
        text = values.take("text", str)
        if not text.strip():
            raise BadRequestError("Say something.")
        if not page.me.temporary:
            _ = page.profile  # it may have been wiped
        redo = values.take("redo", bool, False)
        # In one thread, because the assistant's lock belongs to the thread that took it.
        job = page.jobs.begin(lambda job: self._answer(job, text, redo=redo))
        return events(self._followed(job))

    @staticmethod
    async def _followed(job: Job) -> AsyncIterator[dict[str, Any] | None]:
        try:
            async for event in job.follow():
                yield event
        finally:  # the reader may have gone: the model stops, what was said so far is kept
            job.stop()

    def _answer(self, job: Job, text: str, *, redo: bool) -> dict[str, Any]:
        with self._page.model():
            if redo:
                self._take_back()
            reply = self._reply = self._page.me.chat(text)
            if job.should_stop():  # nobody waits any more
                reply.cancel()
            try:
                for piece in reply:
                    job.tell({"piece": piece})
                    if job.should_stop():
                        reply.cancel()
            finally:
                self._last = reply.receipt
            return {"stage": "done", **self._receipt(reply)}

    def _receipt(self, reply: Reply) -> dict[str, Any]:
        receipt = reply.receipt
        return {
            "saved": [as_json(fact) for fact in receipt.saved],
            "used": [dataclasses.asdict(memory) for memory in receipt.used],
            "dropped_exchanges": receipt.dropped_exchanges,
            "forgotten_meanwhile": receipt.forgotten_meanwhile,
            "turn_id": receipt.assistant_turn_id,
            "temporary": self._page.me.temporary,
            "finish_reason": reply.finish_reason,
            "adapters": reply.adapters,
            "tokens": reply.usage.completion_tokens,
            "seconds_to_first": reply.timings.first_token_seconds,
            "tokens_per_second": reply.timings.tokens_per_second,
        }

    def _take_back(self) -> None:
        """Forget the last exchange: its turns, and the facts that were taken from it."""
        me, last = self._page.me, self._last
        if last is None or not me.conversation.exchanges:
            return
        self._last = None
        me.conversation.exchanges.pop()
        if me.temporary or me.profile is None:
            return
        made = [last.user_turn_id, last.assistant_turn_id, *(fact.id for fact in last.saved)]
        ids = [one for one in made if one is not None and me.profile.has(one)]
        if ids:
            me.forget(*ids, keep_turns=True)

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
            me.temporary = values.take("temporary", bool, False) or me.profile is None
            self._last = None
        return {"temporary": me.temporary}

    def feedback(self, values: Values) -> dict[str, Any]:
        """Keep a verdict on an answer."""
        text = values.take("text", str, None)
        verdict: Any = values.take("verdict", str)
        kept = self._page.me.feedback(verdict, text, turn_id=values.take("turn_id", str))
        return {"id": kept.id, "verdict": kept.verdict}


def chat_routes(page: Page) -> list[BaseRoute]:
    """Return the routes of the chat."""
    chat = Chat(page)
    return [
        route(page, "GET", "/state", chat.state),
        route(page, "POST", "/chat", chat.say),
        route(page, "POST", "/chat/stop", chat.stop),
        route(page, "POST", "/chat/new", chat.new),
        route(page, "POST", "/feedback", chat.feedback),
    ]
