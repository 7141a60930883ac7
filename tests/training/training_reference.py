"""A second, naive decoder in float64: no kernels, no hand-written derivatives.

The forward pass is written document by document and head by head; gradients
come from a tape that knows seven operations. Slow, short, and sharing nothing
with the code under test but the GGUF file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import gguf
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Var:
    """An array on the tape."""

    def __init__(
        self,
        value: Array,
        parents: Sequence[tuple[Var, Callable[[Array], Array]]] = (),
    ) -> None:
        self.value = np.asarray(value, np.float64)
        self.parents = parents
        self.grad = np.zeros_like(self.value)

    def __add__(self, other: Var) -> Var:
        return Var(
            self.value + other.value,
            [(self, lambda g: _fit(g, self.value)), (other, lambda g: _fit(g, other.value))],
        )

    def __mul__(self, other: Var) -> Var:
        return Var(
            self.value * other.value,
            [
                (self, lambda g: _fit(g * other.value, self.value)),
                (other, lambda g: _fit(g * self.value, other.value)),
            ],
        )

    def __matmul__(self, other: Var) -> Var:
        return Var(
            self.value @ other.value,
            [(self, lambda g: g @ other.value.T), (other, lambda g: self.value.T @ g)],
        )

    @property
    def T(self) -> Var:
        return Var(self.value.T, [(self, lambda g: g.T)])

    def apply(self, function: Callable[[Array], Array], slope: Callable[[Array], Array]) -> Var:
        return Var(function(self.value), [(self, lambda g: g * slope(self.value))])

    def sum(self, axis: int | None = None) -> Var:
        value = self.value.sum(axis, keepdims=axis is not None)
        return Var(value, [(self, lambda g: np.broadcast_to(g, self.value.shape))])

    def __getitem__(self, index: object) -> Var:
        def back(g: Array) -> Array:
            out = np.zeros_like(self.value)
            np.add.at(out, index, g)
            return out

        return Var(self.value[index], [(self, back)])

    def backward(self) -> None:
        order: list[Var] = []
        seen: set[int] = set()
        stack: list[tuple[Var, bool]] = [(self, False)]
        while stack:
            node, done = stack.pop()
            if done:
                order.append(node)
            elif id(node) not in seen:
                seen.add(id(node))
                stack.append((node, True))
                stack.extend((parent, False) for parent, _ in node.parents)
        self.grad = np.ones_like(self.value)
        for node in reversed(order):
            for parent, back in node.parents:
                parent.grad = parent.grad + back(node.grad)


def _fit(g: Array, like: Array) -> Array:
    while g.ndim > like.ndim:
        g = g.sum(0)
    for axis, size in enumerate(like.shape):
        if size == 1 and g.shape[axis] != 1:
            g = g.sum(axis, keepdims=True)
    return g


def concatenate(parts: Sequence[Var], axis: int) -> Var:
    edges = np.cumsum([0] + [p.value.shape[axis] for p in parts])

    def cut(i: int) -> Callable[[Array], Array]:
        return lambda g: np.take(g, range(edges[i], edges[i + 1]), axis)

    value = np.concatenate([p.value for p in parts], axis)
    return Var(value, [(p, cut(i)) for i, p in enumerate(parts)])


class Reference:
    """The model of a GGUF file, dequantized to float64, with LoRA pairs."""

    def __init__(self, path: str) -> None:
        reader = gguf.GGUFReader(path)
        self.meta = {name: field.contents() for name, field in reader.fields.items()}
        self.tensors = {
            t.name: gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float64)
            for t in reader.tensors
        }
        self.pairs: dict[str, list[tuple[Var, Var, float]]] = {}

    def add(self, name: str, a: Array, b: Array, scale: float) -> tuple[Var, Var]:
        pair = (Var(a), Var(b))
        self.pairs.setdefault(name, []).append((*pair, scale))
        return pair

    def linear(self, name: str, x: Var) -> Var:
        y = x @ Var(self.tensors[name]).T
        for a, b, scale in self.pairs.get(name, []):
            y = y + (x @ a.T @ b.T) * Var(np.array(scale))
        return y

    def norm(self, name: str, x: Var) -> Var:
        eps = self.meta["llama.attention.layer_norm_rms_epsilon"]
        mean = (x * x).sum(1) * Var(np.array(1.0 / x.value.shape[1]))
        rstd = mean.apply(lambda m: (m + eps) ** -0.5, lambda m: -0.5 * (m + eps) ** -1.5)
        return x * rstd * Var(self.tensors[name])

    def rope(self, x: Var) -> Var:
        """Rotate one head, (T, D), pairs of neighbours."""
        n, d = x.value.shape
        frequency = float(self.meta.get("llama.rope.freq_base", 10000.0)) ** (
            -np.arange(0, d, 2) / d
        )
        if "rope_freqs.weight" in self.tensors:
            frequency = frequency / self.tensors["rope_freqs.weight"]
        if self.meta.get("llama.rope.scaling.type") == "linear":
            frequency = frequency / self.meta["llama.rope.scaling.factor"]
        angle = np.repeat(np.outer(np.arange(n), frequency), 2, axis=1)
        turned = np.zeros((d, d))  # (x @ turned) = (-x1, x0, -x3, x2, …)
        for i in range(0, d, 2):
            turned[i + 1, i], turned[i, i + 1] = -1.0, 1.0
        return x * Var(np.cos(angle)) + (x @ Var(turned)) * Var(np.sin(angle))

    def attention(self, q: Var, k: Var, v: Var) -> Var:
        heads = self.meta["llama.attention.head_count"]
        groups = self.meta.get("llama.attention.head_count_kv", heads)
        d = q.value.shape[1] // heads
        n = q.value.shape[0]
        future = np.triu(np.full((n, n), -np.inf), 1)
        out = []
        for head in range(heads):
            own = slice(head * d, (head + 1) * d)
            group = head // (heads // groups)
            other = slice(group * d, (group + 1) * d)
            qh, kh = self.rope(q[:, own]), self.rope(k[:, other])
            logits = (qh @ kh.T) * Var(np.array(d**-0.5))
            out.append(self.softmax(logits + Var(future)) @ v[:, other])
        return concatenate(out, 1)

    @staticmethod
    def softmax(x: Var) -> Var:
        shifted = x + Var(-x.value.max(1, keepdims=True))
        e = shifted.apply(np.exp, np.exp)
        return e * e.sum(1).apply(lambda s: 1 / s, lambda s: -1 / s**2)

    def logits(self, tokens: Sequence[int]) -> Var:
        x = Var(self.tensors["token_embd.weight"][list(tokens)])
        for i in range(self.meta["llama.block_count"]):
            p = f"blk.{i}."
            n = self.norm(p + "attn_norm.weight", x)
            q, k, v = (self.linear(f"{p}attn_{c}.weight", n) for c in "qkv")
            x = x + self.linear(p + "attn_output.weight", self.attention(q, k, v))
            n = self.norm(p + "ffn_norm.weight", x)
            gate = self.linear(p + "ffn_gate.weight", n)
            sigmoid = gate.apply(
                lambda g: 1 / (1 + np.exp(-g)), lambda g: np.exp(-g) / (1 + np.exp(-g)) ** 2
            )
            inner = gate * sigmoid * self.linear(p + "ffn_up.weight", n)
            x = x + self.linear(p + "ffn_down.weight", inner)
        x = self.norm("output_norm.weight", x)
        head = self.tensors.get("output.weight", self.tensors["token_embd.weight"])
        return x @ Var(head).T

    def losses(self, tokens: Sequence[int], supervised: Sequence[bool]) -> Var:
        """Loss of each supervised token of one document, shape (S,)."""
        logits = self.logits(tokens)
        shifted = logits + Var(-logits.value.max(1, keepdims=True))
        total = shifted.apply(np.exp, np.exp).sum(1).apply(np.log, lambda s: 1 / s)
        targets = np.flatnonzero(supervised)
        picked = shifted[targets - 1, np.asarray(tokens)[targets]]
        return total[targets - 1, 0] + picked * Var(np.array(-1.0))


def relative_error(ours: Mapping[str, NDArray[np.float32]] | Array, theirs: Array) -> float:
    """Relative L2 distance."""
    return float(np.linalg.norm(np.asarray(ours) - theirs) / np.linalg.norm(theirs))
