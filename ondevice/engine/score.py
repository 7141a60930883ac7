"""Log-likelihoods from logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ondevice.engine.context import PROMPT_CHUNK, InferenceContext

_ROWS = 32  # of logits turned to float64 at once: 32 x 262,144 x 8 bytes = 64 MB at the worst


def log_likelihood(
    context: InferenceContext, before: Sequence[int], tokens: Sequence[int], *, keep: bool
) -> npt.NDArray[np.float64]:
    """Return the log-likelihood of each of `tokens` after `before` (at least one token).

    The text before is always evaluated in the same parts, and reused only if it was
    evaluated here before (`keep`), so that a score never depends on what ran earlier.
    """
    if not (keep and context.common_prefix(before[:-1]) == len(before) - 1):
        context.clear()
        context.evaluate(before[:-1])
    context.keep_prefix(len(before) - 1)
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
