"""Where a run works: one at a time, encrypted checkpoints, enough room on the disk."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator

from ondevice.errors import LearningError
from ondevice.ground.files import write_atomic
from ondevice.store.profile import Profile

_BUDGET = "learn.budget.json"  # numbers only: seconds, and the tokens that they were found to be


class Workplace:
    """The files of a run beside a profile's database."""

    def __init__(self, profile: Profile) -> None:
        """Work for the open `profile`."""
        self.folder = profile.folder
        self._files = profile.adapters.files
        self._budget = self.folder / _BUDGET

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs on this profile away.

        Raises:
            LearningError: one is under way.
        """
        from filelock import Timeout

        try:
            held = self._files.training_lock().acquire()
        except Timeout as error:
            raise LearningError(
                "Another run is learning from this profile; wait until it is done, or stop it."
            ) from error
        with held:
            self._files.clear_half_written()  # by a run that died
            yield

    def need_room(self, n_bytes: int) -> None:
        """Check that so many bytes can be written.

        Raises:
            LearningError: the disk is too full; nothing was written.
        """
        free = shutil.disk_usage(self.folder).free
        if free < n_bytes:
            raise LearningError(
                f"Learning needs about {n_bytes >> 20} MB on the disk of {self.folder}, but "
                f"only {free >> 20} MB are free; free some space and run it again."
            )

    def remembered_budget(self, seconds: float) -> int | None:
        """Return the tokens that this time budget was found to be in an unfinished run."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            stored = json.loads(self._budget.read_text(encoding="ascii"))
            if self.is_unfinished and stored["seconds"] == seconds:
                return int(stored["tokens"])
        return None

    def remember_budget(self, seconds: float, tokens: int) -> None:
        """Keep a budget for a run that goes on after this one was stopped."""
        write_atomic(self._budget, json.dumps({"seconds": seconds, "tokens": tokens}).encode())

    @property
    def is_unfinished(self) -> bool:
        """Whether an earlier run was stopped and can go on."""
        return any(self._files.checkpoint(method).exists() for method in ("sft", "dpo"))

    def clear(self) -> None:
        """Delete what an unfinished run left; it holds traces of what it learned."""
        self._files.clear_checkpoints()
        self._budget.unlink(missing_ok=True)
