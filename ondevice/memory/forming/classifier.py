"""What a sentence is: a statement about the person, or something else, with how likely it is.

Multinomial logistic regression over the sentence's embedding and a few features that hold in any
language. Its weights fit one embedder: those for the project's embedders are shipped, those for
another are made once from the sentences that the project ships, and kept in the cache folder.
"""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ondevice.ground.files import atomic_writer
from ondevice.memory.forming.features import features_of
from ondevice.memory.regression import applied, softmax

if TYPE_CHECKING:
    import numpy as np

    from ondevice.home import Home
    from ondevice.memory.embedders.protocol import Embedder

VERSION: Final = 1  # of features and labels: weights of another one are of no use
STATEMENT: Final = "statement"
TELLING: Final = "telling"  # a request or question that holds a fact
LABELS: Final = (
    STATEMENT, TELLING, "passing", "question", "request", "hypothetical", "roleplay", "quotation",
    "joke", "other",
)  # fmt: skip
ABOUTS: Final = ("me", "mine")
KINDS: Final = (
    "demographic", "preference", "context", "task", "relationship", "health", "home", "work",
    "belief", "event", "plan", "wish", "possession",
)  # fmt: skip
_DATA = Path(__file__).parents[1] / "data"
# Labelled sentences, and more of what notes hold about the world.
SENTENCES: Final = (_DATA / "statements.jsonl", _DATA / "statements_world.jsonl")
_MOST_BYTES = 4_000_000  # of a file of weights


@dataclass(frozen=True)
class Weights:
    """What was learned, for one embedder.

    Attributes:
        embedder: SHA-256 of the embedder whose vectors fit.
        shift: taken from the inputs, shape (inputs,).
        scale: multiplies them then.
        label: shape (inputs + 1, labels), the last row is the bias; so are the others.
        about: of whom a statement is.
        category: what a statement is about.
        sure: a statement at least as likely as this is taken at once.
        unsure: one at least as likely as this waits for approval.
    """

    embedder: str
    shift: np.ndarray
    scale: np.ndarray
    label: np.ndarray
    about: np.ndarray
    category: np.ndarray
    sure: float
    unsure: float


@dataclass(frozen=True)
class Judgement:
    """What a sentence is.

    Attributes:
        label: the likeliest of `LABELS`.
        statement: how likely it states something lasting.
        telling: how likely it is a request that holds such a thing.
        about: "me" or "mine", if it is a statement.
        category: the likeliest of `KINDS`, if it is a statement.
    """

    label: str
    statement: float
    telling: float
    about: str
    category: str

    @property
    def told(self) -> float:
        """How likely something lasting is told, if nothing else is likelier; else 0."""
        return self.statement + self.telling if self.label in (STATEMENT, TELLING) else 0.0


class Classifier:
    """Judges sentences by their vectors; safe to share between threads."""

    def __init__(self, weights: Weights) -> None:
        """Judge by `weights`."""
        self._weights = weights

    @property
    def sure(self) -> float:
        """A statement at least as likely as this is taken at once."""
        return self._weights.sure

    @property
    def unsure(self) -> float:
        """A statement at least as likely as this waits for approval."""
        return self._weights.unsure

    def judge(self, sentences: Sequence[str], vectors: np.ndarray) -> list[Judgement]:
        """Return what each of `sentences` is.

        Args:
            sentences: at least one character each.
            vectors: of them, as the embedder stores them.
        """
        if not len(sentences):
            return []
        weights = self._weights
        inputs = (inputs_of(sentences, vectors) - weights.shift) * weights.scale
        label = applied(inputs, weights.label, softmax)
        about = applied(inputs, weights.about, softmax).argmax(axis=1)
        category = applied(inputs, weights.category, softmax).argmax(axis=1)
        return [
            Judgement(
                LABELS[int(likely.argmax())],
                float(likely[0]),
                float(likely[1]),
                ABOUTS[int(about[row])],
                KINDS[int(category[row])],
            )
            for row, likely in enumerate(label)
        ]


class LazyClassifier:
    """The classifier that fits an embedder, made or read when it is first asked for."""

    def __init__(self, embedder: Embedder, home: Home) -> None:
        """Prepare; nothing is read, learned or embedded yet."""
        self._embedder, self._home = embedder, home
        self._lock = threading.Lock()
        self._classifier: Classifier | None = None

    def get(self) -> Classifier:
        """Return the classifier.

        Raises:
            RecallError: the embedder is missing or damaged.
        """
        with self._lock:
            if self._classifier is None:
                self._classifier = Classifier(_weights(self._embedder, self._home))
        return self._classifier


def shipped_path(embedder: str) -> Path:
    """Return where the weights for an embedder would be, if they are shipped.

    Args:
        embedder: its SHA-256.
    """
    return _DATA / f"statements-{embedder[:16]}.npz"


def inputs_of(sentences: Sequence[str], vectors: np.ndarray) -> np.ndarray:
    """Return what is learned from: vectors and features, shape (sentences, inputs)."""
    import numpy as np

    joined: np.ndarray = np.hstack([vectors.astype(np.float32), features_of(sentences)])
    return joined


def read_weights(content: bytes, embedder: str) -> Weights | None:
    """Return the weights in a file's content; None if they are damaged or of another embedder."""
    import numpy as np

    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            if int(file["version"]) != VERSION or str(file["embedder"]) != embedder:
                return None
            arrays = {
                name: file[name].astype(np.float32)
                for name in ("shift", "scale", "label", "about", "category")
            }
            sure, unsure = (float(value) for value in file["thresholds"])
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    inputs = len(arrays["shift"])
    fits = arrays["scale"].shape == (inputs,) and all(
        arrays[name].shape == (inputs + 1, len(classes))
        for name, classes in (("label", LABELS), ("about", ABOUTS), ("category", KINDS))
    )
    return Weights(embedder, **arrays, sure=sure, unsure=unsure) if fits else None


def weights_file(weights: Weights) -> bytes:
    """Return the content of a file of weights; half precision moves no decision that matters."""
    import numpy as np

    content = io.BytesIO()
    np.savez(
        content,
        version=np.array(VERSION),
        embedder=np.array(weights.embedder),
        shift=weights.shift.astype(np.float16),
        scale=weights.scale.astype(np.float32),
        label=weights.label.astype(np.float16),
        about=weights.about.astype(np.float16),
        category=weights.category.astype(np.float16),
        thresholds=np.array([weights.sure, weights.unsure]),
    )
    return content.getvalue()


def _weights(embedder: Embedder, home: Home) -> Weights:
    """Return the weights that fit `embedder`: shipped, from the cache, or made now."""
    cached = home.cache / "forming" / f"{embedder.sha256}.npz"
    for path in (shipped_path(embedder.sha256), cached):
        content = _content(path)
        found = read_weights(content, embedder.sha256) if content is not None else None
        if found is not None:
            return found
    from ondevice.memory.forming.training import learn

    weights = learn(embedder)
    content = weights_file(weights)
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with atomic_writer(cached) as file:
            file.write(content)
    except OSError:  # a cache that cannot be written costs some seconds at the next start
        pass
    read_back = read_weights(content, embedder.sha256)  # the same now as when it is read again
    assert read_back is not None
    return read_back


def _content(path: Path) -> bytes | None:
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        return path.read_bytes()
    except OSError:
        return None
