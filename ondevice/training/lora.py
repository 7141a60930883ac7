"""Low-rank pairs beside frozen linear layers: initial values, gradients, files.

For a frozen matrix W (out, in), a pair adds scale · B A with A (rank, in) and
B (out, rank). A begins Kaiming-uniform and B zero, so that training begins at
the base model exactly. Frozen pairs of other adapters may lie below the one
that is trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ondevice import _kernels
from ondevice._kernels import Lora, Packed, Weight
from ondevice.adapters.gguf_lora import LoraAdapter, LoraPair
from ondevice.errors import TrainingError
from ondevice.training.architecture import Architecture
from ondevice.training.recipe import Recipe

if TYPE_CHECKING:
    from ondevice._kernels import BF16, F32, Precision


@dataclass(eq=False)
class Pair:
    """The factors of one pair; `da` and `db` collect gradients, None in a frozen pair."""

    a: F32
    b: F32
    scale: float
    da: F32 | None = None
    db: F32 | None = None

    @property
    def trained(self) -> bool:
        """Whether gradients are wanted."""
        return self.da is not None

    @property
    def kernel(self) -> Lora:
        """The pair as the kernels take it; the arrays are shared."""
        return Lora(self.a, self.b, self.scale, self.da, self.db)

    def rows(self, start: int, stop: int) -> Pair:
        """Return the pair for the outputs `start` to `stop`: the same A, and rows of B.

        The arrays are shared. A tensor that fuses several layers is adapted as a whole and
        computed in parts; each part adds to the gradient of A.
        """
        db = None if self.db is None else self.db[start:stop]
        return Pair(self.a, self.b[start:stop], self.scale, self.da, db)


class AdaptedLinear:
    """A frozen matrix with the pairs that are added to it, in the order they were stacked."""

    def __init__(self, weight: Weight, pairs: Iterable[Pair] = (), bias: F32 | None = None) -> None:
        """Combine `weight` (out, in) with `pairs` and the frozen `bias` (out,)."""
        self.weight = weight
        self.pairs = list(pairs)
        self.bias = bias

    @property
    def trained(self) -> bool:
        """Whether one of the pairs is trained."""
        return any(pair.trained for pair in self.pairs)

    def forward(
        self, x: Packed, y: F32 | BF16, precision: Precision, *, plus: F32 | None = None
    ) -> list[F32]:
        """Compute y (T, out) = plus + layer(x); return A x (T, rank) of each pair for `backward`.

        Args:
            x: the input (T, in).
            y: the output; in bfloat16 only without a bias and `plus`.
            precision: of the products.
            plus: (T, out), like y.
        """
        pairs = [pair.kernel for pair in self.pairs]
        products = [np.empty((y.shape[0], p.a.shape[0]), np.float32) for p in self.pairs]
        _kernels.linear_forward(
            x, self.weight, y, pairs=pairs, products=products, plus=plus, precision=precision
        )
        if self.bias is not None:
            y += self.bias
        return products

    def backward(
        self,
        dy: Packed,
        x: Packed,
        products: list[F32],
        dx: F32 | None,
        precision: Precision,
        *,
        accumulate: bool = False,
    ) -> None:
        """Add to the pairs' gradients; write, or add, the input's gradient to dx (T, in).

        Args:
            dy: gradient of the output (T, out).
            x: the input given to `forward`.
            products: what `forward` returned.
            dx: None if nothing below is trained.
            precision: of the products.
            accumulate: add to dx instead of overwriting it.
        """
        if dx is None and not self.trained:
            return
        _kernels.linear_backward(
            dy, self.weight, dx,
            pairs=[pair.kernel for pair in self.pairs], products=products, x=x,
            accumulate=accumulate, precision=precision,
        )  # fmt: skip


class AdapterParameters:
    """The adapter that is trained.

    Attributes:
        pairs: base tensor name -> pair, in the order of the computation.
    """

    def __init__(self, pairs: dict[str, Pair]) -> None:
        """Train `pairs`; each has arrays for its gradients."""
        self.pairs = pairs

    @classmethod
    def initial(cls, architecture: Architecture, recipe: Recipe) -> AdapterParameters:
        """Return fresh parameters; each tensor's values depend on the seed and its name only.

        Raises:
            TrainingError: the recipe's layers or rank do not fit the model.
        """
        if recipe.first_layer >= architecture.n_layers:
            raise TrainingError(
                f"The recipe adapts from block {recipe.first_layer} on, but the model has "
                f"only {architecture.n_layers}; choose an earlier one."
            )
        pairs = {}
        for index in range(recipe.first_layer, architecture.n_layers):
            for tensor in architecture.linear_tensors(recipe.layers()):
                n_in, n_out = architecture.linear_shape(tensor)
                if recipe.rank > max(n_in, n_out):
                    raise TrainingError(
                        f"The rank {recipe.rank} is larger than the model's layers "
                        f"({n_in} × {n_out}); choose a smaller one."
                    )
                name = f"blk.{index}.{tensor}.weight"
                random = np.random.Generator(np.random.PCG64([recipe.seed, *name.encode()]))
                # Kaiming-uniform with a = sqrt(5), which is uniform within 1 / sqrt(in).
                bound = 1.0 / math.sqrt(n_in)
                a = random.uniform(-bound, bound, (recipe.rank, n_in)).astype(np.float32)
                b = np.zeros((n_out, recipe.rank), np.float32)
                pairs[name] = Pair(a, b, recipe.scale, np.zeros_like(a), np.zeros_like(b))
        return cls(pairs)

    def take_over(self, adapter: LoraAdapter) -> None:
        """Begin at the values of a finished adapter.

        Raises:
            TrainingError: it adapts other layers, or has another rank.
        """
        shapes = {name: (pair.a.shape, pair.b.shape) for name, pair in self.pairs.items()}
        if shapes != {n: (pair.a.shape, pair.b.shape) for n, pair in adapter.tensors.items()}:
            raise TrainingError(
                "The adapter to go on from has another rank or other layers than the recipe; "
                "train from scratch, or with its recipe."
            )
        for name, pair in self.pairs.items():
            before = adapter.tensors[name]
            pair.a[...] = before.a
            # Its own scale may differ; the product must not.
            pair.b[...] = before.b * np.float32(adapter.alpha / before.rank / pair.scale)

    @property
    def arrays(self) -> dict[str, F32]:
        """Every parameter by its name in the adapter file."""
        return {
            f"{name}.{half}": array
            for name, pair in self.pairs.items()
            for half, array in (("lora_a", pair.a), ("lora_b", pair.b))
        }

    @property
    def gradients(self) -> dict[str, F32]:
        """Every gradient under its parameter's name."""
        return {
            f"{name}.{half}": array
            for name, pair in self.pairs.items()
            for half, array in (("lora_a", pair.da), ("lora_b", pair.db))
            if array is not None
        }

    @property
    def size(self) -> int:
        """How many numbers are trained."""
        return sum(array.size for array in self.arrays.values())

    def zero_gradients(self) -> None:
        """Set every gradient to zero."""
        for gradient in self.gradients.values():
            gradient.fill(0.0)

    def to_adapter(
        self, architecture: Architecture, alpha: float, provenance: Mapping[str, str]
    ) -> LoraAdapter:
        """Return the parameters as an adapter file's content; the arrays are copied."""
        tensors = {name: LoraPair(p.a.copy(), p.b.copy()) for name, p in self.pairs.items()}
        return LoraAdapter(architecture.name, alpha, tensors, dict(provenance))


def frozen_pairs(adapter: LoraAdapter, scale: float) -> dict[str, Pair]:
    """Return the pairs of a finished adapter, applied as llama.cpp does at `scale`."""
    return {
        name: Pair(
            np.ascontiguousarray(pair.a),
            np.ascontiguousarray(pair.b),
            scale * adapter.alpha / pair.rank,
        )
        for name, pair in adapter.tensors.items()
    }
