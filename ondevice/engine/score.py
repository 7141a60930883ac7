"""Log-likelihoods from logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ondevice.engine.context import PROMPT_CHUNK, InferenceContext

_ROWS = 32  # of logits turned to float64 at once: 32 x 262,144 x 8 bytes = 64 MB at the worst


def log_likelihood(
    context: InferenceContext,
    before: Sequence[int],
    tokens: Sequence[int],
    *,
    last: Sequence[int] = (),
) -> npt.NDArray[np.float64]:
    """Return the log-likelihood of each of `tokens` after `before` (at least one token).

    The text before is always evaluated in the same parts, and only whole parts
    that were evaluated here are reused, so that a score never depends on what
    ran earlier.

    Args:
        context: where to evaluate.
        before: what the first of `tokens` follows.
        tokens: what is scored.
        last: the `before` of the latest score in this context, if nothing ran since.
    """
    wanted = before[:-1]
    kept = context.keep_prefix(_reusable(context, wanted, last[:-1]))
    if kept == 0:
        context.clear()
    context.evaluate(wanted[kept:])
    inputs = [before[-1], *tokens[:-1]]
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


def _reusable(context: InferenceContext, wanted: Sequence[int], last: Sequence[int]) -> int:
    """Return how many tokens of `wanted` were evaluated in the parts that they are evaluated in."""
    same = 0
    for ours, theirs in zip(wanted, last, strict=False):
        if ours != theirs:
            break
        same += 1
    if not same == len(wanted) == len(last):
        same -= same % PROMPT_CHUNK
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
