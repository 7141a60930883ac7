"""What llama.cpp says: logits and losses of a model with adapters."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import llama_cpp
import numpy as np
from bare_llama import context_handle, model_handle
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


@contextmanager
def llama(
    path: Path,
    adapters: Sequence[tuple[bytes, float]] = (),
    *,
    n_ctx: int = 128,
    exact_cache: bool = False,
) -> Iterator[llama_cpp.Llama]:
    """Open the model at `path` with the adapter files `adapters` at their scales.

    `exact_cache` keeps keys and values in float32, not in 16 bits.
    """
    kind = llama_cpp.GGML_TYPE_F32 if exact_cache else llama_cpp.GGML_TYPE_F16
    model = llama_cpp.Llama(
        str(path), n_ctx=n_ctx, n_threads=2, verbose=False, logits_all=True, flash_attn=False,
        type_k=kind, type_v=kind,
    )  # fmt: skip
    handles = []
    with tempfile.TemporaryDirectory() as folder:
        for index, (content, _) in enumerate(adapters):
            file = Path(folder) / f"{index}.gguf"
            file.write_bytes(content)
            handle = llama_cpp.llama_adapter_lora_init(model_handle(model), str(file).encode())
            assert handle is not None, "llama.cpp refuses the adapter"
            handles.append(handle)
    if handles:
        array = (llama_cpp.llama_adapter_lora_p_ctypes * len(handles))(*handles)
        scales = (ctypes.c_float * len(handles))(*[scale for _, scale in adapters])
        llama_cpp.llama_set_adapters_lora(context_handle(model), array, len(handles), scales)
    try:
        yield model
    finally:
        llama_cpp.llama_set_adapters_lora(context_handle(model), None, 0, None)
        for handle in handles:
            llama_cpp.llama_adapter_lora_free(handle)
        model.close()


def logits_of(model: llama_cpp.Llama, tokens: Sequence[int]) -> Float64:
    """Return the logits (T, V) after each of `tokens`."""
    model.reset()
    model.eval(list(tokens))
    return np.array(model.scores[: len(tokens)], np.float64)


def token_losses(
    path: Path, documents: Sequence[Sequence[int]], adapters: Sequence[tuple[bytes, float]] = ()
) -> list[Float64]:
    """Return the loss of every token but the first of each document."""
    losses = []
    with llama(path, adapters) as model:
        for tokens in documents:
            logits = logits_of(model, tokens)[:-1]
            shifted = logits - logits.max(1, keepdims=True)
            chosen = shifted[np.arange(len(logits)), np.asarray(tokens)[1:]]
            losses.append(np.log(np.exp(shifted).sum(1)) - chosen)
    return losses
