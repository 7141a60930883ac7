"""The PEFT side of `peft_round_trip.py`: runs where torch, transformers and peft are installed.

python peft_models.py make FOLDER      random models, their logits, and adapters made by PEFT
python peft_models.py apply FOLDER     logits of the models with the adapters that we exported
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model

SIZES: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "initializer_range": 0.2,
    "tie_word_embeddings": False,
    "attn_implementation": "eager",
}
LONG_ROPE = {
    "rope_type": "longrope",
    "short_factor": np.linspace(1.0, 1.5, 8).tolist(),
    "long_factor": np.linspace(2.0, 20.0, 8).tolist(),
    "original_max_position_embeddings": 256,
    "rope_theta": 10000.0,
}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {}),
    "qwen2": ("Qwen2", {}),
    "qwen3": ("Qwen3", {"head_dim": 32}),
    "gemma3": (
        "Gemma3Text",
        {
            "head_dim": 32,
            "num_hidden_layers": 7,
            "sliding_window": 8,
            "tie_word_embeddings": True,
            "query_pre_attn_scalar": 32,
        },
    ),
    "phi3": ("Phi3", {"rope_parameters": LONG_ROPE, "original_max_position_embeddings": 256}),
    "granite": (
        "Granite",
        {
            "attention_multiplier": 0.11,
            "embedding_multiplier": 3.0,
            "residual_multiplier": 0.4,
            "logits_scaling": 1.7,
        },
    ),
    "smollm3": ("SmolLM3", {"num_hidden_layers": 5, "no_rope_layer_interval": 4}),
}
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PHI3_TARGETS = ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]


def build(name: str) -> Any:
    """Return the model `name`, the same one every time."""
    kind, changes = MODELS[name]
    config = getattr(transformers, f"{kind}Config")(**{**SIZES, **changes})
    classes = {"Gemma3Text": "Gemma3ForCausalLM"}
    torch.manual_seed(0)
    model = getattr(transformers, classes.get(kind, f"{kind}ForCausalLM"))(config)
    with torch.no_grad():  # norms and biases begin as ones and zeros, which would hide mistakes
        for value in model.parameters():
            if value.ndim == 1:
                value.add_(0.2 * torch.randn_like(value))
    return model.float().eval()


def logits_of(model: Any, tokens: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the logits after each token."""
    with torch.no_grad():
        return model(torch.from_numpy(tokens)[None]).logits[0].numpy()


def make(folder: Path) -> None:
    """Leave models, adapters and logits in `folder`."""
    for name in MODELS:
        place = folder / name
        place.mkdir()
        model = build(name)
        tokens = np.random.default_rng(2).integers(3, 97, 40).astype(np.int64)
        weights = {key: value.numpy() for key, value in model.state_dict().items()}
        np.savez(place / "weights.npz", **weights)
        (place / "config.json").write_text(json.dumps(model.config.to_dict(), default=str))
        np.save(place / "tokens.npy", tokens)
        np.save(place / "logits.npy", logits_of(model, tokens))
        targets = PHI3_TARGETS if name == "phi3" else TARGETS
        config = LoraConfig(
            r=4,
            lora_alpha=6,
            use_rslora=True,
            target_modules=targets,
            rank_pattern={f"layers.1.self_attn.{targets[0]}": 2, targets[-1]: 3},
            alpha_pattern={targets[-1]: 5},
            init_lora_weights=False,
            task_type="CAUSAL_LM",
        )
        tuned = get_peft_model(model, config).eval()
        np.save(place / "foreign_logits.npy", logits_of(tuned, tokens))
        tuned.save_pretrained(place / "foreign")


def apply(folder: Path) -> None:
    """Leave the logits with the exported adapters in `folder`."""
    for name in MODELS:
        place = folder / name
        tuned = PeftModel.from_pretrained(build(name), str(place / "exported")).eval()
        tokens = np.load(place / "tokens.npy")
        np.save(place / "exported_logits.npy", logits_of(tuned, tokens))


if __name__ == "__main__":
    {"make": make, "apply": apply}[sys.argv[1]](Path(sys.argv[2]))
