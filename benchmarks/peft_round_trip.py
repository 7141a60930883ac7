"""Do adapters travel? The same models and adapters in PEFT, in our trainer and in llama.cpp.

PEFT's side makes a small random model of each architecture with transformers, and an adapter
with rsLoRA and different ranks. Its weights become a GGUF here, as llama.cpp's converter lays
them out. Then four sets of logits must agree with PEFT's within float error: the bare model; the
adapter that PEFT made, imported, in the trainer and in llama.cpp; and an adapter that was trained
here, exported, in PEFT.

    python benchmarks/peft_round_trip.py --python PYTHON [--folder FOLDER] [--json PATH]

PYTHON is an interpreter that has torch, transformers (5 or newer), peft.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import gguf
import llama_cpp
import numpy as np

from ondevice.adapters.gguf_lora import LoraAdapter, read_adapter, write_adapter
from ondevice.adapters.peft import read_peft, write_peft
from ondevice.models.gguf_header import GgufHeader, read_header
from ondevice.training.data import Document, pack
from ondevice.training.decoder import Decoder
from ondevice.training.lora import frozen_pairs
from ondevice.training.recipe import Recipe
from ondevice.training.trainer import Trainer
from ondevice.training.weights import Weights

NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.qkv_proj": "attn_qkv",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.gate_up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
GEMMA_NAMES = {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}
PERMUTED = ("llama", "granite", "smollm3")


def write_gguf(architecture: str, folder: Path) -> Path:
    """Write the weights that PEFT's side left in `folder` as a GGUF."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    path = folder / "model.gguf"
    writer = gguf.GGUFWriter(path, architecture)
    write_keys(writer, architecture, config)
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    with np.load(folder / "weights.npz") as weights:
        for key, values in weights.items():
            name = tensor_name(architecture, key)
            if name is None or (name == "output.weight" and config["tie_word_embeddings"]):
                continue
            if architecture == "gemma3" and name.endswith("norm.weight"):
                values = values + 1
            if architecture in PERMUTED and name.split(".")[-2] in ("attn_q", "attn_k"):
                n = heads if ".attn_q." in name else groups
                shape = values.shape
                values = values.reshape(n, 2, -1, *shape[1:]).swapaxes(1, 2).reshape(shape)
            writer.add_tensor(name, np.ascontiguousarray(values, np.float32))
    if architecture == "phi3":
        for kind in ("long", "short"):
            factors = np.array(config["rope_parameters"][f"{kind}_factor"], np.float32)
            writer.add_tensor(f"rope_factors_{kind}.weight", factors)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tensor_name(architecture: str, key: str) -> str | None:
    """Return the GGUF's name of a tensor of transformers."""
    outside = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
    }
    if key in outside:
        return outside[key]
    if not key.startswith("model.layers."):
        return None
    index, _, rest = key.removeprefix("model.layers.").partition(".")
    module, _, kind = rest.rpartition(".")
    names = NAMES | (GEMMA_NAMES if architecture == "gemma3" else {})
    return f"blk.{index}.{names[module]}.{kind}"


def write_keys(writer: gguf.GGUFWriter, architecture: str, config: dict[str, Any]) -> None:
    """Write what a converter writes of the configuration."""
    heads, width = config["num_attention_heads"], config["hidden_size"]
    head_dim = config.get("head_dim") or width // heads
    rope = config.get("rope_parameters") or {}
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(width)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(rope.get("full_attention", rope)["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    if architecture == "gemma3":
        writer.add_sliding_window(config["sliding_window"])
    if architecture == "granite":
        writer.add_attention_scale(config["attention_multiplier"])
        writer.add_embedding_scale(config["embedding_multiplier"])
        writer.add_residual_scale(config["residual_multiplier"])
        writer.add_logit_scale(config["logits_scaling"])
    if architecture == "phi3":
        original = rope["original_max_position_embeddings"]
        factor = config["max_position_embeddings"] / original
        writer.add_rope_scaling_orig_ctx_len(original)
        writer.add_rope_scaling_attn_factors(np.sqrt(1 + np.log(factor) / np.log(original)))


def our_logits(
    header: GgufHeader, tokens: np.ndarray[Any, Any], adapter: LoraAdapter | None = None
) -> np.ndarray[Any, Any]:
    """Return the trainer's logits."""
    weights = Weights(header, n_ctx=256)
    stack = [frozen_pairs(adapter, 1.0)] if adapter else []
    decoder = Decoder(weights, stack, precision="f32")
    hidden = decoder.hidden(pack([whole(tokens)]))
    head = weights.header.tensors[weights.architecture.head_tensor]
    with header.path.open("rb") as file:
        file.seek(head.offset)
        matrix = np.frombuffer(file.read(head.nbytes), "<f4").reshape(head.shape[::-1])
    return hidden @ matrix.T


def llama_logits(
    header: GgufHeader, tokens: np.ndarray[Any, Any], adapter: Path
) -> np.ndarray[Any, Any]:
    """Return llama.cpp's logits with the adapter file."""
    llama = llama_cpp.Llama(
        str(header.path), n_ctx=256, verbose=False, logits_all=True, flash_attn=False,
        lora_path=str(adapter), type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32,
    )  # fmt: skip
    llama.eval(tokens.tolist())
    logits = np.array(llama.scores[: len(tokens)])
    llama.close()
    return logits


def whole(tokens: np.ndarray[Any, Any]) -> Document:
    """Return a document of which every token is learned."""
    supervised = np.ones(len(tokens), np.bool_)
    supervised[0] = False
    return Document(tokens.astype(np.int32), supervised, "random")


def train(header: GgufHeader) -> LoraAdapter:
    """Train an adapter for a few steps, so that it is a real one."""
    random = np.random.default_rng(7)
    documents = [whole(random.integers(3, 97, 32)) for _ in range(8)]
    recipe = Recipe(rank=4, learning_rate=0.02, max_steps=8, held_out=0.0, dtype="F32")
    trainer = Trainer(Weights(header, n_ctx=256), documents, recipe, base_sha256="0" * 64)
    content = trainer.run().content
    assert content is not None
    return read_adapter(content, header)


def distance(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """Return the relative L2 distance."""
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


def main() -> None:
    """Run both sides and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", required=True)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    # -P: a module of this folder must not stand in for a package of that interpreter.
    peer = [options.python, "-P", str(Path(__file__).with_name("peft_models.py"))]
    subprocess.run([*peer, "make", str(folder)], check=True, stderr=subprocess.DEVNULL)
    results: dict[str, dict[str, float]] = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        header = read_header(write_gguf(place.name, place))
        tokens = np.load(place / "tokens.npy")
        imported = read_peft(place / "foreign", header)
        (place / "foreign.gguf").write_bytes(write_adapter(imported, "F32"))
        trained = train(header)
        write_peft(trained, header, place / "exported")
        foreign, bare = np.load(place / "foreign_logits.npy"), np.load(place / "logits.npy")
        results[place.name] = {
            "bare": distance(our_logits(header, tokens), bare),
            "adapter changes": distance(foreign, bare),
            "imported": distance(our_logits(header, tokens, imported), foreign),
            "in llama.cpp": distance(llama_logits(header, tokens, place / "foreign.gguf"), foreign),
        }
        np.save(place / "trained_logits.npy", our_logits(header, tokens, trained))
    subprocess.run([*peer, "apply", str(folder)], check=True, stderr=subprocess.DEVNULL)
    for name, row in results.items():
        theirs = np.load(folder / name / "exported_logits.npy")
        row["exported"] = distance(theirs, np.load(folder / name / "trained_logits.npy"))
    columns = list(next(iter(results.values())))
    print(f"{'relative distance':18}" + "".join(f"{column:>17}" for column in columns))
    for name, row in results.items():
        print(f"{name:18}" + "".join(f"{row[column]:17.1e}" for column in columns))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    agree = all(v < 5e-3 for row in results.values() for k, v in row.items() if "changes" not in k)
    sys.exit(0 if agree else 1)


if __name__ == "__main__":
    main()
