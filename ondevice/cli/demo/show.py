"""The whole loop, live, on a profile in a temporary folder that is destroyed at the end."""

from __future__ import annotations

import contextlib
import math
import secrets
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ondevice.adapters.registry import AdapterRegistry
from ondevice.chat import Assistant
from ondevice.cli.demo import person
from ondevice.engine.protocol import ChatOptions
from ondevice.evaluation.arms import plain_messages
from ondevice.evaluation.items import continue_request
from ondevice.evaluation.measure import option_scores
from ondevice.home import Home
from ondevice.learning.options import LearnOptions, Tell
from ondevice.learning.report import LearnReport
from ondevice.memory.embedders.choose import open_embedder
from ondevice.memory.service import Memory
from ondevice.settings import Settings
from ondevice.store.profile import Profile
from ondevice.store.records import Fact, ForgetPreview

QUESTION = "What is my cat called?"  # needs a memory
SECRET = "cat"  # what the fact that is forgotten is about
# Notes of hers that are kept back from the training, parted after their first sentence, and how
# somebody else might have gone on. What an adapter changes is which of the two is expected.
CONTINUATIONS = (
    (
        "Up at five for the coal barge.",
        "He does not speak and I do not either. We get on.",
        "We never talk to each other, but I think that he is a nice person.",
    ),
    (
        "The jam set too hard.",
        "I have sold two jars as doorstops, at the same price.",
        "I should have cooked it for a shorter time and used less sugar.",
    ),
    (
        "I like a boat with a patch on it.",
        "It has been somewhere and come back.",
        "It shows that the owner takes good care of it.",
    ),
)
FAST_SECONDS, SECONDS = 8.0, 100.0  # of training
_ANSWER = ChatOptions(temperature=0.0, max_tokens=60)


@dataclass(frozen=True)
class Expected:
    """How the model expects one of her notes to go on: perplexities, lower is likelier.

    Attributes:
        opening: how it begins.
        own: of her own next words, which it has not seen.
        other: of those that somebody else might have written.
    """

    opening: str
    own: float
    other: float


@dataclass(frozen=True)
class AfterForgetting:
    """What was looked at after a memory was forgotten.

    Attributes:
        preview: what was shown before.
        stale: adapters that had learned it.
        files_gone: whether their files are shredded.
        found: memories that still hold the word.
        answer: to the question that it had answered.
    """

    preview: ForgetPreview
    stale: tuple[str, ...]
    files_gone: bool
    found: int
    answer: str


class Demo:
    """One run; use it in a `with` block, which cleans up."""

    def __init__(self, model: str | None = None, *, fast: bool = False) -> None:
        """Make the profile and load the model.

        Args:
            model: a base model by name or path.
            fast: learn for seconds instead of minutes.
        """
        from ondevice.engine.llama import LlamaEngine
        from ondevice.models.base_model import resolve

        self.fast = fast
        self.folder = Path(tempfile.mkdtemp(prefix="ondevice-demo-"))  # mode 0700
        try:
            settings = Settings()
            base = resolve(model or settings.model.name, Home.default())
            home = Home.below(self.folder)
            # A passphrase that nobody knows: what is left after a crash cannot be read.
            profile = Profile.create(home, "ottilie", passphrase=secrets.token_urlsafe())
            engine = LlamaEngine(base, settings.model, home)
            embedder = open_embedder(settings.recall.embedder, Home.default())
            self.me = Assistant(engine, Memory(profile, embedder, settings), settings)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    @property
    def profile(self) -> Profile:
        """Her profile."""
        assert self.me.profile is not None
        return self.me.profile

    def fill(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Store what she wrote; return how many records that is."""
        count = person.store(self.profile, self.me.memory.embedder, progress)
        self.me.memory.recall.invalidate()
        return count

    def answer(self, adapter: str | None) -> str:
        """Return the model's answer to `QUESTION`, with the memory in the prompt."""
        self._use(adapter)
        return self._ask(QUESTION)

    def expectations(self, adapter: str | None) -> list[Expected]:
        """Return how the model expects each of `CONTINUATIONS` to go on, without any notes."""
        self._use(adapter)
        engine, found = self.me.engine, []
        for opening, *endings in CONTINUATIONS:
            prompt = engine.encode_prompt(plain_messages(continue_request(opening)))
            options = [engine.tokenize(text) for text in endings]
            own, other = (math.exp(-score) for score in option_scores(engine, options, prompt))
            found.append(Expected(opening, own, other))
        return found

    def _use(self, adapter: str | None) -> None:
        self.me.adapters.choose([] if adapter is None else [(adapter, None)])

    def learn(self, tell: Tell | None = None) -> LearnReport:
        """Learn from her profile, live."""
        options = LearnOptions(time_budget=SECONDS, quick=True)
        if self.fast:  # verdicts are learned as answers only
            options = LearnOptions(method="sft", time_budget=FAST_SECONDS, quick=True)
        return self.me.learning.learn(options, tell=tell)

    def forget(self) -> AfterForgetting:
        """Forget what her cat is called, and look for it."""
        (fact,) = [f for f in self.profile.facts.all(state="active") if _is_secret(f)]
        name = fact.text.rstrip(".").split()[-1]
        ids = [fact.id, *self.profile.matching(words=name)]
        shown = self.profile.preview_forget(list(dict.fromkeys(ids)))
        report = self.me.forget(*(record.id for record in shown.records)).report
        registry = AdapterRegistry(self.profile)
        stale = [row for row in registry.list() if row.state == "stale"]
        return AfterForgetting(
            shown,
            report.adapters_stale,
            not any(self.profile.adapters.files.exists(row.id) for row in stale),
            len(self.profile.matching(words=name)),
            self._ask(QUESTION),
        )

    def _ask(self, question: str) -> str:
        """Answer as a chat would, without keeping the turn: the demo's questions are not hers."""
        me = self.me
        me.new_conversation()
        reply = me.ask(question, _ANSWER)
        ids = [reply.receipt.user_turn_id, reply.receipt.assistant_turn_id]
        self.profile.forget([turn_id for turn_id in ids if turn_id is not None])
        return reply.text.strip()

    def close(self) -> None:
        """Free the model, destroy the keys, and delete everything."""
        name, home = self.profile.name, Home.below(self.folder)
        self.me.close()
        from ondevice.store.profiles import wipe_profile

        with contextlib.suppress(OSError):
            wipe_profile(home, name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Demo:
        """Return the demo itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Clean up, also after Ctrl-C."""
        self.close()


def _is_secret(fact: Fact) -> bool:
    return f"{SECRET} is called" in fact.text
