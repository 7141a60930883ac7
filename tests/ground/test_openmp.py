"""A thread that has computed lets its team of OpenMP threads go."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ondevice.engine.llama import LlamaEngine
from ondevice.ground.openmp import release_team
from ondevice.home import Home
from ondevice.models.base_model import BaseModel
from ondevice.settings import ModelSettings

pytestmark = pytest.mark.model  # threads of the real engine are counted


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


def spin_count(load: str, **environment: str) -> str:
    """What GNU's OpenMP says it does when the program `load` has loaded it; "" if it does not."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("GOMP_", "OMP_"))}
    done = subprocess.run(
        [sys.executable, "-c", load],
        check=True,
        capture_output=True,
        text=True,
        env={**clean, "OMP_DISPLAY_ENV": "verbose", **environment},
        cwd=Path(__file__).parents[2],
    )
    found = re.search(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr)
    return found[1] if found else ""


LOADS = {
    "engine": "from ondevice.models import native; native.llama_cpp()",
    "python": "import ondevice, llama_cpp",
    "child": "from ondevice.models import contact_child; contact_child.native.llama_cpp()",
}


@pytest.mark.parametrize("way", LOADS)
def test_threads_wait_awake_for_a_short_time_only(way: str) -> None:
    if not spin_count("import llama_cpp"):
        pytest.skip("llama.cpp computes with another implementation here")
    assert int(spin_count("import llama_cpp")) >= 300_000
    assert int(spin_count(LOADS[way])) <= 3_000


def test_what_the_person_set_is_obeyed() -> None:
    load = LOADS["engine"]
    if not spin_count("import llama_cpp"):
        pytest.skip("llama.cpp computes with another implementation here")
    assert spin_count(load, GOMP_SPINCOUNT="77") == "77"
    for policy in ("active", "passive"):
        set_alone = spin_count("import llama_cpp", OMP_WAIT_POLICY=policy)
        assert spin_count(load, OMP_WAIT_POLICY=policy) == set_alone
