"""An answer while it is generated, and what is known about it afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Self

from ondevice.chat.receipt import Receipt
from ondevice.engine.protocol import ChatOptions, ChatStream, Timings, TokenLikelihood, Usage

if TYPE_CHECKING:
    from ondevice.chat.session import Session


class Reply:
    """An answer as it is generated: iterate for the pieces, then read the rest.

    Closing the iterator early (`break`, Ctrl-C) stops the generation within a
    token and keeps what was said so far.
    """

    def __init__(self, session: Session, text: str | None, options: ChatOptions) -> None:
        """Prepare an answer to `text`, or another one to the last message if it is None.

        Nothing runs before the first piece is asked for.
        """
        self.session = session
        self._question = text
        self._options = options
        self._stream: ChatStream | None = None
        self._cancelled = False
        self.receipt = Receipt()
        self.model = session.runtime.engine.model.name
        self.adapters: list[str] = []
        self.text = ""

    @property
    def usage(self) -> Usage:
        """Tokens in the prompt, of them from the cache, and in the answer."""
        assert self._stream is not None, "iterate first"
        return self._stream.usage

    @property
    def timings(self) -> Timings:
        """Seconds to the first token, tokens per second."""
        assert self._stream is not None, "iterate first"
        return self._stream.timings

    @property
    def likelihoods(self) -> Sequence[TokenLikelihood]:
        """Of the tokens so far, if the options ask for `logprobs`."""
        return self._stream.likelihoods if self._stream is not None else ()

    @property
    def finish_reason(self) -> str:
        """`stop`, `length` or `cancelled`."""
        return (self._stream.finish_reason if self._stream else None) or "cancelled"

    def cancel(self) -> None:
        """Stop within a token; may be called from any thread."""
        self._cancelled = True
        if self._stream is not None:
            self._stream.cancel()

    def finish(self) -> Self:
        """Run to the end without streaming and return the reply."""
        for _ in self:
            pass
        return self

    def __iter__(self) -> Iterator[str]:
        """Yield the answer piece by piece."""
        with self.session.generating():
            question, former = self._question, None
            if question is None:
                question, former = self.session.ask_again(self.receipt)
            try:
                yield from self._generate(question)
            finally:
                if former is not None and not self.text:
                    self.session.put_back(former)

    def _generate(self, question: str) -> Iterator[str]:
        session = self.session
        engine = session.runtime.engine
        content = session.begin(question, self._options, self.receipt)
        self.adapters = [use.name for use in engine.active_adapters]
        messages = session.transcript.messages(content)
        self._stream = stream = engine.chat(messages, self._options)
        try:
            if self._cancelled:
                stream.cancel()
            for piece in stream:
                self.text += piece
                if session.is_outdated():
                    self.receipt.forgotten_meanwhile = True
                    stream.cancel()
                    break
                yield piece
        finally:
            stream.cancel()
            if self.text or not (self._question is None or self.receipt.replaces):
                session.end(content, self.text, self.receipt)
            elif self.receipt.replaces:  # stopped before a word came: the old answer stays
                self.receipt.assistant_turn_id = self.receipt.replaces[-1]
