"""What a decoder looks like, as data: read from a GGUF header, checked, never guessed.

`families` says how an architecture differs from the others; `Architecture` adds
the sizes of one model. The forward and backward pass read only this. A file that
has anything beyond its family's description is refused by name, because ignoring
a tensor or a key would train against another model than llama.cpp runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ondevice.errors import TrainingError
from ondevice.models.gguf_header import GgufHeader
from ondevice.settings import ModelSettings
from ondevice.training.family_table import FAMILIES, LINEAR_LAYERS, Family
from ondevice.training.metadata import Metadata
from ondevice.training.rope import Rope, read_ropes


@dataclass(frozen=True)
class Part:
    """Where a linear layer lies: the rows `start` to `stop` of the block's tensor `tensor`."""

    tensor: str
    start: int
    stop: int


@dataclass(frozen=True)
class Architecture:
    """The sizes and constants of one model.

    Attributes:
        name: `general.architecture`.
        family: what it has in common with its relatives.
        n_layers: number of blocks.
        width: values of the residual stream for each token.
        n_heads: query heads.
        n_kv_heads: key and value heads; divides `n_heads`.
        head_dim: width of one head.
        n_ff: inner width of the feed-forward part.
        n_vocab: rows of the embedding table and of the head.
        n_ctx_train: longest context that the model was made for.
        norm_eps: added to the mean square in RMSNorm.
        attention_scale: factor on query-key products.
        ropes: how each block turns queries and keys; None in a block that does not.
        windows: so many tokens back each block sees; 0 for all.
        embedding_scale: factor on embeddings.
        residual_scale: factor on what a half of a block adds to the residual stream.
        logit_scale: logits are divided by this.
        fused_qkv: one tensor holds the rows of queries, keys and values.
        tied_head: the head is the embedding table.
    """

    name: str
    family: Family
    n_layers: int
    width: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    n_ff: int
    n_vocab: int
    n_ctx_train: int
    norm_eps: float
    attention_scale: float
    ropes: tuple[Rope | None, ...]
    windows: tuple[int, ...]
    embedding_scale: float
    residual_scale: float
    logit_scale: float
    fused_qkv: bool
    tied_head: bool

    @property
    def head_tensor(self) -> str:
        """Name of the tensor that turns hidden states into logits."""
        return "token_embd.weight" if self.tied_head else "output.weight"

    def linear_shape(self, layer: str) -> tuple[int, int]:
        """Return (inputs, outputs) of one of `LINEAR_LAYERS`, or of a tensor that fuses some."""
        heads, groups = self.n_heads * self.head_dim, self.n_kv_heads * self.head_dim
        if layer == "ffn_up" and self.family.fused_gate_up:
            return (self.width, 2 * self.n_ff)
        return {
            "attn_q": (self.width, heads),
            "attn_k": (self.width, groups),
            "attn_v": (self.width, groups),
            "attn_qkv": (self.width, heads + 2 * groups),
            "attn_output": (heads, self.width),
            "ffn_gate": (self.width, self.n_ff),
            "ffn_up": (self.width, self.n_ff),
            "ffn_down": (self.n_ff, self.width),
        }[layer]

    def part(self, layer: str) -> Part:
        """Return the tensor of a block, and its rows, that are one of `LINEAR_LAYERS`."""
        heads, groups = self.n_heads * self.head_dim, self.n_kv_heads * self.head_dim
        if self.fused_qkv and layer in ("attn_q", "attn_k", "attn_v"):
            start, n = {
                "attn_q": (0, heads),
                "attn_k": (heads, groups),
                "attn_v": (heads + groups, groups),
            }[layer]
            return Part("attn_qkv", start, start + n)
        if self.family.fused_gate_up and layer in ("ffn_gate", "ffn_up"):
            start = 0 if layer == "ffn_gate" else self.n_ff
            return Part("ffn_up", start, start + self.n_ff)
        return Part(layer, 0, self.linear_shape(layer)[1])

    def linear_tensors(self, layers: Iterable[str] = LINEAR_LAYERS) -> tuple[str, ...]:
        """Return a block's tensors that hold `layers`, each once; fused ones hold more."""
        return tuple(dict.fromkeys(self.part(layer).tensor for layer in layers))


def read_architecture(header: GgufHeader, n_ctx: int = ModelSettings.n_ctx) -> Architecture:
    """Return the architecture of the model that `header` describes.

    Args:
        header: of the model's file.
        n_ctx: the context in which the model will run.

    Raises:
        TrainingError: the architecture, or something in the file, is not supported; the message
            names it.
    """
    family = FAMILIES.get(header.architecture)
    if family is None:
        known = ", ".join(FAMILIES)
        raise TrainingError(
            f"Training does not support the architecture '{header.architecture}' of "
            f"{header.path.name}; choose a model of one of these: {known}."
        )
    keys = Metadata(header)
    _check_keys(keys, family)
    width, n_layers = keys.count("embedding_length"), keys.count("block_count")
    n_heads = keys.count("attention.head_count")
    n_kv_heads = keys.count("attention.head_count_kv", n_heads)
    if n_heads % n_kv_heads:
        raise keys.unusable("attention.head_count_kv")
    head_dim = keys.count("attention.key_length", width // n_heads)
    for key in ("value_length", "key_length_swa", "value_length_swa"):
        default = head_dim if key.endswith("swa") else width // n_heads
        if keys.count(f"attention.{key}", default) != head_dim:
            raise keys.unusable(f"attention.{key}")
    embedding = header.tensors.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise TrainingError(
            f"{header.path.name} has no embedding table 'token_embd.weight'; get the file "
            "again from its source."
        )
    windows = _windows(keys, family, n_layers)
    n_ctx_train = keys.count("context_length")
    architecture = Architecture(
        name=header.architecture,
        family=family,
        n_layers=n_layers,
        width=width,
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        head_dim=head_dim,
        n_ff=keys.count("feed_forward_length"),
        n_vocab=embedding.shape[1],
        n_ctx_train=n_ctx_train,
        norm_eps=keys.number("attention.layer_norm_rms_epsilon"),
        attention_scale=_attention_scale(keys, family, width // n_heads, head_dim, n_layers),
        ropes=read_ropes(keys, family, windows, head_dim, min(n_ctx, n_ctx_train)),
        windows=windows,
        embedding_scale=_embedding_scale(keys, family, width),
        residual_scale=keys.scale("residual_scale", 1.0) if family.scales else 1.0,
        logit_scale=keys.number("logit_scale") if family.scales else 1.0,
        fused_qkv="blk.0.attn_qkv.weight" in header.tensors,
        tied_head="output.weight" not in header.tensors,
    )
    _check_tensors(header, architecture)
    return architecture


def _attention_scale(
    keys: Metadata, family: Family, width_per_head: int, head_dim: int, n_layers: int
) -> float:
    if n_layers == family.width_scaled_layers:
        return 1.0 / math.sqrt(width_per_head)
    usual = 1.0 / math.sqrt(head_dim)
    return keys.scale("attention.scale", usual) if family.scales else usual


def _embedding_scale(keys: Metadata, family: Family, width: int) -> float:
    if family.embedding_scale:
        return math.sqrt(width)
    return keys.scale("embedding_scale", 1.0) if family.scales else 1.0


def _windows(keys: Metadata, family: Family, n_layers: int) -> tuple[int, ...]:
    """Return the sliding window of each block, 0 where it sees everything."""
    window = keys.get("attention.sliding_window", 0)
    if not family.window_pattern or window == 0:
        return (0,) * n_layers
    window = keys.count("attention.sliding_window")
    name = f"{keys.prefix}attention.sliding_window_pattern"
    pattern = keys.header.metadata.get(name, family.window_pattern)
    if isinstance(pattern, list):
        if len(pattern) != n_layers:
            raise keys.unusable("attention.sliding_window_pattern")
        return tuple(window if windowed else 0 for windowed in pattern)
    if isinstance(pattern, bool) or not isinstance(pattern, int) or pattern < 0:
        raise keys.unusable("attention.sliding_window_pattern")
    return tuple(
        window if pattern == 0 or index % pattern < pattern - 1 else 0 for index in range(n_layers)
    )


def _check_keys(keys: Metadata, family: Family) -> None:
    for key, neutral in family.neutral_keys.items():
        if keys.has(key) and keys.get(key) not in neutral:
            raise TrainingError(
                f"Training does not support '{keys.prefix}{key}', which "
                f"{keys.header.path.name} uses; choose another base model."
            )


def _check_tensors(header: GgufHeader, architecture: Architecture) -> None:
    """Check that the file has the tensors of its family, in their shapes, and no others."""
    expected, optional = _block_tensors(architecture)
    expected["token_embd.weight"] = (architecture.width, architecture.n_vocab)
    expected["output_norm.weight"] = (architecture.width,)
    if not architecture.tied_head:
        expected["output.weight"] = (architecture.width, architecture.n_vocab)
    dims = next((rope.dims for rope in architecture.ropes if rope), architecture.head_dim)
    for name in architecture.family.rope_tensors:
        optional[name] = (dims // 2,)
    for name, shape in (optional | expected).items():
        tensor = header.tensors.get(name)
        if tensor is None:
            if name in optional:
                continue
            raise TrainingError(
                f"{header.path.name} lacks the tensor '{name}'; get the file again from its source."
            )
        if tensor.shape != shape:
            raise TrainingError(
                f"The tensor '{name}' of {header.path.name} has shape {tensor.shape}, but its "
                f"metadata says {shape}; get the file again from its source."
            )
        if len(shape) == 1 and tensor.type != "F32":
            raise TrainingError(
                f"The tensor '{name}' of {header.path.name} is not F32; choose another base model."
            )
    for name in header.tensors:
        if name not in expected and name not in optional:
            raise TrainingError(
                f"Training does not support the tensor '{name}', which {header.path.name} "
                "has; choose another base model."
            )


def _block_tensors(
    architecture: Architecture,
) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """Return the shapes of the tensors that blocks must have, and of those that they may have."""
    family = architecture.family
    expected: dict[str, tuple[int, ...]] = {}
    optional: dict[str, tuple[int, ...]] = {}
    for index in range(architecture.n_layers):
        block = f"blk.{index}."
        for name in family.norms:
            expected[f"{block}{name}.weight"] = (architecture.width,)
        for name in ("attn_q_norm", "attn_k_norm") if family.qk_norm else ():
            expected[f"{block}{name}.weight"] = (architecture.head_dim,)
        for tensor in architecture.linear_tensors():
            n_in, n_out = architecture.linear_shape(tensor)
            expected[f"{block}{tensor}.weight"] = (n_in, n_out)
            if tensor in family.biases:
                optional[f"{block}{tensor}.bias"] = (n_out,)
    return expected, optional
