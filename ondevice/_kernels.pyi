"""The compiled kernels: arithmetic over whole arrays, with the GIL released.

Letters: T tokens, K inputs and N outputs of a linear layer, R rank, V vocabulary, H query
heads, G key/value heads, D head width, F feed-forward width, S supervised tokens.

Arrays are C-contiguous float32 unless told otherwise. Outputs are arrays that the caller made;
they are overwritten unless the name says "+=". Wrong shapes or types raise ValueError or
TypeError before anything is written. Results do not depend on the number of threads.

`precision`: "auto" multiplies in bfloat16 (sums in float32) where the instruction set in use
has it, and in float32 elsewhere; "f32" multiplies in float32 everywhere.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
U8 = NDArray[np.uint8]
BF16 = NDArray[np.uint16]  # the upper halves of float32
Precision = Literal["auto", "f32"]
Activation = Literal["silu", "gelu_tanh"]

source_sha256: str  # of the C++ files that the module was built from

# ---- processor and threads ----------------------------------------------------------------

def features() -> dict[str, bool]:
    """Processor features by name; true only if the operating system saves their registers."""

def available_isas() -> list[str]:
    """Instruction sets that can run here, slowest first; "portable" is always there."""

def isa() -> str:
    """The instruction set in use; ValueError if ONDEVICE_ISA names one that cannot run."""

def has_bf16() -> bool:
    """Whether the instruction set in use multiplies in bfloat16, and takes arrays of it."""

def use_isa(name: str) -> None:
    """Switch the instruction set (for tests and benchmarks); ValueError if it cannot run."""

def set_threads(n: int) -> None:
    """Number of threads that share the work; 0: one per processor (the default)."""

def threads() -> int:
    """Number of threads that share the work."""

def peak(dtype: Literal["f32", "bf16"], seconds: float = 0.3) -> float:
    """Measured GFLOPS of multiply-adds in registers, over all threads."""

# ---- weights ------------------------------------------------------------------------------

WEIGHT_TYPES: tuple[str, ...]
"""Names of the tensor types that Weight takes, as GGUF spells them."""

class Weight:
    """A frozen matrix of N rows (outputs) of K values (inputs), as it lies in the GGUF file.

    Holds a reference to `data` and copies nothing. `type` is the GGUF name: F32, F16, BF16,
    Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS. ValueError if
    the type is unknown, K is no multiple of its block, or `data` has not exactly the bytes.
    """

    def __init__(self, data: U8, type: str, n: int, k: int) -> None: ...
    @property
    def type(self) -> str: ...
    @property
    def n(self) -> int: ...
    @property
    def k(self) -> int: ...
    def rows(self, start: int, stop: int) -> Weight:
        """The rows start..stop as a weight of their own (for fused QKV or gate-up tensors)."""

def row_bytes(type: str, k: int) -> int:
    """Bytes of one row of K values; ValueError if K is no multiple of the type's block."""

def dequantize(w: Weight, out: F32) -> None:
    """out [N, K] = the weight's values, bit-exact with ggml's dequantize_row_*."""

def dequantize_rows(w: Weight, rows: I32, out: F32) -> None:
    """out [T, K] = the rows named by rows [T] (token embeddings)."""

# ---- linear layers ------------------------------------------------------------------------

class Packed:
    """Activations [T, K], or their gradients, laid out once for several products.

    Valid only for the instruction set in use when it was made.
    """

    def __init__(self, x: F32 | BF16, precision: Precision = "auto") -> None: ...

class Lora:
    """A low-rank pair a [R, K] and b [N, R]; da and db of the same shapes if it is trained."""

    def __init__(
        self, a: F32, b: F32, scale: float, da: F32 | None = None, db: F32 | None = None
    ) -> None: ...

def round_to_bf16(x: F32, out: BF16) -> None:
    """out = x, rounded to nearest even; both of one size."""

def linear_forward(
    x: F32 | Packed,
    w: Weight,
    y: F32 | BF16,
    *,
    pairs: Sequence[Lora] = (),
    products: Sequence[F32] = (),
    plus: F32 | None = None,
    precision: Precision = "auto",
) -> None:
    """Y [T, N] = plus + X [T, K] Wᵀ + Σ scale · (X Aᵀ) Bᵀ over the pairs; plus may be y itself.

    products are arrays [T, R], one for each pair, that X Aᵀ is written to for the backward
    pass. A Packed x brings its own precision. To a y in bfloat16 nothing can be added.
    """

def linear_backward(
    dy: F32 | Packed,
    w: Weight,
    dx: F32 | None,
    *,
    pairs: Sequence[Lora] = (),
    products: Sequence[F32] = (),
    x: F32 | Packed | None = None,
    accumulate: bool = False,
    precision: Precision = "auto",
) -> None:
    """dX [T, K] = dY [T, N] W + Σ scale · (dY B) A, or += with `accumulate`; and gradients.

    Every pair's da [R, K] += scale · (dY B)ᵀ X and db [N, R] += scale · dYᵀ (X Aᵀ), where it has
    them. products are those of linear_forward, x is its input, needed for a da. dx is None
    below the lowest layer that is trained.
    """

# ---- norms, positions, activations --------------------------------------------------------

def rms_norm_forward(x: F32, weight: F32, eps: float, y: F32, rstd: F32) -> None:
    """y [T, K] = x · rstd · weight [K]; rstd [T] = 1/√(mean(x²) + eps), kept for backward."""

def rms_norm_packed(
    x: F32, weight: F32, eps: float, rstd: F32, *, precision: Precision = "auto"
) -> Packed:
    """What rms_norm_forward writes to y, for products only; rstd [T] is written."""

def rms_norm_backward(
    dy: F32, x: F32, weight: F32, rstd: F32, dx: F32, *, accumulate: bool = False
) -> None:
    """dx [T, K] of rms_norm_forward, or += with `accumulate` (the weight is frozen)."""

def rope_table(
    positions: I32, base: float, factors: F32 | None, cos: F32, sin: F32, *, scale: float = 1.0
) -> None:
    """cos, sin [T, D/2] of the angles position · scale · base^(-2i/D) / factors[i].

    D, the number of rotated dimensions, is twice the tables' width. factors [D/2] is the
    model's `rope_freqs`, or None; scale is 1 / the linear scaling factor.
    """

def rope(x: F32, cos: F32, sin: F32, *, interleaved: bool, backward: bool = False) -> None:
    """Rotate x [T, H, D'] in place; dimensions beyond the tables' D stay as they are.

    interleaved: pairs (2i, 2i + 1), as llama-family GGUFs; else half-split pairs (i, i + D/2),
    as qwen, gemma and phi. backward rotates the other way, which is the gradient.
    """

def gated_forward(
    gate: F32 | BF16, up: F32 | BF16, *, activation: Activation, precision: Precision = "auto"
) -> Packed:
    """activation(gate) · up (SwiGLU, GeGLU), from gate and up [T, F] of one type."""

def gated_backward(
    dout: F32,
    gate: F32 | BF16,
    up: F32 | BF16,
    *,
    activation: Activation,
    precision: Precision = "auto",
) -> tuple[Packed, Packed]:
    """The gradients of gate and up, from that of what gated_forward returns."""

# ---- attention ----------------------------------------------------------------------------

def attention_forward(
    q: F32 | BF16,
    k: F32 | BF16,
    v: F32 | BF16,
    first: I32,
    scale: float,
    o: F32 | BF16,
    lse: F32,
    *,
    window: int = 0,
    precision: Precision = "auto",
) -> None:
    """Causal grouped-query attention: o [T, H, D] from q [T, H, D], k and v [T, G, D].

    Query head h reads key/value head h // (H / G). Token i sees the tokens j with
    first[i] <= j <= i, and j > i - window if window > 0. first [T] is the index in the pack of
    the first token of the token's own document. lse [H, T]: log of the sum of exponentials,
    kept for backward. q, k, v and o are of one type.
    """

def attention_backward(
    do: F32,
    q: F32 | BF16,
    k: F32 | BF16,
    v: F32 | BF16,
    first: I32,
    scale: float,
    o: F32 | BF16,
    lse: F32,
    dq: F32,
    dk: F32,
    dv: F32,
    *,
    window: int = 0,
    precision: Precision = "auto",
) -> None:
    """Gradients of attention_forward: dq [T, H, D], dk and dv [T, G, D]."""

# ---- loss and optimizer -------------------------------------------------------------------

def cross_entropy(
    h: F32,
    w: Weight,
    targets: I32,
    loss: F32,
    dh: F32 | None = None,
    weights: F32 | None = None,
    *,
    precision: Precision = "auto",
) -> None:
    """loss [S] = -log softmax(h Wᵀ)[target], in nats, without an [S, V] array.

    h [S, K] holds only the supervised tokens, w is the head [V, K], targets [S] in 0..V-1.
    dh [S, K] = weights[s] · d loss[s] / d h[s]; weights [S], 1 if None.
    """

def adamw(
    p: F32,
    g: F32,
    m: F32,
    v: F32,
    *,
    learning_rate: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    step: int,
    gradient_scale: float = 1.0,
) -> None:
    """One AdamW step, in place; step counts from 1; g is read as gradient_scale · g (clipping)."""

def sum_of_squares(x: F32) -> float:
    """Σ x² in float64 (for the gradient's norm)."""
