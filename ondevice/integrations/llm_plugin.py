"""`llm -m ondevice …`: the model that knows you, in simonw's `llm`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import llm
from pydantic import Field

if TYPE_CHECKING:
    from ondevice.chat import Assistant
    from ondevice.models.messages import Message


@llm.hookimpl
def register_models(register: Any) -> None:
    """Tell `llm` about the model."""
    register(OnDevice())


class OnDevice(llm.Model):
    """The profile in use with its memories and adapters; opened at the first prompt."""

    model_id = "ondevice"
    can_stream = True

    class Options(llm.Options):
        """Set with `-o NAME VALUE`."""

        temperature: float | None = Field(
            default=None, ge=0, le=5, description="0 always takes the likeliest word."
        )
        max_tokens: int | None = Field(default=None, ge=1, description="Longest answer, in tokens.")
        seed: int | None = Field(default=None, ge=0, description="Repeatable answers.")
        profile: str | None = Field(default=None, description="The profile, if not that in use.")
        base: str | None = Field(default=None, description="The base model: a name or a file.")
        temporary: bool = Field(default=False, description="Read and write no memory.")

    def __init__(self) -> None:
        """Load nothing yet."""
        self._lock = threading.Lock()
        self._opened: tuple[tuple[object, ...], Assistant] | None = None

    def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.Response,
        conversation: llm.Conversation | None,
    ) -> Iterator[str]:
        """Yield the answer piece by piece.

        Raises:
            llm.ModelError: what ondevice says in one sentence.
        """
        from ondevice.errors import OndeviceError

        try:
            with self._lock:
                me = self._assistant(prompt.options)
                messages = _messages(prompt, conversation)
                reply = me.respond(messages, _options(me, prompt.options))
                if stream:
                    yield from reply
                else:
                    yield reply.finish().text
                usage = reply.usage
                response.set_usage(input=usage.prompt_tokens, output=usage.completion_tokens)
        except OndeviceError as error:
            raise llm.ModelError(str(error)) from error

    def _assistant(self, options: Any) -> Assistant:
        """Open the assistant, or return the one that is open with the same options."""
        from ondevice.chat import Assistant

        wanted = (options.profile, options.base, options.temporary)
        if self._opened is not None and self._opened[0] != wanted:
            self._opened[1].close()
            self._opened = None
        if self._opened is None:
            me = Assistant.open(
                profile=options.profile, model=options.base, temporary=options.temporary
            )
            self._opened = wanted, me
        return self._opened[1]


def _messages(prompt: llm.Prompt, conversation: llm.Conversation | None) -> list[Message]:
    """Return the conversation, which `llm` keeps, with the new prompt at its end."""
    from ondevice.models.messages import Message

    said = [Message("system", prompt.system)] if prompt.system else []
    for earlier in conversation.responses if conversation is not None else ():
        assert isinstance(earlier, llm.Response)
        said.append(Message("user", earlier.prompt.prompt or ""))
        said.append(Message("assistant", earlier.text()))
    return [*said, Message("user", prompt.prompt or "")]


def _options(me: Assistant, options: Any) -> Any:
    import dataclasses

    from ondevice.engine.protocol import ChatOptions

    said = {
        name: getattr(options, name)
        for name in ("temperature", "max_tokens", "seed")
        if getattr(options, name) is not None
    }
    return dataclasses.replace(ChatOptions.from_settings(me.settings.generation), **said)
