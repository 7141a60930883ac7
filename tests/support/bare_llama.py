"""llama-cpp-python's own class, which tests and benchmarks compare with."""

from __future__ import annotations

from typing import Any

import llama_cpp

from ondevice.models import native


def share_default_params() -> None:
    """Let that class load models with `native.default_model_params`, as the engine does."""
    native.llama_cpp().llama_cpp.llama_model_default_params = native.default_model_params


def model_handle(llama: llama_cpp.Llama) -> Any:
    """Return what the low-level calls take as the model."""
    return llama._model.model  # llama-cpp-python hands it out in no other way


def context_handle(llama: llama_cpp.Llama) -> Any:
    """Return what the low-level calls take as the context."""
    return llama._ctx.ctx  # llama-cpp-python hands it out in no other way
