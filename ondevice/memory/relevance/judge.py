"""What a statement is relevant for, how much it matters, and whether a request is personal.

"I'm lactose intolerant" and "Suggest a dessert" share no word and little meaning, but both are
about food, and an intolerance matters whenever food is the topic. Three logistic regressions over
embeddings say so, learned from sentences of the project (`data/about_me.jsonl`, `requests.jsonl`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ondevice.memory.regression import applied, sigmoid, softmax

if TYPE_CHECKING:
    import numpy as np

    from ondevice.memory.learned import Arrays

# In the order in which the weights have them.
TOPICS: Final = (
    "answers", "belief", "family", "fitness", "food", "garden", "health", "hobbies", "home",
    "identity", "language", "media", "money", "pets", "place", "safety", "schedule", "shopping",
    "social", "study", "technology", "transport", "travel", "work",
)  # fmt: skip
KINDS: Final = ("no", "yes", "about_me")  # whether knowing the person changes a good answer
MATTERS: Final = 2  # the greatest weight of a statement


@dataclass(frozen=True)
class Asked:
    """What a request is.

    Attributes:
        personal: how likely a good answer depends on who asks.
        topics: the direction of the person's life that it touches, a unit vector over `TOPICS`.
    """

    personal: float
    topics: np.ndarray


class Relevance:
    """Judges statements and requests by their vectors."""

    def __init__(self, arrays: Arrays) -> None:
        """Judge by what was learned; see `training.learn`."""
        self._arrays = arrays

    def asked(self, vector: np.ndarray) -> Asked:
        """Return what the request with this query vector is."""
        import numpy as np

        inputs = self._inputs("request", vector[None])
        kinds = applied(inputs, self._arrays["request_kind"], softmax)[0]
        topics = applied(inputs, self._arrays["request_topics"], sigmoid)[0]
        return Asked(1 - float(kinds[0]), topics / max(float(np.linalg.norm(topics)), 1e-9))

    def matters(self, vectors: np.ndarray) -> np.ndarray:
        """Return how much statements matter, from 0 (trivia) to 2, by their stored vectors."""
        inputs = self._inputs("statement", vectors)
        weight: np.ndarray = applied(inputs, self._arrays["statement_matters"], sigmoid).sum(axis=1)
        return weight

    def topics(self, vectors: np.ndarray) -> np.ndarray:
        """Return how far statements are relevant for each topic, shape (statements, topics)."""
        inputs = self._inputs("statement", vectors)
        return applied(inputs, self._arrays["statement_topics"], sigmoid)

    def _inputs(self, side: str, vectors: np.ndarray) -> np.ndarray:
        shift, scale = self._arrays[f"{side}_shift"], self._arrays[f"{side}_scale"]
        inputs: np.ndarray = (vectors - shift) * scale
        return inputs
