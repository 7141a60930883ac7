"""An embedder of one's own: a folder with `model.onnx`, `tokenizer.json` and `embedder.toml`.

The last one says what the two others do not: how vectors of tokens become one, what stands before
a question and before what is stored, and what the cosines mean. `docs/formats.md` describes it.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ondevice.errors import RecallError, explain, or_meant
from ondevice.home import Home
from ondevice.memory.embedders.protocol import Calibration
from ondevice.memory.embedders.runtime import in_batches, open_session, padded

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

MODEL, TOKENIZER, SETTINGS = "model.onnx", "tokenizer.json", "embedder.toml"
_ITSELF = "model"  # its result is one vector a text already
POOLING = ("mean", "first", "last", _ITSELF)
_OF_TEXTS, _OF_TOKENS = 2, 3  # dimensions of a result with one vector a text, and one a token
_BOUNDS: dict[str, tuple[float, float]] = {
    "dimensions": (1, 8192),
    "max_tokens": (8, 32_768),
    "unrelated": (-1, 0.999),
    "same": (-1, 1),
}
_TEXTS = ("pooling", "query_prefix", "passage_prefix")
_NUMBERS = ("dimensions", "max_tokens")
_CALIBRATION = ("unrelated", "same")
_LONGEST_PREFIX = 1000
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


@dataclass(frozen=True)
class FolderSettings:
    """What `embedder.toml` says."""

    pooling: str
    query_prefix: str
    passage_prefix: str
    dimensions: int
    max_tokens: int
    calibration: Calibration


class FolderEmbedder:
    """The `Embedder` of a folder."""

    def __init__(self, folder: Path, home: Home, *, threads: int = 0) -> None:
        """Read what the folder says of itself; its model is not loaded yet.

        Args:
            folder: with the three files.
            home: its cache notes the hashes of files that have not changed.
            threads: batches embedded at once; 0 takes one per physical core.

        Raises:
            RecallError: a file is missing, or `embedder.toml` cannot be used.
        """
        self._folder = folder
        self._settings = _read_settings(folder)
        self._threads = threads
        self.name = folder.name
        self.sha256 = _sha256(folder, self._settings, home)
        self.dimensions = self._settings.dimensions
        self.calibration = self._settings.calibration
        self._lock = threading.Lock()
        self._session: Any = None
        self._tokenizer: Tokenizer | None = None

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return what is stored of `texts`, float32, one row of length 1 each.

        Raises:
            RecallError: a file of the folder cannot be used.
        """
        return self._vectors(self._settings.passage_prefix, texts)

    def embed_queries(self, texts: Sequence[str]) -> np.ndarray:
        """Return what is searched with, in the same shape.

        Raises:
            RecallError: a file of the folder cannot be used.
        """
        return self._vectors(self._settings.query_prefix, texts)

    def count_tokens(self, text: str) -> int:
        """Return how many tokens `text` has, without special ones and not truncated.

        Raises:
            RecallError: the tokenizer's file cannot be used.
        """
        encoding = self._load_tokenizer().encode(text, add_special_tokens=False)
        return len(encoding.ids) + sum(len(part.ids) for part in encoding.overflowing)

    def _vectors(self, prefix: str, texts: Sequence[str]) -> np.ndarray:
        import numpy as np

        if not len(texts):
            return np.zeros((0, self.dimensions), dtype=np.float32)
        tokenizer, session = self._load_tokenizer(), self._load_session()
        encoded = tokenizer.encode_batch_fast([prefix + text for text in texts])
        tokens = [encoding.ids or [0] for encoding in encoded]
        return in_batches(
            tokens, lambda some: self._run(session, some), self.dimensions, self._threads
        )

    def _run(self, session: Any, tokens: Sequence[Sequence[int]]) -> np.ndarray:
        """Return the vectors of a batch."""
        import numpy as np

        ids, mask = padded(tokens)
        known = dict(zip(_INPUTS, (ids, mask, np.zeros_like(ids)), strict=True))
        feed = {one.name: known[one.name] for one in session.get_inputs()}
        try:
            result = session.run([_output(session, self._settings.pooling)], feed)[0]
        except Exception as error:  # its exception classes share no public base
            raise self._unusable(f"does not run ({type(error).__name__})") from error
        if result.ndim != (_OF_TEXTS if self._settings.pooling == _ITSELF else _OF_TOKENS):
            told = f"gives nothing that fits the pooling '{self._settings.pooling}'"
            raise self._unusable(f"{told} of {SETTINGS}")
        vectors = _pooled(np.asarray(result, dtype=np.float32), mask, self._settings.pooling)
        if vectors.shape != (len(tokens), self.dimensions):
            told = f"makes vectors of {vectors.shape[-1]} values, not {self.dimensions}"
            raise self._unusable(f"{told} as {SETTINGS} says")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all():
            raise self._unusable("makes vectors that are no numbers")
        unit: np.ndarray = vectors / np.maximum(lengths, 1e-12)
        return unit

    def _load_session(self) -> Any:
        with self._lock:
            if self._session is None:
                path = self._folder / MODEL
                session = open_session(path)
                unknown = [one.name for one in session.get_inputs() if one.name not in _INPUTS]
                if unknown:
                    asked = ", ".join(_INPUTS)
                    raise self._unusable(f"asks for '{unknown[0]}', and only {asked} can be given")
                self._session = session
        return self._session

    def _load_tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        with self._lock:
            if self._tokenizer is None:
                path = self._folder / TOKENIZER
                try:
                    tokenizer = Tokenizer.from_file(str(path))
                except Exception as error:  # it knows no other class
                    raise RecallError(
                        f"{path} is not a tokenizer; choose another embedder or correct the file."
                    ) from error
                tokenizer.no_padding()
                tokenizer.enable_truncation(self._settings.max_tokens)
                self._tokenizer = tokenizer
        return self._tokenizer

    def _unusable(self, why: str) -> RecallError:
        return RecallError(f"{self._folder / MODEL} {why}; choose another embedder or correct it.")


def _output(session: Any, pooling: str) -> str:
    """Return the name of the result to take: of one vector a text, or of one a token."""
    wanted = _OF_TEXTS if pooling == _ITSELF else _OF_TOKENS
    fitting = [one.name for one in session.get_outputs() if len(one.shape) == wanted]
    return str(fitting[0] if fitting else session.get_outputs()[0].name)


def _pooled(result: np.ndarray, mask: np.ndarray, pooling: str) -> np.ndarray:
    """Return one vector a text of the vectors of its tokens."""
    import numpy as np

    if pooling == _ITSELF:
        return result
    if pooling == "first":
        return result[:, 0]
    if pooling == "last":
        last: np.ndarray = result[np.arange(len(result)), mask.sum(axis=1) - 1]
        return last
    total: np.ndarray = np.einsum("tpd,tp->td", result, mask.astype(np.float32))
    return total


def _sha256(folder: Path, settings: FolderSettings, home: Home) -> str:
    """Return the hash of everything that decides a vector; what the cosines mean does not."""
    from ondevice.models.base_model import file_sha256  # slow to import

    # Weights may lie in files of their own beside the graph, such as model.onnx_data.
    files = [*sorted(folder.glob(f"{MODEL}*")), folder / TOKENIZER]
    try:
        hashes = [file_sha256(path, home) for path in files]
    except OSError as error:
        raise RecallError(f"The embedder {folder} cannot be read: {explain(error)}.") from error
    told = (settings.pooling, settings.query_prefix, settings.passage_prefix, settings.max_tokens)
    return hashlib.sha256(json.dumps([hashes, told, settings.dimensions]).encode()).hexdigest()


# --- embedder.toml ----------------------------------------------------------------------------


def _read_settings(folder: Path) -> FolderSettings:
    """Return what the folder says of itself.

    Raises:
        RecallError: it is no embedder's, with what is missing or wrong.
    """
    if not folder.is_dir():
        raise RecallError(
            f"There is no embedder '{folder}'; give multilingual, minilm, or a folder with "
            f"{MODEL}, {TOKENIZER} and {SETTINGS}."
        )
    missing = [name for name in (MODEL, TOKENIZER, SETTINGS) if not (folder / name).is_file()]
    if missing:
        raise RecallError(f"The embedder {folder} has no {' and no '.join(missing)}; add it.")
    path = folder / SETTINGS
    try:
        said = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise RecallError(f"{path} cannot be read: {explain(error)}.") from error
    except (ValueError, RecursionError) as error:
        raise RecallError(f"{path} is not TOML; see the file format.") from error
    return _settings(path, said)


def _settings(path: Path, said: dict[str, Any]) -> FolderSettings:
    _only(path, said, ("calibration", *_TEXTS, *_NUMBERS), "")
    meant = said.get("calibration")
    if not isinstance(meant, dict):
        raise RecallError(
            f"{path} has no table [calibration]; add it, with 'unrelated' and 'same', the cosines "
            "of texts that have nothing in common and of two that mean the same."
        )
    _only(path, meant, _CALIBRATION, "calibration.")
    unrelated, same = (_number(path, meant, name, "calibration.") for name in _CALIBRATION)
    if same <= unrelated:
        raise RecallError(
            f"{path}: 'calibration.same' is not greater than 'unrelated'; correct them."
        )
    pooling = _text(path, said, "pooling")
    if pooling not in POOLING:
        known = ", ".join(POOLING)
        raise RecallError(f"{path}: there is no 'pooling' '{pooling}'; use one of {known}.")
    return FolderSettings(
        pooling=pooling,
        query_prefix=_text(path, said, "query_prefix"),
        passage_prefix=_text(path, said, "passage_prefix"),
        dimensions=int(_number(path, said, "dimensions", "")),
        max_tokens=int(_number(path, said, "max_tokens", "")),
        calibration=Calibration(unrelated, same),
    )


def _only(path: Path, said: dict[str, Any], known: Sequence[str], table: str) -> None:
    """Refuse what means nothing, and name what is missing."""
    for name in said:
        if name not in known:
            told = or_meant(f"{path}: '{table}{name}' means nothing", name, known)
            raise RecallError(f"{told} Correct it, or leave it out.")
    for name in known:
        if name not in said and name != "calibration":
            raise RecallError(f"{path} does not say '{table}{name}'; add it.")


def _text(path: Path, said: dict[str, Any], name: str) -> str:
    value = said[name]
    if not isinstance(value, str) or len(value) > _LONGEST_PREFIX:
        raise RecallError(
            f"{path}: '{name}' is no text; give one of {_LONGEST_PREFIX} characters at the most."
        )
    return value


def _number(path: Path, said: dict[str, Any], name: str, table: str) -> float:
    value, (low, high) = said[name], _BOUNDS[name]
    whole = name in _NUMBERS
    fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not fits or not math.isfinite(value) or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise RecallError(
            f"{path}: '{table}{name}' cannot be used; give {kind} from {low:g} to {high:g}."
        )
    return float(value)
