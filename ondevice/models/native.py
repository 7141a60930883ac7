"""The part of llama.cpp that the base room needs: loading a model file and its vocabulary.

llama.cpp trusts files, so a file comes here only after `gguf_header` has passed it.
"""

from __future__ import annotations

import collections
import ctypes
import re
import threading
from pathlib import Path
from typing import Any

from ondevice.errors import InvalidModelError
from ondevice.ground.uninterrupted import uninterrupted

PROMPT_CHUNK = 128  # tokens evaluated between two looks at the cancel flag
MAX_BRANCHES = 7  # that go on from the cached tokens at the same time
_ERROR_LEVEL = 4  # GGML_LOG_LEVEL_ERROR
# Where in llama.cpp it went wrong, which tells a person nothing.
_ORIGIN = re.compile(r"^(\w+: )?(error loading model[a-z ]*: )?(\w+: )?")
_setup = threading.Lock()
_log_callback: Any = None  # llama.cpp keeps the pointer, so it must stay alive
_errors: collections.deque[str] = collections.deque(maxlen=8)


def llama_cpp() -> Any:
    """Import llama_cpp, start its backend once, and keep its log off stderr."""
    global _log_callback
    import llama_cpp as module

    with _setup:
        if _log_callback is None:
            _log_callback = module.llama_log_callback(_keep_error)
            module.llama_log_set(_log_callback, ctypes.c_void_p(0))
            module.llama_backend_init()
    return module


def _keep_error(level: int, text: bytes, _: object) -> None:
    if level == _ERROR_LEVEL:
        _errors.append(text.decode("utf-8", "replace").strip())


def last_error() -> str:
    """Return the first error that llama.cpp has logged since this was last called, or "".

    The first one tells the cause; those behind it only say what could not be done therefore.
    """
    text = _errors[0] if _errors else ""
    _errors.clear()
    return _ORIGIN.sub("", text)


def default_model_params() -> Any:
    """Return llama.cpp's parameters for loading a model, without what is known to crash."""
    lib = llama_cpp()
    params = lib.llama_model_default_params()
    if b"AMX_INT8 = 1" in lib.llama_print_system_info():
        # Compiled with GCC 12, llama.cpp's code for Intel AMX dies when it configures the tile
        # registers; its other code reads the mapped file as it is.
        params.use_extra_bufts = False
    return params


def load_model(path: Path, *, vocab_only: bool = False, n_gpu_layers: int = 0) -> Any:
    """Load the GGUF at `path`, memory-mapped, and return llama.cpp's model pointer.

    Raises:
        InvalidModelError: llama.cpp refuses the file.
    """
    model = open_model(path, vocab_only=vocab_only, n_gpu_layers=n_gpu_layers)
    if not model:
        raise InvalidModelError(
            f"llama.cpp cannot load {path} ({last_error() or 'no reason given'}); "
            "get the file again, or use another model."
        )
    return model


def open_model(path: Path, *, vocab_only: bool = False, n_gpu_layers: int = 0) -> Any:
    """Do as `load_model`, but return a null pointer if llama.cpp refuses; see `last_error`."""
    lib = llama_cpp()
    params = default_model_params()
    params.vocab_only = vocab_only
    params.load_mode = lib.LLAMA_LOAD_MODE_MMAP
    params.n_gpu_layers = 0x7FFFFFFF if n_gpu_layers < 0 else n_gpu_layers
    last_error()
    return uninterrupted(lib.llama_model_load_from_file, str(path).encode("utf-8"), params)


def new_context(model: Any, n_ctx: int, n_threads: int, *, on_gpu: bool = False) -> Any:
    """Return llama.cpp's pointer to a context of `n_ctx` tokens for the model pointer `model`.

    It is null if llama.cpp refuses, as where memory is short; see `last_error`.
    """
    lib = llama_cpp()
    params = lib.llama_context_default_params()
    # A batch, and so a context, for fewer tokens than there may be sequences ends the process.
    params.n_ctx = max(n_ctx, PROMPT_CHUNK)  # llama.cpp rounds it up to 256 itself
    params.n_batch = params.n_ubatch = PROMPT_CHUNK
    params.n_seq_max = 1 + MAX_BRANCHES
    params.kv_unified = True  # branches share the cells of what they have in common
    params.n_threads = params.n_threads_batch = n_threads
    params.no_perf = True
    if not on_gpu:
        # On a processor a short turn behind 600 tokens took 95 ms with flash attention and
        # 76 ms without, behind 2,000 tokens 166 and 101; decoding is the same.
        params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
    last_error()
    return uninterrupted(lib.llama_init_from_model, model, params)


class Vocab:
    """The vocabulary of a loaded model; valid for as long as the model is."""

    def __init__(self, model: Any) -> None:
        """Wrap the vocabulary of the model pointer `model`."""
        self._lib = llama_cpp()
        self._vocab = self._lib.llama_model_get_vocab(model)
        self.n_vocab: int = self._lib.llama_vocab_n_tokens(self._vocab)
        self.bos: int = self._lib.llama_vocab_bos(self._vocab)
        self.eos: int = self._lib.llama_vocab_eos(self._vocab)
        self.adds_bos: bool = bool(self._lib.llama_vocab_get_add_bos(self._vocab))
        self._pieces: dict[int, bytes] = {}
        self._buffer_lock = threading.Lock()
        self._buffer = ctypes.create_string_buffer(256)

    @property
    def pointer(self) -> Any:
        """llama.cpp's vocabulary pointer."""
        return self._vocab

    def encode(self, text: str, *, add_bos: bool = False, special: bool = False) -> list[int]:
        """Return the tokens of `text`; `special` makes control-token text into control tokens."""
        content = text.encode("utf-8", "replace")
        capacity = len(content) + 8  # a token covers at least one byte; a few for prefixes
        tokens = (ctypes.c_int32 * capacity)()
        count = self._lib.llama_tokenize(
            self._vocab, content, len(content), tokens, capacity, add_bos, special
        )
        if count < 0:
            capacity = -count
            tokens = (ctypes.c_int32 * capacity)()
            count = self._lib.llama_tokenize(
                self._vocab, content, len(content), tokens, capacity, add_bos, special
            )
        return list(tokens[:count])

    def piece(self, token: int) -> bytes:
        """Return the bytes that `token` stands for; control tokens stand for none."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._read_piece(token)
        return known

    def _read_piece(self, token: int) -> bytes:
        with self._buffer_lock:
            size = len(self._buffer)
            length = self._lib.llama_token_to_piece(
                self._vocab, token, self._buffer, size, 0, False
            )
            if length < 0:
                self._buffer = ctypes.create_string_buffer(-length)
                length = self._lib.llama_token_to_piece(
                    self._vocab, token, self._buffer, -length, 0, False
                )
            return self._buffer.raw[:length]

    def decode(self, tokens: list[int]) -> str:
        """Return the text of `tokens`; incomplete UTF-8 becomes U+FFFD."""
        return b"".join(map(self.piece, tokens)).decode("utf-8", "replace")

    def is_eog(self, token: int) -> bool:
        """Whether `token` ends a generation."""
        return bool(self._lib.llama_vocab_is_eog(self._vocab, token))

    def is_control(self, token: int) -> bool:
        """Whether `token` is a control token, which plain text must never become."""
        attributes: int = self._lib.llama_vocab_get_attr(self._vocab, token)
        return bool(
            attributes & (self._lib.LLAMA_TOKEN_ATTR_CONTROL | self._lib.LLAMA_TOKEN_ATTR_UNKNOWN)
        )

    def text_of(self, token: int) -> str:
        """Return how the vocabulary writes `token`, for example "<|im_end|>"; "" if it has none."""
        if not 0 <= token < self.n_vocab:
            return ""
        raw: bytes = self._lib.llama_vocab_get_text(self._vocab, token) or b""
        return raw.decode("utf-8", "replace")
