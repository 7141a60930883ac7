"""Rotary position embeddings: how the heads of a block are turned.

The angle of pair i at position p is p · scale · base^(-2i/D) / divisor[i], and the
turned values are multiplied by a magnitude. All kinds of scaling come down to
this: linear scaling is a scale; Llama 3 and the long contexts of Phi bring their
divisors in a tensor; YaRN (Peng et al., arXiv 2309.00071) is a formula for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ondevice import _kernels
from ondevice.training.family_table import Family
from ondevice.training.metadata import Metadata

if TYPE_CHECKING:
    from ondevice._kernels import F32, I32

_CONTEXT_STEP = 256  # llama.cpp rounds a context up to a multiple of this
_BETA_FAST, _BETA_SLOW = 32.0, 1.0  # YaRN's turns within the original context


@dataclass(frozen=True)
class Rope:
    """How positions turn the queries and keys of some blocks.

    Attributes:
        dims: dimensions of a head that are turned, from the first.
        base: of the frequencies.
        scale: on positions.
        magnitude: on the turned values.
        tensor: name of the tensor with the divisors, or None.
        divisors: of the frequencies, (dims / 2), where no tensor brings them; () for none.
    """

    dims: int
    base: float
    scale: float = 1.0
    magnitude: float = 1.0
    tensor: str | None = None
    divisors: tuple[float, ...] = ()

    def table(self, positions: I32, from_tensor: F32 | None) -> tuple[F32, F32]:
        """Return the cosines and sines (T, dims / 2), the magnitude included.

        Args:
            positions: (T,).
            from_tensor: the content of `tensor`.
        """
        factors = np.array(self.divisors, np.float32) if self.divisors else from_tensor
        shape = (len(positions), self.dims // 2)
        cos, sin = np.empty(shape, np.float32), np.empty(shape, np.float32)
        _kernels.rope_table(positions, self.base, factors, cos, sin, scale=self.scale)
        if self.magnitude != 1.0:
            cos *= np.float32(self.magnitude)
            sin *= np.float32(self.magnitude)
        return cos, sin


def read_ropes(
    keys: Metadata, family: Family, windows: tuple[int, ...], head_dim: int, n_ctx: int
) -> tuple[Rope | None, ...]:
    """Return for each block how it turns, or None if it does not.

    Args:
        keys: of the model.
        family: of the model.
        windows: sliding window of each block, or 0.
        head_dim: width of a head.
        n_ctx: the context in which the model will run, which decides between the divisors for
            long and for short contexts.

    Raises:
        TrainingError: a kind of scaling is not supported.
    """
    whole = _read_rope(keys, family, head_dim, n_ctx, any(windows))
    local = Rope(whole.dims, keys.number("rope.freq_base_swa", 10000.0), 1.0, whole.magnitude)
    if family.rope_switch and keys.get("rope.scaling.finetuned", True) is False:
        return (None,) * len(windows)
    every = family.no_rope_every
    return tuple(
        None if every and (index + 1) % every == 0 else local if window else whole
        for index, window in enumerate(windows)
    )


def _read_rope(keys: Metadata, family: Family, head_dim: int, n_ctx: int, windowed: bool) -> Rope:
    dims = keys.count("rope.dimension_count", head_dim)
    if dims % 2 or dims > head_dim or (dims < head_dim and not family.partial_rope):
        raise keys.unusable("rope.dimension_count")
    base = keys.number("rope.freq_base", 10000.0)
    magnitude = keys.number("rope.scaling.attn_factor", 1.0)
    kind = keys.text("rope.scaling.type", "linear")
    factor = keys.scale("rope.scaling.factor", keys.scale("rope.scale_linear", 1.0))
    original = keys.count("rope.scaling.original_context_length", keys.count("context_length"))
    if kind == "yarn" and not windowed and not _has_yarn_details(keys):
        divisors = yarn_divisors(dims, base, factor, original)
        return Rope(dims, base, 1.0, magnitude * (1.0 + 0.1 * math.log(factor)), None, divisors)
    if kind not in ("none", "linear", "longrope"):
        raise keys.unusable("rope.scaling.type")
    scale = 1.0 if kind == "none" else 1.0 / factor
    n_ctx = -(-n_ctx // _CONTEXT_STEP) * _CONTEXT_STEP
    return Rope(dims, base, scale, magnitude, _tensor(keys, n_ctx > original))


def _tensor(keys: Metadata, long: bool) -> str | None:
    """Return the tensor with the divisors; which one depends on the context."""
    names = ("rope_freqs.weight", f"rope_factors_{'long' if long else 'short'}.weight")
    return next((name for name in names if name in keys.header.tensors), None)


def _has_yarn_details(keys: Metadata) -> bool:
    return any(name.startswith(f"{keys.prefix}rope.scaling.yarn_") for name in keys.header.metadata)


def yarn_divisors(dims: int, base: float, factor: float, original: int) -> tuple[float, ...]:
    """Return YaRN's divisors of the frequencies.

    Fast pairs, which turn often within the original context, stay; slow ones are stretched by
    `factor`; those between are mixed.
    """

    def pair_that_turns(times: float) -> float:
        return dims * math.log(original / (times * 2.0 * math.pi)) / (2.0 * math.log(base))

    low = max(0.0, math.floor(pair_that_turns(_BETA_FAST)))
    high = min(dims - 1.0, math.ceil(pair_that_turns(_BETA_SLOW)))
    ramp = np.clip((np.arange(dims // 2) - low) / max(0.001, high - low), 0.0, 1.0)
    return tuple((1.0 / (ramp / factor + (1.0 - ramp))).tolist())
