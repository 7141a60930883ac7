"""The recipe: every number that decides what an adapter becomes, with its default and meaning.

The command line makes one option of each field and shows its help text, so a
default is written once, here. The recipe's hash goes into the adapter file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import Any

from ondevice.errors import TrainingError
from ondevice.training.family_table import LINEAR_LAYERS

SMALL_DATA_TOKENS = 10_000  # below: a lower rank, because there is little to learn from
FEW_TOKENS = 20_000  # below: smaller steps, so that there are enough of them
METHODS = ("sft", "dpo")
FEW_STEPS = 100  # below: a higher learning rate

_MODULE_GROUPS = {
    "all": LINEAR_LAYERS,
    "attention": ("attn_q", "attn_k", "attn_v", "attn_output"),
    "feed-forward": ("ffn_gate", "ffn_up", "ffn_down"),
}


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Recipe:
    """How an adapter is trained; 0 in a field marked so lets the data decide."""

    method: str = _option(
        "sft", "What is learned from: sft (texts and chats) or dpo (preference pairs)."
    )
    beta: float = _option(0.1, "DPO: how firmly the model is held to the reference.")
    label_smoothing: float = _option(0.0, "DPO: the share of preferences that may be wrong.")
    length_normalised: bool = _option(
        False, "DPO: compare mean log-probabilities per token; use a beta of 2 to 5."
    )
    anchor_weight: float = _option(
        1.0, "How much the drift at anchors counts beside the loss of what is learned."
    )
    rank: int = _option(
        0, "Rank of the adapter; 0: 16, or 8 below 10,000 training tokens, or less to save memory."
    )
    alpha: float = _option(32.0, "The adapter's contribution is scaled by alpha / rank.")
    rslora: bool = _option(False, "Scale by alpha / sqrt(rank) instead.")
    modules: str = _option(
        "all",
        "What is adapted: all, attention, feed-forward, or names such as attn_q,attn_v; "
        "where a model fuses layers into one tensor, all of that tensor.",
    )
    first_layer: int = _option(0, "The lowest block that is adapted.")
    learning_rate: float = _option(
        0.0, "Peak learning rate; 0: 3e-4, or 5e-4 below 100 steps; DPO 5e-5."
    )
    lora_plus: float = _option(1.0, "LoRA+: B learns this many times faster than A.")
    beta1: float = _option(0.9, "Decay of AdamW's mean of gradients.")
    beta2: float = _option(0.999, "Decay of AdamW's mean of squared gradients.")
    epsilon: float = _option(1e-8, "Added to AdamW's denominator.")
    weight_decay: float = _option(0.0, "Decoupled weight decay.")
    warmup: float = _option(0.05, "Share of the steps in which the learning rate rises.")
    final_rate: float = _option(0.1, "Share of the learning rate left at the end of the cosine.")
    clip: float = _option(1.0, "Largest norm of the gradient; longer ones are shortened.")
    epochs: float = _option(3.0, "Passes over the data.")
    max_steps: int = _option(0, "Stop after this many steps; 0: as many as the epochs need.")
    tokens_per_step: int = _option(
        0, "Tokens of an update; 0: 512, or 256 below 20,000 tokens, or less to save memory."
    )
    max_length: int = _option(
        512, "Longest document in tokens; longer texts are cut, longer chats are refused."
    )
    held_out: float = _option(0.1, "Share of the documents kept apart to measure progress.")
    evaluations: int = _option(20, "How often the held-out loss is measured in a run.")
    patience: int = _option(4, "Stop after so many measurements without a better one; 0: never.")
    completion_only: bool = _option(True, "In chats, learn only what the assistant says.")
    seed: int = _option(0, "Seed of the initial adapter and of the order of the data.")
    dtype: str = _option("F16", "Number format of the adapter file: F16 or F32.")

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            TrainingError: one cannot be used; the message names it.
        """
        self._require("method", self.method in METHODS, f"must be one of {', '.join(METHODS)}")
        self._require("label_smoothing", 0 <= self.label_smoothing < 0.5, "must be below 0.5")
        for name in ("alpha", "beta", "lora_plus", "epsilon", "clip", "epochs"):
            self._require(name, getattr(self, name) > 0, "must be above 0")
        for name in (
            "anchor_weight", "rank", "first_layer", "learning_rate", "weight_decay", "max_steps",
            "patience", "seed",
        ):  # fmt: skip
            self._require(name, getattr(self, name) >= 0, "must not be negative")
        for name in ("beta1", "beta2", "held_out", "warmup"):
            self._require(name, 0 <= getattr(self, name) < 1, "must be at least 0 and below 1")
        self._require("final_rate", 0 <= self.final_rate <= 1, "must be between 0 and 1")
        self._require("max_length", self.max_length >= 8, "must be at least 8")
        self._require(
            "tokens_per_step", self.tokens_per_step == 0 or self.tokens_per_step >= 8,
            "must be 0 or at least 8",
        )  # fmt: skip
        self._require("evaluations", self.evaluations >= 1, "must be at least 1")
        self._require("dtype", self.dtype in ("F16", "F32"), "must be F16 or F32")
        self.layers()  # checks `modules`

    def _require(self, name: str, good: bool, rule: str) -> None:
        value = getattr(self, name)
        if not good or (isinstance(value, float) and not math.isfinite(value)):
            option = name.replace("_", "-")
            raise TrainingError(f"The recipe's {option} is {value}, but it {rule}; choose another.")

    def layers(self) -> tuple[str, ...]:
        """Return the adapted linear layers in the order of the computation.

        Raises:
            TrainingError: `modules` names something else.
        """
        names: set[str] = set()
        for part in self.modules.split(","):
            name = part.strip().removesuffix(".weight")
            if name not in _MODULE_GROUPS and name not in LINEAR_LAYERS:
                known = ", ".join([*_MODULE_GROUPS, *LINEAR_LAYERS])
                raise TrainingError(f"The recipe's modules name '{name}'; choose some of {known}.")
            names.update(_MODULE_GROUPS.get(name, (name,)))
        return tuple(layer for layer in LINEAR_LAYERS if layer in names)

    def settled(self, n_tokens: int) -> Recipe:
        """Return the recipe with every 0 that "lets the data decide" replaced.

        Args:
            n_tokens: tokens in one pass over the training part.
        """
        per_step = self.tokens_per_step or (256 if n_tokens < FEW_TOKENS else 512)
        steps = self.max_steps or max(1, math.ceil(self.epochs * n_tokens / per_step))
        rate = 5e-4 if steps < FEW_STEPS else 3e-4
        if self.method == "dpo":
            rate = 5e-5
        return dataclasses.replace(
            self,
            rank=self.rank or (8 if n_tokens < SMALL_DATA_TOKENS else 16),
            tokens_per_step=per_step,
            learning_rate=self.learning_rate or rate,
        )

    @property
    def file_alpha(self) -> float:
        """The alpha for the file: llama.cpp always divides it by the rank."""
        return self.alpha * math.sqrt(self.rank) if self.rslora else self.alpha

    @property
    def scale(self) -> float:
        """The factor on B A; the rank must be settled."""
        return self.file_alpha / self.rank

    def sha256(self) -> str:
        """Return the hash of all fields as 64 hexadecimal digits."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
