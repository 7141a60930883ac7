"""The first load of a model file, in a process of its own.

llama.cpp ends the process, or worse, where a file is not what it expects, and no header tells all
of that. So a file that nobody here has loaded before is loaded by a child, which evaluates one
token and has bounds on memory and time; if the child dies, the program and what it holds do not.
How that ended is noted by the file's SHA-256, so that later loads cost nothing.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ondevice.errors import BaseModelError, InvalidModelError, explain
from ondevice.models.notes import note, read_notes
from ondevice.remedies import Remedy

_CACHE = "first-contact.json"
_ROUND = "2"  # of what the child tries; a higher one tries every file again
_READY = "ready"
_SLOWEST = 20e6  # bytes a second at which a file is read and loaded
_PATIENCE = 60.0  # seconds beside that
_MEMORY = 2 << 30  # bytes beside twice the file, which llama.cpp may repack
# Not `-m`: that would look for our package in the folder that the person happens to be in.
_SCRIPT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from ondevice.models.contact_child import main; main()"
)


@dataclass(frozen=True)
class _Outcome:
    """How a child ended.

    Attributes:
        fault: what is wrong with the file, as the end of a sentence; "" if nothing is.
        lasting: whether it would end like this again.
    """

    fault: str
    lasting: bool = True


def check_first_contact(path: Path, sha256: str, cache: Path, *, again: bool = False) -> None:
    """Make sure that llama.cpp survives the file at `path`; a child tries it if nobody has yet.

    Args:
        path: a GGUF file whose header was checked.
        sha256: of the file.
        cache: the folder where outcomes are noted.
        again: try it even if that was done before.

    Raises:
        InvalidModelError: it cannot be loaded, or the process that tried has died.
        BaseModelError: no process could be started.
    """
    notes, key = cache / _CACHE, f"{sha256}|{_version()}"
    fault = None if again else read_notes(notes).get(key)
    if fault is None:
        outcome = _try(path)
        fault = outcome.fault
        if outcome.lasting:
            note(notes, key, fault, outdated=lambda other: not other.endswith(f"|{_version()}"))
    if fault:
        raise InvalidModelError(
            f"{path} {fault}; get the file again or use another model.", Remedy.TRY_MODEL
        )


def _version() -> str:
    """Return what an outcome depends on beside the file."""
    try:
        version = importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"
    return f"{_ROUND}-{version}"


def _try(path: Path) -> _Outcome:
    """Let a child load the file."""
    size = path.stat().st_size
    seconds = _PATIENCE + size / _SLOWEST
    task = {"path": str(path), "memory": _MEMORY + 2 * size, "seconds": round(seconds)}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _SCRIPT, json.dumps(sys.path)],
            input=json.dumps(task).encode(),
            capture_output=True,
            timeout=seconds,
            env=_environment(),
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except subprocess.TimeoutExpired:
        return _Outcome(f"was not loaded within {seconds:.0f} seconds")
    except OSError as error:
        raise BaseModelError(
            f"{path} is new, and no process could be started to try it: {explain(error)}."
        ) from error
    said = done.stdout.decode("utf-8", "replace").splitlines()
    complaint = _last_line(done.stderr)
    if _READY not in said:
        raise BaseModelError(
            f"{path} is new, and llama.cpp could not be started to try it "
            f"({complaint or _death(done.returncode)}).",
            Remedy.DIAGNOSE,
        )
    if done.returncode == 0 and said[-1] != _READY:
        return _Outcome(_plain(json.loads(said[-1])["fault"]))
    reason = f" ({complaint})" if complaint else ""
    fault = f"cannot be used: llama.cpp {_death(done.returncode)} when it was tried{reason}"
    return _Outcome(fault, lasting=done.returncode != -getattr(signal, "SIGKILL", 9))


def _environment() -> dict[str, str]:
    """Return the child's environment: ours, without our own settings and with fewer threads."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ONDEVICE_")}
    # A backtrace would start a debugger. OpenBLAS reserves memory for every thread.
    return {**kept, "GGML_NO_BACKTRACE": "1", "OPENBLAS_NUM_THREADS": "1"}


def _death(code: int) -> str:
    """Say what a process died of."""
    if code >= 0:
        return f"ended with code {code if code < 256 else hex(code)}"
    known = {
        "SIGABRT": "gave up",
        "SIGSEGV": "crashed",
        "SIGBUS": "crashed",
        "SIGILL": "crashed",
        "SIGFPE": "divided by zero",
        "SIGKILL": "was killed by the system, perhaps for want of memory,",
        "SIGXCPU": "computed without an end",
    }
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"{known.get(name, 'ended')} [{name}]"


def _last_line(stderr: bytes) -> str:
    """Return the last thing that a child complained of, without the place where it was built."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    return _plain(re.sub(r"^\S*[/\\](?=[^/\\\s]+:\d+: )", "", last))


def _plain(text: str) -> str:
    """Return a text in which names from the file may stand as one of a bounded, printable line."""
    return "".join(c if c.isprintable() else "?" for c in text)[:300]
