"""Log-likelihoods from logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ondevice.engine.context import InferenceContext
from ondevice.models.native import PROMPT_CHUNK

_ROWS = 32  # of logits turned to float64 at once: 32 x 262,144 x 8 bytes = 64 MB at the worst


def reach(
    context: InferenceContext, wanted: Sequence[int], last: Sequence[int], shared: int = 0
) -> None:
    """Evaluate `wanted`, as far as it is not there already.

    It is always evaluated in the same parts, and only whole parts that were
    evaluated here are reused, so that what follows never depends on what ran
    earlier.

    Args:
        context: where to evaluate.
        wanted: tokens.
        last: what was evaluated here last with the same `shared`, if nothing ran since.
        shared: so many tokens at the beginning are a part, because others begin with them too.
    """
    shared = min(shared, len(wanted))
    kept = context.keep_prefix(_reusable(context, wanted, last, shared))
    if kept == 0:
        context.clear()
    if kept < shared:
        context.evaluate(wanted[kept:shared])
    context.evaluate(wanted[max(kept, shared) :])


def log_likelihood(
    context: InferenceContext, before: int, tokens: Sequence[int]
) -> npt.NDArray[np.float64]:
    """Return the log-likelihood of each of `tokens` after the cached tokens and `before`."""
    inputs = [before, *tokens[:-1]]
    result = np.empty(len(tokens), dtype=np.float64)
    for start in range(0, len(tokens), PROMPT_CHUNK):
        logits = context.all_logits(inputs[start : start + PROMPT_CHUNK])
        targets = tokens[start : start + PROMPT_CHUNK]
        for row in range(0, len(targets), _ROWS):
            chosen = targets[row : row + _ROWS]
            result[start + row : start + row + len(chosen)] = _log_softmax_at(
                logits[row : row + len(chosen)], chosen
            )
    return result


def _reusable(
    context: InferenceContext, wanted: Sequence[int], last: Sequence[int], shared: int
) -> int:
    """Return how many tokens of `wanted` were evaluated in the parts that they are evaluated in."""
    same = 0
    for ours, theirs in zip(wanted, last, strict=False):
        if ours != theirs:
            break
        same += 1
    if not same == len(wanted) == len(last):
        same -= (same - shared if same >= shared else same) % PROMPT_CHUNK
    return same if context.common_prefix(wanted) >= same else 0


def _log_softmax_at(
    logits: npt.NDArray[np.float32], chosen: Sequence[int]
) -> npt.NDArray[np.float64]:
    """Return log softmax(`logits`)[i, chosen[i]] for logits of shape (rows, n_vocab)."""
    exact = logits.astype(np.float64)
    exact -= exact.max(axis=1, keepdims=True)
    picked: npt.NDArray[np.float64] = exact[np.arange(len(chosen)), np.asarray(chosen)].copy()
    np.exp(exact, out=exact)
    picked -= np.log(exact.sum(axis=1))
    return picked
