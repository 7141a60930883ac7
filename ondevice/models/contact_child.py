"""What the child of `first_contact` does: load a model file and evaluate a few tokens.

It gets the file's path and its own bounds on standard input, and answers with one line of JSON.
Nothing else reaches it: no profile, no text of a person.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ondevice.ground.processor import physical_cores
from ondevice.models import native

_TEXT = "Hello, world! 1 + 1 = 2\n"
_N_CTX = 256
_MAX_THREADS = 4


def main() -> None:
    """Read the task, try the file, and say how that went."""
    task = json.loads(sys.stdin.buffer.read())
    native.llama_cpp()
    # From here on whatever happens is the file's doing.
    print("ready", flush=True)
    _bound(task["memory"], task["seconds"])
    fault = try_model(Path(task["path"]))
    print(json.dumps({"fault": fault}), flush=True)


def _bound(memory: int, seconds: int) -> None:
    """Bound the memory and the time of this process, where the system can."""
    with contextlib.suppress(ImportError):  # Windows: the parent's patience is the only bound
        import resource

        # Not the address space: the mapped file would count, and threads reserve much of it.
        bounds = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_DATA: memory,
            resource.RLIMIT_CPU: _MAX_THREADS * seconds,  # if the parent is gone
        }
        for kind, wanted in bounds.items():
            highest = resource.getrlimit(kind)[1]
            value = wanted if highest == resource.RLIM_INFINITY else min(wanted, highest)
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(kind, (value, highest))


def try_model(path: Path) -> str:
    """Do with the file what a chat does first; return what is wrong with it, "" if nothing is."""
    lib, pointer = native.llama_cpp(), native.open_model(path)
    if not pointer:
        return _fault("cannot load it")
    vocab = native.Vocab(pointer)
    n_ctx = min(_N_CTX, max(1, lib.llama_model_n_ctx_train(pointer)))
    context = native.new_context(pointer, n_ctx, min(_MAX_THREADS, physical_cores()))
    if not context:
        return _fault("cannot make a context for it")
    if not vocab.encode(_TEXT):
        return "cannot be used: its vocabulary has no token for a word"
    tokens = vocab.encode(_TEXT, add_bos=vocab.adds_bos)[: max(1, min(4, n_ctx - 1))]
    if not _evaluates(context, tokens):
        return _fault("cannot evaluate text with it")
    logits = np.ctypeslib.as_array(lib.llama_get_logits_ith(context, -1), shape=(vocab.n_vocab,))
    if np.isnan(logits).any():
        return "cannot be used: what it computes is not numbers"
    token = int(logits.argmax())
    vocab.piece(token)
    return "" if _evaluates(context, [token]) else _fault("cannot write a text with it")


def _fault(what: str) -> str:
    return f"cannot be used: llama.cpp {what} ({native.last_error() or 'no reason given'})"


def _evaluates(context: Any, tokens: list[int]) -> bool:
    lib, array = native.llama_cpp(), (ctypes.c_int32 * len(tokens))(*tokens)
    code: int = lib.llama_decode(context, lib.llama_batch_get_one(array, len(tokens)))
    return code == 0
