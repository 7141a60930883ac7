"""llama-cpp-python's own class, which tests and benchmarks compare with."""

from __future__ import annotations

from ondevice.models import native


def share_default_params() -> None:
    """Let that class load models with `native.default_model_params`, as the engine does."""
    native.llama_cpp().llama_cpp.llama_model_default_params = native.default_model_params
