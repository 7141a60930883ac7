"""The whole loop, live, on a profile in a temporary folder that is destroyed at the end."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ondevice.adapters import forgetting
from ondevice.adapters.registry import AdapterRegistry
from ondevice.assistant import Assistant
from ondevice.demo import person
from ondevice.engine.protocol import ChatOptions
from ondevice.home import Home
from ondevice.learning.options import LearnOptions, Tell
from ondevice.learning.report import LearnReport
from ondevice.profile.records import Fact, ForgetPreview
from ondevice.profile.store import Profile
from ondevice.recall.embedder import Embedder
from ondevice.settings import Settings

# The first is asked as her writing is learned, about something that she never wrote; the second
# one needs a memory.
QUESTIONS = (
    "Write as me: the towpath is muddy today.",
    "What is my cat called?",
)
SECRET = "cat"  # what the fact that is forgotten is about
FAST_SECONDS, SECONDS = 8.0, 100.0  # of training
_ANSWER = ChatOptions(temperature=0.0, max_tokens=60)


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
        from ondevice.base.models import resolve
        from ondevice.engine.llama import LlamaEngine

        self.fast = fast
        self.folder = Path(tempfile.mkdtemp(prefix="ondevice-demo-"))  # mode 0700
        try:
            settings = Settings()
            base = resolve(model or settings.model.name, Home.default())
            home = Home.below(self.folder)
            # A passphrase that nobody knows: what is left after a crash cannot be read.
            profile = Profile.create(home, "ottilie", passphrase=secrets.token_urlsafe())
            engine = LlamaEngine(base, settings.model, home)
            self.me = Assistant(engine, profile, Embedder(), settings)
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
        assert self.me.embedder is not None
        assert self.me.recaller is not None
        count = person.store(self.profile, self.me.embedder, progress)
        self.me.recaller.invalidate()
        return count

    def answers(self, adapter: str | None) -> Iterator[tuple[str, str]]:
        """Yield her questions with the model's answers, with the memory in the prompt."""
        self.me.use_adapters([] if adapter is None else [(adapter, None)])
        for question in QUESTIONS:
            yield question, self._ask(question)

    def learn(self, tell: Tell | None = None) -> LearnReport:
        """Learn from her profile, live."""
        options = LearnOptions(time_budget=SECONDS, quick=True)
        if self.fast:  # verdicts are learned as answers only
            options = LearnOptions(method="sft", time_budget=FAST_SECONDS, quick=True)
        return self.me.learn(options, tell=tell)

    def forget(self) -> AfterForgetting:
        """Forget what her cat is called, and look for it."""
        (fact,) = [f for f in self.profile.facts(state="active") if _is_secret(f)]
        name = fact.text.rstrip(".").split()[-1]
        ids = [fact.id, *self.profile.matching(words=name)]
        shown = forgetting.preview(self.profile, list(dict.fromkeys(ids)))
        report = self.me.forget(*(record.id for record in shown.records))
        registry = AdapterRegistry(self.profile)
        stale = [row for row in registry.list() if row.state == "stale"]
        return AfterForgetting(
            shown,
            report.adapters_stale,
            not any(registry.file_exists(row) for row in stale),
            len(self.profile.matching(words=name)),
            self._ask(QUESTIONS[1]),
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
        from ondevice.profile.store import wipe_profile

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
