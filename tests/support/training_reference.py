"""A second, naive decoder in float64: no kernels, no hand-written derivatives.

The forward pass is written document by document and head by head; gradients
come from a tape that knows a few operations. Slow, short, and sharing nothing
with the code under test but the GGUF file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

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


def _silu(x: Array) -> Array:
    return x / (1 + np.exp(-x))


def _silu_slope(x: Array) -> Array:
    sigmoid = 1 / (1 + np.exp(-x))
    return sigmoid * (1 + x * (1 - sigmoid))


def _gelu(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(_GELU_SCALE * (x + 0.044715 * x**3)))


def _gelu_slope(x: Array) -> Array:
    t = np.tanh(_GELU_SCALE * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * _GELU_SCALE * (1 + 3 * 0.044715 * x**2)


_GELU_SCALE = (2 / np.pi) ** 0.5
SILU, GELU = (_silu, _silu_slope), (_gelu, _gelu_slope)


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
    """The model of a GGUF file, dequantized to float64, with LoRA pairs.

    Written from llama.cpp's description of each architecture, as plain cases.
    """

    def __init__(self, path: str, n_ctx: int = 128) -> None:
        reader = gguf.GGUFReader(path)
        self.meta = {name: field.contents() for name, field in reader.fields.items()}
        self.arch = str(self.meta["general.architecture"])
        self.tensors = {
            t.name: gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float64)
            for t in reader.tensors
        }
        self.n_ctx = n_ctx
        self.pairs: dict[str, list[tuple[Var, Var, float]]] = {}
        self.heads = self.key("attention.head_count")
        self.groups = self.key("attention.head_count_kv", self.heads)
        self.d = self.key("attention.key_length", self.key("embedding_length") // self.heads)

    def key(self, name: str, default: object = None) -> Any:
        value = self.meta.get(f"{self.arch}.{name}", default)
        return value[0] if isinstance(value, list) and len(set(value)) == 1 else value

    def add(self, name: str, a: Array, b: Array, scale: float) -> tuple[Var, Var]:
        pair = (Var(a), Var(b))
        self.pairs.setdefault(name, []).append((*pair, scale))
        return pair

    def linear(self, name: str, x: Var) -> Var:
        """`name` is that of the tensor without ".weight"."""
        y = x @ Var(self.tensors[f"{name}.weight"]).T
        for a, b, scale in self.pairs.get(f"{name}.weight", []):
            y = y + (x @ a.T @ b.T) * Var(np.array(scale))
        if f"{name}.bias" in self.tensors:
            y = y + Var(self.tensors[f"{name}.bias"][None])
        return y

    def norm(self, name: str, x: Var) -> Var:
        eps = self.key("attention.layer_norm_rms_epsilon")
        mean = (x * x).sum(1) * Var(np.array(1.0 / x.value.shape[1]))
        rstd = mean.apply(lambda m: (m + eps) ** -0.5, lambda m: -0.5 * (m + eps) ** -1.5)
        return x * rstd * Var(self.tensors[f"{name}.weight"])

    def windowed(self, block: int) -> bool:
        if self.arch != "gemma3" or not self.key("attention.sliding_window", 0):
            return False
        pattern = self.key("attention.sliding_window_pattern", 6)
        return bool(pattern[block]) if isinstance(pattern, list) else block % pattern < pattern - 1

    def rope(self, x: Var, block: int) -> Var:
        """Rotate one head, (T, D)."""
        if self.arch == "smollm3" and (block + 1) % 4 == 0:
            return x
        if self.arch == "granite" and self.key("rope.scaling.finetuned", True) is False:
            return x
        n, d = x.value.shape
        turned_dims = self.key("rope.dimension_count", d)
        local = self.windowed(block)
        base = self.key("rope.freq_base_swa", 1e4) if local else self.key("rope.freq_base", 1e4)
        frequency = float(base) ** (-np.arange(0, turned_dims, 2) / turned_dims)
        original = self.key("rope.scaling.original_context_length", self.key("context_length"))
        which = "long" if self.n_ctx > original else "short"
        for name in ("rope_freqs.weight", f"rope_factors_{which}.weight"):
            if name in self.tensors:
                frequency = frequency / self.tensors[name]
        if self.key("rope.scaling.type") == "linear" and not local:
            frequency = frequency / self.key("rope.scaling.factor")
        magnitude = float(self.key("rope.scaling.attn_factor", 1.0))
        half_split = self.arch in ("qwen2", "qwen3", "gemma3", "phi3")
        p = turned_dims // 2
        cos, sin = np.ones((n, d)), np.zeros((n, d))
        turn = np.zeros((d, d))
        for i in range(p):
            one, two = (i, i + p) if half_split else (2 * i, 2 * i + 1)
            angle = np.arange(n) * frequency[i]
            for j in (one, two):
                cos[:, j], sin[:, j] = magnitude * np.cos(angle), magnitude * np.sin(angle)
            turn[two, one], turn[one, two] = -1.0, 1.0
        return x * Var(cos) + (x @ Var(turn)) * Var(sin)

    def attention(self, q: Var, k: Var, v: Var, block: int) -> Var:
        d, n = self.d, q.value.shape[0]
        mask = np.triu(np.full((n, n), -np.inf), 1)
        if self.windowed(block):
            window = self.key("attention.sliding_window")
            mask = mask + np.tril(np.full((n, n), -np.inf), -window)
        scale = d**-0.5
        if self.arch == "granite":
            scale = self.key("attention.scale", scale)
        out = []
        for head in range(self.heads):
            group = head // (self.heads // self.groups)
            own, other = (slice(i * d, (i + 1) * d) for i in (head, group))
            qh, kh = q[:, own], k[:, other]
            if f"blk.{block}.attn_q_norm.weight" in self.tensors:
                qh = self.norm(f"blk.{block}.attn_q_norm", qh)
                kh = self.norm(f"blk.{block}.attn_k_norm", kh)
            qh, kh = self.rope(qh, block), self.rope(kh, block)
            logits = (qh @ kh.T) * Var(np.array(scale))
            out.append(self.softmax(logits + Var(mask)) @ v[:, other])
        return concatenate(out, 1)

    @staticmethod
    def softmax(x: Var) -> Var:
        shifted = x + Var(-x.value.max(1, keepdims=True))
        e = shifted.apply(np.exp, np.exp)
        return e * e.sum(1).apply(lambda s: 1 / s, lambda s: -1 / s**2)

    def projections(self, p: str, n: Var) -> list[Var]:
        if f"{p}attn_qkv.weight" not in self.tensors:
            return [self.linear(f"{p}attn_{c}", n) for c in "qkv"]
        fused = self.linear(f"{p}attn_qkv", n)
        edges = np.cumsum([0, *(self.d * count for count in (self.heads, *[self.groups] * 2))])
        return [fused[:, edges[i] : edges[i + 1]] for i in range(3)]

    def feed_forward(self, p: str, n: Var) -> Var:
        up = self.linear(f"{p}ffn_up", n)
        if self.arch == "phi3":
            f = up.value.shape[1] // 2
            gate, up = up[:, :f], up[:, f:]
        else:
            gate = self.linear(f"{p}ffn_gate", n)
        active = gate.apply(*GELU) if self.arch == "gemma3" else gate.apply(*SILU)
        return self.linear(f"{p}ffn_down", active * up)

    def logits(self, tokens: Sequence[int]) -> Var:
        x = Var(self.tensors["token_embd.weight"][list(tokens)])
        embedding, residual, divisor = 1.0, 1.0, 1.0
        if self.arch == "gemma3":
            embedding = self.key("embedding_length") ** 0.5
        if self.arch == "granite":
            embedding, residual = self.key("embedding_scale", 1.0), self.key("residual_scale", 1.0)
            divisor = self.key("logit_scale")
        x = x * Var(np.array(embedding))

        def add(x: Var, branch: Var, norm: str) -> Var:
            if f"{norm}.weight" in self.tensors:
                branch = self.norm(norm, branch)
            return x + branch * Var(np.array(residual))

        for i in range(self.key("block_count")):
            p = f"blk.{i}."
            q, k, v = self.projections(p, self.norm(p + "attn_norm", x))
            attended = self.linear(p + "attn_output", self.attention(q, k, v, i))
            x = add(x, attended, p + "post_attention_norm")
            inner = self.feed_forward(p, self.norm(p + "ffn_norm", x))
            x = add(x, inner, p + "post_ffw_norm")
        x = self.norm("output_norm", x)
        head = self.tensors.get("output.weight", self.tensors["token_embd.weight"])
        return (x @ Var(head).T) * Var(np.array(1.0 / divisor))

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
