"""Learning what is relevant, from the labelled sentences that the project ships."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ondevice.memory.learned import DATA, Arrays, learned
from ondevice.memory.regression import applied, descend, sigmoid, softmax
from ondevice.memory.relevance.judge import KINDS, MATTERS, TOPICS, Relevance

if TYPE_CHECKING:
    import numpy as np

    from ondevice.memory.embedders.protocol import Embedder

NAME, VERSION = "relevance", 2
STATEMENTS, REQUESTS = DATA / "about_me.jsonl", DATA / "requests.jsonl"
_STRENGTHS = (0.01, 0.03, 0.1)  # of the regularisation; the best in cross-validation is taken
_FOLDS = 5


def open_relevance(embedder: Embedder, cache: Path) -> Relevance:
    """Return the judge that fits an embedder.

    Raises:
        RecallError: the embedder is missing or damaged.
    """
    return Relevance(learned(NAME, VERSION, embedder.sha256, cache, lambda: learn(embedder)))


def learn(embedder: Embedder) -> Arrays:
    """Return the weights for an embedder, by embedding some 2,300 sentences.

    Raises:
        RecallError: the embedder is missing or damaged.
    """
    import numpy as np

    statements, requests = _lines(STATEMENTS), _lines(REQUESTS)
    told, shift, scale = _centred(embedder.embed([line["text"] for line in statements]))
    weight = np.array([line["matters"] for line in statements])
    steps = np.stack([weight >= step for step in range(1, MATTERS + 1)], axis=1)
    arrays = {
        "statement_shift": shift,
        "statement_scale": scale,
        "statement_matters": _fit(told, steps, sigmoid),
        "statement_topics": _fit(told, _topics_of(statements), sigmoid),
    }
    asked, shift, scale = _centred(embedder.embed_queries([line["text"] for line in requests]))
    kinds = np.eye(len(KINDS))[[KINDS.index(line["personal"]) for line in requests]]
    personal = np.array([line["personal"] != KINDS[0] for line in requests])
    about = _topics_of([line for line, one in zip(requests, personal, strict=True) if one])
    arrays |= {
        "request_shift": shift,
        "request_scale": scale,
        "request_kind": _fit(asked, kinds, softmax),
        "request_topics": _fit(asked[personal], about, sigmoid),
    }
    return arrays


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _topics_of(lines: Sequence[dict[str, Any]]) -> np.ndarray:
    import numpy as np

    return np.array([[topic in line["topics"] for topic in TOPICS] for line in lines], float)


def _centred(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return vectors around zero on one common scale, what was taken off, and the scale."""
    import numpy as np

    shift = vectors.mean(axis=0)
    spread = float((vectors - shift).std())
    scale = 1 / spread if spread > 1e-6 else 1.0  # an embedder may tell nothing
    return (vectors - shift) * scale, shift, np.array(scale)


def _fit(
    inputs: np.ndarray, wanted: np.ndarray, link: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return weights whose regularisation does best on what they have not seen."""
    import numpy as np

    if not inputs.any():
        return np.zeros((inputs.shape[1] + 1, wanted.shape[1]), dtype=np.float32)
    fold = np.random.default_rng(0).permutation(len(inputs)) % _FOLDS
    losses = []
    for strength in _STRENGTHS:
        likely = np.zeros(wanted.shape)
        for number in range(_FOLDS):
            out = fold == number
            weights = descend(inputs[~out], wanted[~out], strength, link)
            likely[out] = applied(inputs[out], weights, link)
        likely = np.clip(likely, 1e-6, 1 - 1e-6)
        losses.append(-(wanted * np.log(likely) + (1 - wanted) * np.log(1 - likely)).mean())
    return descend(inputs, wanted, _STRENGTHS[int(np.argmin(losses))], link)
