"""How far a model's expectations drift from a reference's: the Kullback-Leibler divergence.

For a token with the reference's probabilities p and the model's q over the vocabulary,

    KL(p | q) = sum over v of p_v (log p_v - log q_v),    d KL / d logit_v = q_v - p_v,

which needs no token to be right. As many tokens are computed at once as keep
[tokens, vocabulary] arrays small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ondevice import _kernels
from ondevice._kernels import Packed, Weight

if TYPE_CHECKING:
    from ondevice._kernels import F32, Precision

CHUNK_FLOATS = 2 << 20  # of one [tokens, vocabulary] array: 8 MB


def divergences(
    h: F32,
    reference: F32,
    head: Weight,
    dh: F32 | None = None,
    weight: float = 1.0,
    *,
    precision: Precision = "auto",
) -> F32:
    """Return KL(softmax(reference Wᵀ) | softmax(h Wᵀ)) in nats, shape (S,).

    Args:
        h: the model's normed states (S, C).
        reference: the reference's (S, C).
        head: the head W (V, C).
        dh: (S, C), set to `weight` times the gradient of the sum.
        weight: see `dh`.
        precision: of the products.
    """
    found = np.empty(len(h), np.float32)
    n_rows = max(1, min(len(h), CHUNK_FLOATS // head.n))
    model, wanted = (np.empty((n_rows, head.n), np.float32) for _ in range(2))
    for start in range(0, len(h), n_rows):
        rows = slice(start, min(start + n_rows, len(h)))
        n = rows.stop - rows.start
        log_q = _log_probabilities(h[rows], head, model[:n], precision)
        log_p = _log_probabilities(reference[rows], head, wanted[:n], precision)
        p = np.exp(log_p)
        log_p -= log_q
        found[rows] = np.einsum("ij,ij->i", p, log_p)
        if dh is not None:
            gradient = np.exp(log_q, out=log_q)
            gradient -= p
            gradient *= np.float32(weight)
            _kernels.linear_backward(
                Packed(gradient, precision), head, dh[rows], precision=precision
            )
    return found


def _log_probabilities(h: F32, head: Weight, out: F32, precision: Precision) -> F32:
    """Return log softmax(h Wᵀ) (S, V) in `out`."""
    _kernels.linear_forward(h, head, out, precision=precision)
    out -= out.max(axis=1, keepdims=True)
    out -= np.log(np.exp(out).sum(axis=1, keepdims=True))
    return out
