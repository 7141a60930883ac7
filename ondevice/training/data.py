"""From files to packs: documents, what is learned of them, and their order.

A document is a sequence of tokens of which some are supervised, that is, must be
predicted from what stands before them. Several documents share a pack; none
sees another. Everything is read and checked before any training.

Files: text and Markdown (cut into documents of at most `max_length` tokens),
and JSON lines, each `{"messages": [{"role", "content"}, …]}` or `{"text": …}`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ondevice.errors import ImportSourceError, TrainingError, explain
from ondevice.ground import text as _text
from ondevice.ground.text import JSON_LINES
from ondevice.models.chat_template import ChatTemplate
from ondevice.models.gguf_header import GgufHeader
from ondevice.models.messages import Message
from ondevice.remedies import Remedy

if TYPE_CHECKING:
    from ondevice._kernels import I32

PACK_TOKENS = 512  # computed at once: enough to use the processor fully, few enough to be small
MIN_HELD_OUT_DOCUMENTS = 8  # with fewer documents nothing is kept apart: all are needed
_ROLES = ("system", "user", "assistant", "tool")
_ItemT = TypeVar("_ItemT", bound="Item")


class Encoder(Protocol):
    """The part of a tokenizer that is needed here."""

    eog: frozenset[int]
    bos: int

    def encode(self, text: str, *, add_bos: bool = False, special: bool = False) -> list[int]:
        """Return the tokens of `text`."""


@dataclass(frozen=True, eq=False)
class Document:
    """A sequence of tokens (T,); `supervised` (T,) marks those to predict, never the first.

    An anchor is not learned: what the model expects at its supervised tokens is to stay what it
    was without the adapter that is trained.
    """

    tokens: I32
    supervised: NDArray[np.bool_]
    name: str
    anchor: bool = False

    @classmethod
    def anchored(cls, tokens: I32, name: str) -> Document:
        """Return an anchor at all of `tokens` (T,) but the first, before which nothing stands."""
        return cls(tokens, np.arange(len(tokens)) > 0, name, anchor=True)

    @property
    def n_supervised(self) -> int:
        """How many tokens are to be predicted."""
        return int(self.supervised.sum())

    @property
    def length(self) -> int:
        """How many tokens are computed."""
        return len(self.tokens)

    @property
    def parts(self) -> tuple[Document, ...]:
        """The documents that this consists of: itself."""
        return (self,)


@dataclass(frozen=True)
class Example:
    """Something to learn that is in memory and not in a file: a text or a chat.

    Attributes:
        name: for errors.
        text: all of it is learned.
        messages: or a chat, of which the assistant's answers are learned.
        last_only: of a chat, learn only the last answer; the ones before it are context.
        anchor: learn nothing of it, but expect there what was expected without the adapter.
    """

    name: str
    text: str = ""
    messages: tuple[Message, ...] = ()
    last_only: bool = False
    anchor: bool = False


class Item(Protocol):
    """What a step consists of: a document, or several that belong together."""

    @property
    def length(self) -> int:
        """How many tokens are computed."""

    @property
    def parts(self) -> tuple[Document, ...]:
        """The documents that this consists of."""


@dataclass(frozen=True, eq=False)
class Pack:
    """Documents one behind the other, as the decoder reads them.

    Attributes:
        tokens: (T,).
        positions: (T,) each token's place in its own document.
        first: (T,) index in the pack of the first token of the token's document.
        rows: (S,) indices of the tokens whose successors are supervised.
        targets: (S,) those successors.
        document: (S,) index of the document, among those of the pack.
    """

    tokens: I32
    positions: I32
    first: I32
    rows: NDArray[np.intp]
    targets: I32
    document: I32


class DocumentReader:
    """Turns files into documents for one base model."""

    def __init__(
        self,
        tokenizer: Encoder,
        header: GgufHeader,
        *,
        max_length: int,
        completion_only: bool = True,
    ) -> None:
        """Read for the model of `header`.

        Args:
            tokenizer: the model's.
            header: brings the chat template and says whether texts begin with a special token.
            max_length: longest document in tokens.
            completion_only: in chats, supervise only what the assistant says.
        """
        self.tokenizer = tokenizer
        self.template = ChatTemplate.from_header(header)
        self.max_length = max_length
        self.completion_only = completion_only
        wants_bos = header.metadata.get("tokenizer.ggml.add_bos_token", False)
        self.prefix = [tokenizer.bos] if wants_bos is True and tokenizer.bos >= 0 else []

    def read(self, sources: Sequence[Path | Example]) -> list[Document]:
        """Return the documents of files and examples, in order, exact duplicates only once.

        Raises:
            ImportSourceError: a file cannot be read or is not what its name says.
            TrainingError: a chat is too long, or there is nothing to learn.
        """
        documents: list[Document] = []
        seen: set[bytes] = set()
        for source in sources:
            for document in self._read_source(source):
                # Repetition teaches nothing but to recite.
                key = hashlib.sha256(document.tokens.tobytes()).digest()
                if document.n_supervised and key not in seen:
                    seen.add(key)
                    documents.append(document)
        if not documents:
            names = ", ".join(dict.fromkeys(source.name for source in sources)) or "no file"
            raise TrainingError(
                f"There is nothing to learn in the data ({names}); add texts or chats with answers."
            )
        return documents

    def from_text(self, text: str, name: str) -> Iterator[Document]:
        """Cut `text` into documents of at most `max_length` tokens, all supervised."""
        tokens = self.tokenizer.encode(text)
        room = self.max_length - len(self.prefix)
        for start in range(0, len(tokens), room):
            piece = [*self.prefix, *tokens[start : start + room]]
            if len(piece) > 1:
                supervised = np.ones(len(piece), np.bool_)
                supervised[0] = False
                yield Document(np.array(piece, np.int32), supervised, name)

    def from_messages(
        self, messages: Sequence[Message], name: str, *, last_only: bool = False
    ) -> Document:
        """Render a chat with the model's template and mark what the assistant says.

        Each answer is tokenized by itself, because that is how the model will produce it.

        Args:
            messages: the chat; what follows the last answer is left out.
            name: for errors.
            last_only: mark only the last answer.

        Raises:
            TrainingError: the chat is too long.
            BaseModelError: the template refuses it.
        """
        tokens: list[int] = []
        supervised: list[bool] = []

        def add(text: str, learn: bool) -> None:
            piece = self.tokenizer.encode(text, special=True) if text else []
            if learn:  # what the template puts behind the end of the answer is not generated
                ends = [i for i, token in enumerate(piece) if token in self.tokenizer.eog]
                n_learned = ends[-1] + 1 if ends else len(piece)
                supervised.extend([True] * n_learned + [False] * (len(piece) - n_learned))
            else:
                supervised.extend([not self.completion_only] * len(piece))
            tokens.extend(piece)

        done = ""
        answers = [i for i, message in enumerate(messages) if message.role == "assistant"]
        for index in answers:
            before = self.template.render(messages[:index], add_generation_prompt=True)
            after = self.template.render(messages[: index + 1], add_generation_prompt=False)
            if not (before.startswith(done) and after.startswith(before)):
                raise TrainingError(
                    f"The model's chat template rewrites earlier turns, so {name} cannot be "
                    "learned turn by turn; give chats with one answer each."
                )
            add(before[len(done) :], False)
            add(after[len(before) :], not last_only or index == answers[-1])
            done = after
        if self.prefix and tokens[:1] != self.prefix:
            tokens, supervised = [*self.prefix, *tokens], [False, *supervised]
        if len(tokens) > self.max_length:
            raise TrainingError(
                f"{name} has {len(tokens)} tokens, but the longest allowed is {self.max_length}.",
                Remedy.RAISE_LENGTH,
            )
        if supervised:
            supervised[0] = False
        return Document(np.array(tokens, np.int32), np.array(supervised, np.bool_), name)

    def _read_source(self, source: Path | Example) -> Iterator[Document]:
        if isinstance(source, Example):
            if source.messages:
                made = [
                    self.from_messages(source.messages, source.name, last_only=source.last_only)
                ]
            else:
                made = list(self.from_text(source.text, source.name))
            yield from (dataclasses.replace(one, anchor=source.anchor) for one in made)
        elif source.suffix.lower() in JSON_LINES:
            for name, row in json_lines(source):
                if isinstance(row, dict) and isinstance(row.get("text"), str):
                    yield from self.from_text(row["text"], name)
                else:
                    yield self.from_messages(_messages(row, name), name)
        else:
            yield from self.from_text(_text_of(source), source.name)


def json_lines(path: Path) -> Iterator[tuple[str, object]]:
    """Yield each row of a JSON Lines file, with a name for errors.

    Raises:
        ImportSourceError: the file cannot be read, or a line is not JSON.
    """
    with _opened(path) as file:
        yield from _text.json_lines(_text.lines_of(file, str(path)), str(path))


def _text_of(path: Path) -> str:
    with _opened(path) as file:
        try:
            return file.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ImportSourceError(
                f"{path} is not UTF-8 text (byte {error.start}); convert it first."
            ) from error
        except OSError as error:
            raise ImportSourceError(f"{path} cannot be read: {explain(error)}.") from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise ImportSourceError(f"There is no file {path}; check the path.") from error
    except OSError as error:
        raise ImportSourceError(f"{path} cannot be read: {explain(error)}.") from error
    with file:
        yield file


def split_held_out(
    documents: Sequence[_ItemT], share: float, seed: int
) -> tuple[list[_ItemT], list[_ItemT]]:
    """Return (training, held-out) items; which is which depends on the seed alone."""
    if share <= 0 or len(documents) < MIN_HELD_OUT_DOCUMENTS:
        return list(documents), []
    n_held_out = min(len(documents) - 1, max(1, round(share * len(documents))))
    order = np.random.Generator(np.random.PCG64([seed, 0])).permutation(len(documents))
    chosen = set(order[:n_held_out].tolist())
    return (
        [d for i, d in enumerate(documents) if i not in chosen],
        [d for i, d in enumerate(documents) if i in chosen],
    )


def plan_steps(
    documents: Sequence[Item], tokens_per_step: int, epochs: float, max_steps: int, seed: int
) -> list[list[int]]:
    """Return for each step the indices of its documents.

    Every epoch shuffles anew. A step takes the next documents as long as they fit into
    `tokens_per_step`, and one in any case. A fraction of an epoch takes the first documents of
    its order.
    """
    steps: list[list[int]] = []
    n_epochs = math.ceil(epochs)
    if max_steps:
        n_epochs = max(n_epochs, max_steps)  # each epoch gives at least one step
    for epoch in range(n_epochs):
        random = np.random.Generator(np.random.PCG64([seed, 1, epoch]))
        order = random.permutation(len(documents)).tolist()
        part = min(1.0, epochs - epoch) if not max_steps else 1.0
        order = order[: max(1, round(part * len(order)))]
        steps += group(order, [d.length for d in documents], tokens_per_step)
        if max_steps and len(steps) >= max_steps:
            break
    return steps[:max_steps] if max_steps else steps


def group(order: Sequence[int], lengths: Sequence[int], room: int) -> list[list[int]]:
    """Cut `order` into groups whose `lengths` sum to at most `room`, at least one in each."""
    groups: list[list[int]] = []
    left = 0
    for index in order:
        if not groups or lengths[index] > left:
            groups.append([])
            left = room
        groups[-1].append(index)
        left -= lengths[index]
    return groups


def pack(documents: Sequence[Document]) -> Pack:
    """Put `documents` one behind the other."""
    lengths = [len(d.tokens) for d in documents]
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int32)
    supervised = np.concatenate([d.supervised for d in documents])
    tokens = np.concatenate([d.tokens for d in documents]).astype(np.int32)
    first = np.repeat(starts, lengths).astype(np.int32)
    targets = np.flatnonzero(supervised)
    owner = np.repeat(np.arange(len(documents), dtype=np.int32), lengths)
    return Pack(
        tokens=tokens,
        positions=np.arange(len(tokens), dtype=np.int32) - first,
        first=first,
        rows=targets - 1,
        targets=np.ascontiguousarray(tokens[targets]),
        document=np.ascontiguousarray(owner[targets]),
    )


def items_sha256(items: Sequence[Item]) -> str:
    """Return a hash of everything that is learned, to recognise the same data again."""
    digest = hashlib.sha256()
    for document in (part for item in items for part in item.parts):
        digest.update(len(document.tokens).to_bytes(8, "little"))
        digest.update(document.tokens.tobytes())
        digest.update(document.supervised.tobytes())
        digest.update(bytes([document.anchor]))
    return digest.hexdigest()


def _messages(row: object, name: str) -> list[Message]:
    messages = row.get("messages") if isinstance(row, dict) else None
    if not isinstance(messages, list) or not messages:
        raise ImportSourceError(
            f"{name}: there is neither a 'messages' list nor a 'text'; write one of them."
        )
    checked = check_messages(messages, name)
    if all(message.role != "assistant" for message in checked):
        raise ImportSourceError(
            f"{name}: no message is the assistant's, so nothing can be learned; add an answer."
        )
    return checked


def check_messages(messages: Sequence[object], name: str) -> list[Message]:
    """Return the messages of a JSON list.

    Raises:
        ImportSourceError: one is not a message.
    """
    checked = []
    for message in messages:
        role = message.get("role") if isinstance(message, dict) else None
        content = message.get("content") if isinstance(message, dict) else None
        if role not in _ROLES or not isinstance(content, str):
            known = ", ".join(_ROLES)
            raise ImportSourceError(
                f"{name}: this message is not complete; give it a 'role' ({known}) and a text "
                "as 'content'."
            )
        checked.append(Message(role, content))
    return checked
