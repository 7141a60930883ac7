"""What makes tests quick and changes nothing that they are about: parts that are made only once."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

QUICK_COST = (64, 1, 1)  # KiB, iterations, lanes


def keep_bytecode(folder: Path) -> None:
    """Keep what Python and pytest compile in `folder`, where nothing may be left beside sources.

    With `PYTHONDONTWRITEBYTECODE`, which containers like to set, every process of a run would
    compile all tests anew: half the time that collecting them takes.
    """
    if sys.dont_write_bytecode:
        sys.dont_write_bytecode = False
        sys.pycache_prefix = str(folder)


def make_passphrases_cheap(patch: pytest.MonkeyPatch) -> None:
    """Let new passphrases cost next to nothing to try; the product's own cost is tested apart."""
    from ondevice.store.access.passphrase import Cost

    patch.setattr(Cost.__init__, "__defaults__", QUICK_COST)


def share_sessions(patch: pytest.MonkeyPatch) -> None:
    """Open each file with ONNX Runtime once a process, however many embedders use it.

    A file that has changed is opened again, and so is one with other options.
    """
    import onnxruntime

    sessions: dict[object, Any] = {}
    original: Callable[..., Any] = onnxruntime.InferenceSession

    def shared(path: object, sess_options: Any = None, **others: Any) -> Any:
        file = Path(os.fspath(path)) if isinstance(path, str | os.PathLike) else None
        if file is None or not file.is_file():
            return original(path, sess_options=sess_options, **others)
        state = file.stat()
        key = (file, state.st_mtime_ns, state.st_size, _said(sess_options), repr(others))
        if key not in sessions:
            sessions[key] = original(path, sess_options=sess_options, **others)
        return sessions[key]

    patch.setattr(onnxruntime, "InferenceSession", shared)


def _said(options: Any) -> str:
    names = [name for name in dir(options) if not name.startswith("_")]
    values = {name: getattr(options, name) for name in names}
    return repr({name: v for name, v in values.items() if isinstance(v, int | float | str)})


@functools.cache
def command_schemas() -> Mapping[str, Any]:
    """Return a validator for what each command prints with `--json`."""
    import jsonschema
    from json_schemas import schemas

    return {name: jsonschema.Draft202012Validator(schema) for name, schema in schemas().items()}
