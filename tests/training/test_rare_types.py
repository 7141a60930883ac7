"""Tensor types without kernels of ours are converted, counted, and refused where they cannot be."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from ggml_quantize import quantized
from tiny_models import write_tiny_llama

from ondevice import _kernels
from ondevice.errors import TrainingError
from ondevice.models.gguf_header import read_header
from ondevice.training import rare_types
from ondevice.training.decoder import Decoder
from ondevice.training.weights import Weights

TYPES = [
    "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "TQ1_0", "TQ2_0", "MXFP4",
]  # fmt: skip


@pytest.mark.model  # ggml's own library quantizes
@pytest.mark.parametrize("kind", TYPES)
def test_values_are_those_of_another_implementation(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rare_types, "_VALUES_AT_ONCE", 2048)  # several pieces, the last one short
    values = np.random.default_rng(0).standard_normal((19, 512)).astype(np.float32)
    data = quantized(kind, values)
    assert kind not in _kernels.WEIGHT_TYPES and rare_types.convertible(kind)
    found = rare_types.convert_to_f16(data.reshape(-1), kind, *values.shape)
    wanted = gguf.quants.dequantize(data, gguf.GGMLQuantizationType[kind])
    assert np.array_equal(found.view(np.float16).reshape(values.shape), wanted.astype(np.float16))
    assert np.corrcoef(wanted.ravel(), values.ravel())[0, 1] > 0.7  # and it is that matrix


def tiny(path: Path, kinds: tuple[str, ...]) -> Path:
    return write_tiny_llama(path, kinds=kinds, width=256, heads=4, ff=256)


def test_memory_is_counted(tmp_path: Path) -> None:
    weights = Weights(read_header(tiny(tmp_path / "rare.gguf", ("TQ2_0",))))
    n_values = sum(np.prod(t.shape) for t in weights.header.tensors.values() if len(t.shape) == 2)
    Decoder(weights)
    assert weights.matrix("blk.0.attn_q.weight").type == "F16"
    assert weights.resident_bytes == weights.file_bytes + 2 * n_values
    plain = Weights(read_header(tiny(tmp_path / "plain.gguf", ("Q8_0",))))
    assert plain.resident_bytes == plain.file_bytes


def test_refused_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = read_header(tiny(tmp_path / "rare.gguf", ("TQ2_0",)))
    monkeypatch.setattr(rare_types, "_dequantizer", lambda kind: None)  # as if it were missing
    with pytest.raises(TrainingError, match=r"tensor type TQ2_0 \(of 'token_embd.weight'"):
        Weights(header)


def test_types_that_hold_no_weights_are_refused() -> None:
    assert not any(rare_types.convertible(kind) for kind in ("I8", "I32", "F64", "Q8_1"))


def test_values_too_large_for_f16_are_refused() -> None:
    block = np.frombuffer(b"\xfe" + b"\x77" * 16, np.uint8)  # MXFP4 with a scale of 2**126
    with pytest.raises(TrainingError, match="too large for F16"):
        rare_types.convert_to_f16(block, "MXFP4", 1, 32)
