"""People made for the benchmark: a profile on its own, filled as a person would fill it."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np

from ondevice.chat.assistant import Assistant
from ondevice.chat.receipt import Receipt
from ondevice.chat.session import MemoryUse, Session
from ondevice.engine.llama import LlamaEngine
from ondevice.engine.protocol import ChatOptions
from ondevice.home import Home
from ondevice.importers import ImportOptions
from ondevice.memory.embedders.protocol import Embedder
from ondevice.memory.service import Memory
from ondevice.settings import Settings
from ondevice.store.profile import Profile

T = TypeVar("T")
STATEMENTS = 300  # that a person's memory holds
DAYS = 300  # over which they were told
NOW = datetime.datetime(2026, 11, 2, 12).timestamp()  # where an item has no date of its own
PAGE = 5  # fillers on a page of a diary; a note has two
DAY = 86_400.0


@dataclass
class Clock:
    """The present, as everything in a person's memory is told it."""

    now: float = NOW

    def __call__(self) -> float:
        """Return the present, in seconds since 1970."""
        return self.now


class RememberingEmbedder:
    """Embeds a text once: every person's memory holds much the same fillers."""

    def __init__(self, embedder: Embedder) -> None:
        """Embed with `embedder`."""
        self._embedder = embedder
        self._stored: dict[str, np.ndarray] = {}
        self._asked: dict[str, np.ndarray] = {}
        self.name, self.sha256 = embedder.name, embedder.sha256
        self.dimensions, self.calibration = embedder.dimensions, embedder.calibration
        self.setting = embedder.setting

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return what is stored of `texts`."""
        return self._through(self._stored, texts, self._embedder.embed)

    def embed_queries(self, texts: Sequence[str]) -> np.ndarray:
        """Return what is searched with."""
        return self._through(self._asked, texts, self._embedder.embed_queries)

    def count_tokens(self, text: str) -> int:
        """Return how many tokens `text` has."""
        return self._embedder.count_tokens(text)

    def _through(self, known, texts, make) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, make(new), strict=True))
        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        return np.stack([known[text] for text in texts])


@dataclass(frozen=True)
class Asked:
    """A request as the model was shown it, and its answer.

    Attributes:
        lines: everything before the request itself, without the rules of the prompt's form.
        beside: how many notes stood beside the request.
        note_tokens: of the notes before the conversation and beside the request.
        answer: empty if none was generated.
    """

    lines: tuple[str, ...]
    beside: int
    note_tokens: int
    answer: str = ""


@dataclass
class Person:
    """Somebody with a memory, and an assistant that answers from it."""

    memory: Memory
    assistant: Assistant
    clock: Clock
    folder: Path
    _files: Iterator[int] = field(default_factory=itertools.count)

    # --- telling ------------------------------------------------------------------------

    def add(self, text: str, moment: float) -> str:
        """Tell by `memory add`; return the statement as it is kept."""
        self.clock.now = moment
        return self.memory.keep(text).fact.text

    def say(self, text: str, moment: float) -> list[str]:
        """Say it in a conversation of its own, which no model answers; return the statements."""
        self.clock.now = moment
        turns = self.memory.profile.turns
        vector = self.memory.recall.embedding.embed([text])
        turn = turns.add(turns.new_conversation(), "user", text, time=moment, vector=vector)
        return [kept.fact.text for kept in self.memory.keep_from(turn)]

    def write(self, texts: Sequence[tuple[str, float]], *, diary: bool) -> None:
        """Import Markdown files, one a text: notes, or pages of a diary."""
        folder = self.folder / ("diary" if diary else "notes")
        folder.mkdir(exist_ok=True)
        for number, (text, moment) in enumerate(texts):
            day = datetime.date.fromtimestamp(moment).isoformat()
            name = f"{day} {number}" if diary else f"note {number}"
            (folder / f"{name}.md").write_text(f"---\ndate: {day}\n---\n{text}\n", "utf-8")
        self.memory.import_paths([folder])

    def chat(self, lines: Sequence[Sequence[str]], me: str, moment: float) -> None:
        """Import a chat as WhatsApp exports it, in which the person is called `me`."""
        path = self.folder / f"WhatsApp Chat {next(self._files)}.txt"
        written = []
        for number, (name, text) in enumerate(lines):
            when = datetime.datetime.fromtimestamp(moment + 60 * number)
            written.append(f"{when:%d.%m.%y, %H:%M} - {name}: {text}")
        path.write_text("\n".join(written) + "\n", "utf-8")
        options = ImportOptions(me=(me,), day_first=True)
        self.memory.import_paths([path], options=options)

    # --- asking -------------------------------------------------------------------------

    def session(self, memory: MemoryUse = "read-only") -> Session:
        """Return a new conversation; unless `memory` is "on" it leaves no trace."""
        return self.assistant.session(memory=memory)

    def ask(self, text: str, max_tokens: int = 0, *, session: Session | None = None) -> Asked:
        """Ask in a conversation, a new one if None; without `max_tokens` nothing is generated."""
        session = session or self.session()
        if max_tokens:
            reply = session.chat(text, self._options(max_tokens)).finish()
            receipt, answer = reply.receipt, reply.text
            content = session.transcript.exchanges[-1].user
            earlier = session.transcript.exchanges[:-1]
        else:
            receipt, answer = Receipt(), ""
            with session.generating():
                content = session.begin(text, self._options(64), receipt)
            earlier = session.transcript.exchanges[:]
        prefix = session.transcript.prefix or ""
        rules = session.transcript.form.rules[:24]
        notes = [line for line in prefix.split("\n") if not rules or not line.startswith(rules)]
        said = [line for one in earlier for line in f"{one.user}\n{one.answer}".split("\n")]
        beside = content.removesuffix(text)
        count = self.assistant.engine.count_tokens
        return Asked(
            (*notes, *said, *beside.split("\n")),
            sum(memory.place == "turn" for memory in receipt.used),
            count("\n".join(notes)) + (count(beside) if beside else 0),
            answer,
        )

    def pass_turn(self, session: Session, text: str, answer: str) -> None:
        """Let a turn pass with a ready answer, kept and shown as if the model had given it."""
        receipt = Receipt()
        with session.generating():
            content = session.begin(text, self._options(64), receipt)
            session.end(content, answer, receipt)

    def _options(self, max_tokens: int) -> ChatOptions:
        defaults = ChatOptions.from_settings(self.assistant.settings.generation)
        return dataclasses.replace(defaults, temperature=0.0, max_tokens=max_tokens)


class People:
    """Makes people, one after another, who share a model and an embedder."""

    def __init__(
        self, home: Home, engine: LlamaEngine, embedder: Embedder, fillers: Sequence[str]
    ) -> None:
        """Make them in `home`; `fillers` are small things that no request depends on."""
        self._home, self.engine, self._fillers = home, engine, list(fillers)
        self._embedder = RememberingEmbedder(embedder)
        self._numbers = itertools.count()
        self._open = contextlib.ExitStack()
        self._known: dict[str, tuple[Person, Any]] = {}

    def __enter__(self) -> Self:
        """Return the people themselves."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close every profile that is still open."""
        self._open.close()

    def known(self, key: str, tell: Callable[[Person], T]) -> tuple[Person, T]:
        """Return somebody who stays for the whole run, and what `tell` returned of them once."""
        if key not in self._known:
            person = self._open.enter_context(self.person())
            self._known[key] = (person, tell(person))
        return self._known[key]

    @contextlib.contextmanager
    def person(self) -> Iterator[Person]:
        """Yield somebody who has told nothing yet."""
        name = f"person-{next(self._numbers)}"
        clock, settings = Clock(), Settings()
        with (
            tempfile.TemporaryDirectory() as folder,
            Profile.create(self._home, name) as profile,
        ):
            memory = Memory(profile, self._embedder, settings, clock=clock)
            assistant = Assistant(self.engine, memory, settings)  # never closed: the engine stays
            assistant.choose_adapters(None)
            yield Person(memory, assistant, clock, Path(folder))

    def fillers(self, n: int, seed: str) -> list[str]:
        """Return `n` fillers, or all there are, in an order of their own for each seed."""
        n = max(0, min(n, len(self._fillers)))
        return random.Random(f"fillers {seed}").sample(self._fillers, n)

    def mixed(
        self, told: Sequence[str], seed: str, *, of: int = STATEMENTS
    ) -> list[tuple[int | None, str, float]]:
        """Return what was told among fillers: its number, None for a filler; text; and when.

        Together they are `of`, told evenly over the last months, the newest an hour ago.
        """
        everything: list[tuple[int | None, str]] = list(enumerate(told))
        everything += [(None, text) for text in self.fillers(of - len(told), seed)]
        random.Random(f"order {seed}").shuffle(everything)
        step = DAYS * DAY / max(len(everything), 1)
        first = NOW - 3600 - step * (len(everything) - 1)
        return [(n, text, first + place * step) for place, (n, text) in enumerate(everything)]
