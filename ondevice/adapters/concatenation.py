"""Several adapters as one: factors side by side along the rank, scales folded into B."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ondevice.adapters.gguf_lora import LoraAdapter, LoraPair


def concatenate(parts: Sequence[tuple[LoraAdapter, float]]) -> LoraAdapter:
    """Return one adapter that adds what `parts`, each at its scale, add together.

    A pair of rank r contributes alpha / r times B A. The result keeps the first one's alpha; what
    differs from that is folded into B.

    Args:
        parts: adapters for the same base, and their scales; the first one's provenance is kept.
    """
    first = parts[0][0]
    tensors: dict[str, LoraPair] = {}
    for name in dict.fromkeys(name for adapter, _ in parts for name in adapter.tensors):
        present = [(p.tensors[name], scale, p.alpha) for p, scale in parts if name in p.tensors]
        rank = sum(pair.rank for pair, _, _ in present)
        a = np.concatenate([pair.a for pair, _, _ in present])
        b = np.concatenate(
            [pair.b * np.float32(scale * alpha / pair.rank) for pair, scale, alpha in present],
            axis=1,
        )
        tensors[name] = LoraPair(
            np.ascontiguousarray(a), np.ascontiguousarray(b * np.float32(rank / first.alpha))
        )
    return LoraAdapter(first.architecture, first.alpha, tensors, dict(first.provenance))
