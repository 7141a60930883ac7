"""The same linear layers, as GGUF files and as Hugging Face models lay them out.

Both lay the rows of some layers into one matrix, but not always the same ones, and
for some architectures a GGUF holds the rows of queries and keys in another order
(pairs of RoPE side by side, not a head's half apart). An adapter is carried over
layer by layer: rows of B are taken out of one layout and put into the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ondevice.errors import AdapterBaseMismatchError, InvalidAdapterError
from ondevice.models.gguf_header import GgufHeader

Float32 = NDArray[np.float32]
RowOrder = Callable[[int, int], NDArray[np.intp]]

# Layers in the order in which a matrix that fuses them holds their rows.
_LAYERS = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
_MODULES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_PHI3 = {
    "attn_q": "self_attn.qkv_proj",
    "attn_k": "self_attn.qkv_proj",
    "attn_v": "self_attn.qkv_proj",
    "ffn_gate": "mlp.gate_up_proj",
    "ffn_up": "mlp.gate_up_proj",
}
# Architectures whose converter moves the rows of queries and keys.
_PERMUTED = ("llama", "granite", "smollm3")
_KNOWN = (*_PERMUTED, "qwen2", "qwen3", "gemma3", "phi3")


@dataclass(frozen=True, eq=False)
class Factors:
    """A low-rank pair with its factor: it adds scale · b a; a (rank, in), b (out, rank)."""

    a: Float32
    b: Float32
    scale: float


@dataclass(frozen=True)
class Layout:
    """Where each layer lies in one of the two worlds.

    Attributes:
        matrices: matrix name -> the layers whose rows it holds, in order.
    """

    matrices: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Layouts:
    """Both layouts of a base model's blocks.

    Attributes:
        gguf: by tensor names such as "attn_q".
        hugging_face: by module names such as "self_attn.q_proj".
        rows: rows of each layer.
        heads: number of heads of the layers whose rows are in another order in the GGUF.
    """

    gguf: Layout
    hugging_face: Layout
    rows: Mapping[str, int]
    heads: Mapping[str, int]

    def to_hugging_face(self, tensors: Mapping[str, Factors]) -> dict[str, Factors]:
        """Return the pairs of a block's modules for those of its GGUF tensors."""
        return self._carry(tensors, self.gguf, self.hugging_face, _row_order_of_halves)

    def to_gguf(self, modules: Mapping[str, Factors]) -> dict[str, Factors]:
        """Return the pairs of a block's GGUF tensors for those of its modules."""
        return self._carry(modules, self.hugging_face, self.gguf, _row_order_of_neighbours)

    def _carry(
        self, pairs: Mapping[str, Factors], source: Layout, target: Layout, order: RowOrder
    ) -> dict[str, Factors]:
        layers: dict[str, Factors] = {}
        for name, pair in pairs.items():
            held, start = source.matrices[name], 0
            if pair.b.shape[0] != sum(self.rows[layer] for layer in held):
                raise InvalidAdapterError(
                    f"The adapter's '{name}' has {pair.b.shape[0]} outputs, but the base's has "
                    f"{sum(self.rows[layer] for layer in held)}; use it with its own base."
                )
            for layer in held:
                b = pair.b[start : start + self.rows[layer]]
                if layer in self.heads:
                    b = b[order(self.rows[layer], self.heads[layer])]
                layers[layer] = Factors(pair.a, b, pair.scale)
                start += self.rows[layer]
        found = {}
        for name, held in target.matrices.items():
            if any(layer in layers for layer in held):
                found[name] = _fused([layers.get(n) for n in held], [self.rows[n] for n in held])
        return found


def read_layouts(base: GgufHeader) -> Layouts:
    """Return how the blocks of `base` are laid out in its file and at Hugging Face.

    Raises:
        AdapterBaseMismatchError: the architecture is not known, or the file is incomplete.
    """
    architecture = base.architecture
    if architecture not in _KNOWN:
        raise AdapterBaseMismatchError(
            f"It is not known how PEFT names the layers of a {architecture} model "
            f"({base.path.name}); use a model of one of these: {', '.join(_KNOWN)}."
        )
    shapes = {
        name.split(".")[2]: tensor.shape
        for name, tensor in base.tensors.items()
        if name.startswith("blk.0.") and name.endswith(".weight") and len(tensor.shape) == 2
    }
    heads, groups = _count(base, "attention.head_count"), _count(base, "attention.head_count_kv")
    groups = groups or heads
    output = shapes.get("attn_output")
    down = shapes.get("ffn_down")
    if not heads or output is None or down is None or output[0] % heads or heads % groups:
        raise AdapterBaseMismatchError(
            f"{base.path.name} lacks parts of a usual decoder; use the base that the adapter "
            "was made for, or another file of it."
        )
    head_dim = output[0] // heads
    rows = {
        "attn_q": heads * head_dim,
        "attn_k": groups * head_dim,
        "attn_v": groups * head_dim,
        "attn_output": output[1],
        "ffn_gate": down[0],
        "ffn_up": down[0],
        "ffn_down": down[1],
    }
    modules = _MODULES | (_PHI3 if architecture == "phi3" else {})
    permuted = {"attn_q": heads, "attn_k": groups} if architecture in _PERMUTED else {}
    return Layouts(_gguf_layout(shapes), _layout(modules), rows, permuted)


def _gguf_layout(shapes: Mapping[str, tuple[int, ...]]) -> Layout:
    names = {layer: layer for layer in _LAYERS}
    if "attn_qkv" in shapes:
        names |= dict.fromkeys(("attn_q", "attn_k", "attn_v"), "attn_qkv")
    if "ffn_gate" not in shapes:
        names["ffn_gate"] = "ffn_up"
    return _layout(names)


def _layout(names: Mapping[str, str]) -> Layout:
    """Group the layers by the matrix that holds them."""
    matrices: dict[str, tuple[str, ...]] = {}
    for layer in _LAYERS:
        matrices[names[layer]] = (*matrices.get(names[layer], ()), layer)
    return Layout(matrices)


def _count(base: GgufHeader, key: str) -> int:
    value = base.metadata.get(f"{base.architecture}.{key}")
    if isinstance(value, list) and value and all(one == value[0] for one in value):
        value = value[0]
    return value if isinstance(value, int) and value > 0 else 0


def _row_order_of_halves(rows: int, heads: int) -> NDArray[np.intp]:
    """Return the order that undoes `_row_order_of_neighbours`."""
    return np.argsort(_row_order_of_neighbours(rows, heads))


def _row_order_of_neighbours(rows: int, heads: int) -> NDArray[np.intp]:
    """Return the order that brings the rows i and i + D/2 of each head side by side."""
    return np.arange(rows).reshape(heads, 2, -1).swapaxes(1, 2).reshape(-1)


def _fused(parts: Sequence[Factors | None], rows: Sequence[int]) -> Factors:
    """Return one pair for layers whose rows lie one behind the other; None is not adapted.

    Layers with the same A share it. Others get ranks of their own, and B has zeros elsewhere.
    """
    groups: list[list[int]] = []  # indices of the parts that share an A
    for index, part in enumerate(parts):
        if part is None:
            continue
        for group in groups:
            first = parts[group[0]]
            if first is not None and first.scale == part.scale and _same(first.a, part.a):
                group.append(index)
                break
        else:
            groups.append([index])
    chosen = [[parts[i] for i in group] for group in groups]
    first = chosen[0][0]
    assert first is not None
    a = np.concatenate([group[0].a for group in chosen if group[0] is not None])
    b = np.zeros((sum(rows), len(a)), np.float32)
    starts = np.cumsum([0, *rows])
    column = 0
    for group in groups:
        rank = 0
        for index in group:
            part = parts[index]
            assert part is not None
            rank = part.a.shape[0]
            place = b[starts[index] : starts[index + 1], column : column + rank]
            place[...] = part.b * np.float32(part.scale / first.scale)
        column += rank
    return Factors(a, b, first.scale)


def _same(one: Float32, other: Float32) -> bool:
    return one is other or np.array_equal(one, other)
