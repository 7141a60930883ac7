"""Learning what a sentence is, from the labelled sentences that the project ships.

Regularisation and thresholds come from cross-validation on these sentences alone; those by which
the outcome is judged (`benchmarks/statement_items`) are by other hands and of other topics.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ondevice.memory.forming.classifier import (
    ABOUTS,
    KINDS,
    LABELS,
    SENTENCES,
    STATEMENT,
    TELLING,
    Weights,
    inputs_of,
)
from ondevice.memory.regression import applied, descend, softmax

if TYPE_CHECKING:
    import numpy as np

    from ondevice.memory.embedders.protocol import Embedder

STRENGTHS = (0.03, 0.1)  # of the regularisation, of which the likeliest is taken
FOLDS = 5
# Of the sentences that are taken at once, and of those that wait, so many must be statements. The
# sentences are harder than what people write: half of those that are none look like one.
SURE_PRECISION = 0.90
UNSURE_PRECISION = 0.80


def learn(embedder: Embedder) -> Weights:
    """Return the weights for an embedder: some seconds.

    Raises:
        RecallError: the embedder is missing or damaged.
    """
    lines = [line for path in SENTENCES for line in path.read_text("utf-8").splitlines()]
    rows = [json.loads(line) for line in lines]
    return fitted(rows, embedder.embed([row["text"] for row in rows]), embedder.sha256)


def fitted(rows: Sequence[dict[str, Any]], vectors: np.ndarray, embedder: str) -> Weights:
    """Return the weights that fit labelled sentences.

    Args:
        rows: with `text`, `label`, `about`, `category` and sometimes `also`.
        vectors: of them.
        embedder: SHA-256 of what made the vectors.
    """
    import numpy as np

    raw = inputs_of([row["text"] for row in rows], vectors)
    shift = raw.mean(axis=0)
    # All values of an embedding share one scale: the small ones are noise.
    spread = raw.std(axis=0) + 0.05
    wide = vectors.shape[1]
    spread[:wide] = (raw[:, :wide] - shift[:wide]).std()
    scale = 1 / spread
    inputs = (raw - shift) * scale
    labels = np.array([LABELS.index(_label(row)) for row in rows])
    held_out, strength = _best(inputs, labels)
    states = np.array([row["label"] == STATEMENT for row in rows])
    kept = [row for row, one in enumerate(rows) if one["label"] == STATEMENT]
    abouts = np.array([ABOUTS.index(rows[row]["about"]) for row in kept])
    categories = np.array([KINDS.index(rows[row]["category"]) for row in kept])
    likely = held_out[:, 0]
    return Weights(
        embedder,
        shift,
        scale,
        _fit(inputs, labels, len(LABELS), strength),
        _fit(inputs[kept], abouts, len(ABOUTS), strength),
        _fit(inputs[kept], categories, len(KINDS), strength),
        sure=_threshold(likely, states, SURE_PRECISION),
        unsure=_threshold(likely, states, UNSURE_PRECISION),
    )


def _label(row: dict[str, Any]) -> str:
    return TELLING if row.get("also") else str(row["label"])


def _best(inputs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Return what is said of each sentence by weights that never saw it, and how they were made."""
    import numpy as np

    fold = np.random.default_rng(0).permutation(len(labels)) % FOLDS
    found: list[tuple[float, np.ndarray, float]] = []
    for strength in STRENGTHS:
        likely = np.zeros((len(labels), len(LABELS)))
        for number in range(FOLDS):
            out = fold == number
            weights = _fit(inputs[~out], labels[~out], len(LABELS), strength)
            likely[out] = applied(inputs[out], weights, softmax)
        loss = float(-np.log(likely[np.arange(len(labels)), labels] + 1e-12).mean())
        found.append((loss, likely, strength))
    _, likely, strength = min(found, key=lambda one: one[0])
    return likely, strength


def _fit(inputs: np.ndarray, labels: np.ndarray, classes: int, strength: float) -> np.ndarray:
    """Return the weights by which each row's label is the likeliest."""
    import numpy as np

    return descend(inputs, np.eye(classes)[labels], strength, softmax)


def _threshold(likely: np.ndarray, states: np.ndarray, precision: float) -> float:
    """Return the lowest likelihood above which the share of statements is `precision`."""
    import numpy as np

    order = np.argsort(-likely)
    reached = np.cumsum(states[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(reached >= precision)
    return float(likely[order[enough[-1]]]) if len(enough) else 1.0
