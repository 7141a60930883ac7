"""The peer of our training: PEFT and PyTorch, on a transformers Llama of the same dimensions.

As a library it builds the model, with random weights or with those of a GGUF, and puts the
adapter on it. As a program it measures a training loop, for `training.py`, which runs it in a
process of its own:

    python benchmarks/peft_peer.py MODEL.gguf [--dtype bf16|f32] [--adapter same]
                                   [--batches 1x512,2x256,4x256]

It prints JSON: tokens/s of the fastest batch, and the peak of resident memory over the batches
of at most 512 tokens. The adapter is in float32, as PEFT makes it by default; --adapter same
takes the dtype of the base, which is faster and smaller on a bf16 base.
Needs `pip install torch transformers peft` (transformers 5 or newer).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig

from ondevice import _kernels
from ondevice.ground.system_memory import resident_memory
from ondevice.models.gguf_header import read_header
from ondevice.training.architecture import Architecture, read_architecture
from ondevice.training.weights import Weights

DTYPES = {"bf16": torch.bfloat16, "f32": torch.float32}
MODULES = {  # our names of the adapted layers, and theirs
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def build(
    a: Architecture, dtype: torch.dtype, rank: int, alpha: float, *, f32_adapter: bool = False
) -> Any:
    """Return a Llama of these dimensions, with random weights and an adapter on all layers."""
    config = LlamaConfig(
        vocab_size=a.n_vocab,
        hidden_size=a.width,
        intermediate_size=a.n_ff,
        num_hidden_layers=a.n_layers,
        num_attention_heads=a.n_heads,
        num_key_value_heads=a.n_kv_heads,
        head_dim=a.head_dim,
        rms_norm_eps=a.norm_eps,
        max_position_embeddings=a.n_ctx_train,
        rope_parameters={"rope_type": "default", "rope_theta": a.ropes[0].base},
        tie_word_embeddings=a.tied_head,
        use_cache=False,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    names = [name.split(".")[1] for name in MODULES.values()]
    lora = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=0.0, target_modules=names)
    return get_peft_model(model, lora, autocast_adapter_dtype=f32_adapter)


def load_gguf(model: Any, weights: Weights) -> None:
    """Give the model the values of a GGUF's matrices, dequantized."""
    a = weights.architecture
    inner = model.get_base_model().model
    with torch.no_grad():
        inner.embed_tokens.weight.copy_(_values(weights, "token_embd.weight"))
        inner.norm.weight.copy_(torch.from_numpy(weights.vector("output_norm.weight")))
        if not a.tied_head:
            model.get_base_model().lm_head.weight.copy_(_values(weights, "output.weight"))
        for index, block in enumerate(inner.layers):
            prefix = f"blk.{index}."
            attention_norm = weights.vector(prefix + "attn_norm.weight")
            block.input_layernorm.weight.copy_(torch.from_numpy(attention_norm))
            ffn_norm = weights.vector(prefix + "ffn_norm.weight")
            block.post_attention_layernorm.weight.copy_(torch.from_numpy(ffn_norm))
            for layer, module in MODULES.items():
                values = _values(weights, f"{prefix}{layer}.weight")
                if layer in ("attn_q", "attn_k"):
                    values = half_split(values, a.head_dim)
                block.get_submodule(module).base_layer.weight.copy_(values)


def half_split(rows: torch.Tensor, head_dim: int) -> torch.Tensor:
    """Order the rows of Q or K for RoPE over (i, i + D/2), from a GGUF's (2i, 2i + 1)."""
    heads = rows.reshape(-1, head_dim // 2, 2, rows.shape[1])
    return heads.transpose(1, 2).reshape(rows.shape)


def _values(weights: Weights, name: str) -> torch.Tensor:
    matrix = weights.matrix(name)
    values = np.empty((matrix.n, matrix.k), np.float32)
    _kernels.dequantize(matrix, values)
    return torch.from_numpy(values)


class Loop:
    """A plain training loop: forward, backward, clipping, AdamW."""

    def __init__(self, model: Any) -> None:
        """Train the adapter of `model`."""
        self.model = model.train()
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=3e-4, weight_decay=0.0)

    def step(self, tokens: torch.Tensor) -> float:
        """Make one update on tokens (batch, length); return the seconds."""
        began = time.perf_counter()
        self.model(input_ids=tokens, labels=tokens).loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return time.perf_counter() - began

    def tokens_per_second(self, tokens: torch.Tensor, seconds: float, steps: int) -> float:
        """Return the median speed of at least so many steps, or as many as fit the seconds."""
        self.step(tokens)
        times: list[float] = []
        while len(times) < steps or sum(times) < seconds:
            times.append(self.step(tokens))
        return tokens.numel() / statistics.median(times)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--adapter", choices=["same", "f32"], default="f32")
    parser.add_argument("--batches", default="1x512,2x256,4x256")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--steps", type=int, default=3)
    options = parser.parse_args()

    a = read_architecture(read_header(options.model))
    model = build(
        a, DTYPES[options.dtype], options.rank, 2.0 * options.rank,
        f32_adapter=options.adapter == "f32",
    )  # fmt: skip
    loop = Loop(model)
    shapes = [tuple(map(int, text.split("x"))) for text in options.batches.split(",")]
    speeds: dict[str, float] = {}
    memory = 0
    for rows, length in sorted(shapes, key=lambda shape: shape[0] * shape[1]):
        tokens = torch.randint(0, a.n_vocab, (rows, length))
        speed = loop.tokens_per_second(tokens, options.seconds, options.steps)
        speeds[f"{rows}x{length}"] = round(speed, 1)
        if rows * length <= 512 or not memory:
            memory = resident_memory() or 0
    result = {
        "tokens_per_s": max(speeds.values()),
        "peak_memory_bytes": memory,
        "batches": speeds,
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
