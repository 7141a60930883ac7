"""A thread that has computed lets its team of OpenMP threads go."""

import threading
import time
from pathlib import Path

import pytest

from ondevice.engine.llama import LlamaEngine
from ondevice.ground.openmp import release_team
from ondevice.home import Home
from ondevice.models.base_model import BaseModel
from ondevice.settings import ModelSettings


def n_threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_an_engine_that_is_done_keeps_no_team(default_model: BaseModel, home: Home) -> None:
    with LlamaEngine(default_model, ModelSettings(n_ctx=256, n_threads=2), home) as engine:
        engine.score("A fox.", context="The hen said: ")
        time.sleep(0.2)  # threads that only loaded the model need a moment to be gone
        before = n_threads()
        release_team()
        assert n_threads() == before, "there was a team left to let go"
        found = []
        other = threading.Thread(target=lambda: found.append(engine.score("A fox.").tokens))
        other.start()
        other.join()
        assert found
        deadline = time.monotonic() + 5
        while n_threads() > before and time.monotonic() < deadline:
            time.sleep(0.01)  # threads that have been joined may need a moment to be gone
        assert n_threads() <= before
