"""How two adapters of a profile differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ondevice.adapters.gguf_lora import LoraAdapter, LoraPair, read_adapter
from ondevice.adapters.registry import AdapterRegistry
from ondevice.errors import AdapterError
from ondevice.store.records import AdapterRow


@dataclass(frozen=True)
class Comparison:
    """Two adapters side by side.

    Attributes:
        only_first: ids of records that only the first one was trained on.
        only_second: of those that only the second one was.
        in_both: how many both were.
        differences: what differs -> both values.
        cosine: of what they add to the weights; None if that cannot be compared.
        distance: length of the difference, as a share of the first one's length; None likewise.
    """

    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    in_both: int
    differences: dict[str, tuple[Any, Any]]
    cosine: float | None
    distance: float | None


def compare(registry: AdapterRegistry, first: str, second: str) -> Comparison:
    """Return how the adapters called `first` and `second` differ.

    Raises:
        AdapterNotFoundError: one is not there.
    """
    rows = registry.get(first), registry.get(second)
    a, b = (set(row.records) for row in rows)
    left, right = (_facts(row) for row in rows)
    names = [*left, *(name for name in right if name not in left)]
    differences = {
        name: (left.get(name), right.get(name))
        for name in names
        if left.get(name) != right.get(name)
    }
    cosine, distance = _weights(registry, rows)
    return Comparison(
        tuple(sorted(a - b)), tuple(sorted(b - a)), len(a & b), differences, cosine, distance
    )


def _facts(row: AdapterRow) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "state": row.state,
        "scale": row.scale,
        "rank": row.rank,
        "alpha": row.alpha,
        "context": row.scope,
        "base": row.base_sha256[:12],
    }
    facts |= {name: row.training.get(name) for name in ("method", "run", "from", "token_budget")}
    facts |= {f"recipe {k}": v for k, v in row.training.get("recipe", {}).items()}
    arms = row.training.get("metrics", {}).get("arms", {})
    return facts | {name: values[0] for name, values in arms.items()}


def _weights(
    registry: AdapterRegistry, rows: tuple[AdapterRow, AdapterRow]
) -> tuple[float | None, float | None]:
    """Return cosine and relative distance of the matrices that both add, over all layers."""
    try:
        first, second = (read_adapter(registry.read(row.name), None) for row in rows)
    except AdapterError:  # stale, or its file is gone
        return None, None
    if first.tensors.keys() != second.tensors.keys():
        return None, None
    dot = own = other = 0.0
    for name, pair in first.tensors.items():
        theirs = second.tensors[name]
        if pair.a.shape[1] != theirs.a.shape[1] or pair.b.shape[0] != theirs.b.shape[0]:
            return None, None
        s, t = _scale(first, pair), _scale(second, theirs)
        # Never the full matrices: <B A, D C> is the sum over (Bᵀ D) * (A Cᵀ).
        dot += s * t * _inner(pair, theirs)
        own += s * s * _inner(pair, pair)
        other += t * t * _inner(theirs, theirs)
    if own == 0 or other == 0:
        return None, None
    return dot / math.sqrt(own * other), math.sqrt(max(0.0, own + other - 2 * dot) / own)


def _inner(one: LoraPair, two: LoraPair) -> float:
    b = one.b.astype(np.float64).T @ two.b.astype(np.float64)
    a = one.a.astype(np.float64) @ two.a.astype(np.float64).T
    return float((a * b).sum())


def _scale(adapter: LoraAdapter, pair: LoraPair) -> float:
    return adapter.alpha / pair.rank
