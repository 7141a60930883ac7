"""Adapters as PEFT keeps them: a folder with a configuration and a safetensors file.

For a module W (out, in) PEFT computes y = W x + s · B (A x), where s is
`lora_alpha / r`, or `lora_alpha / sqrt(r)` with rsLoRA. Our files hold one alpha and
the ranks, so scales that differ are folded into B. What PEFT can say and LoRA in
llama.cpp cannot (DoRA, biases, whole modules, embeddings) is refused by name.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ondevice.adapters.gguf_lora import AGAIN, LoraAdapter, LoraPair, check_base
from ondevice.adapters.layouts import Factors, Float32, Layouts, read_layouts
from ondevice.adapters.safetensors import read_safetensors, write_safetensors
from ondevice.errors import AdapterError, AdapterNotFoundError, InvalidAdapterError, explain
from ondevice.ground.files import private_folder, write_atomic
from ondevice.models.gguf_header import GgufHeader
from ondevice.remedies import Remedy

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX = "base_model.model.model.layers."
# The part before "layers" differs between text models and those that also see.
_KEY = re.compile(
    r"base_model\.model\.(?:model\.|language_model\.)*layers\.(0|[1-9]\d{0,5})\.(\w+\.\w+)"
    r"\.lora_([AB])(?:\.default)?\.weight"
)
_TENSOR = re.compile(r"blk\.(0|[1-9]\d*)\.(\w+)\.weight")
_MAX_CONFIG_BYTES = 1 << 20
# What must be absent, empty or off, because only plain LoRA can be carried over.
_PLAIN: dict[str, tuple[object, ...]] = {
    "bias": ("none", None),
    "use_dora": (False, None),
    "modules_to_save": (None, []),
    "fan_in_fan_out": (False, None),
    "layer_replication": (None, []),
    "trainable_token_indices": (None, [], {}),
    "target_parameters": (None, []),
    "alora_invocation_tokens": (None, []),
    "use_bdlora": (False, None),
    "use_qalora": (False, None),
    "lora_bias": (False, None),
    "arrow_config": (None,),
    "kasa_config": (None,),
    "velora_config": (None,),
    # Others (PiSSA, OLoRA, CorDA, LoftQ) change the base's weights, and ours are not changed.
    "init_lora_weights": (True, False, None, "gaussian", "orthogonal", "eva"),
}


def write_peft(
    adapter: LoraAdapter, base: GgufHeader, folder: Path, *, base_name: str | None = None
) -> None:
    """Write `adapter` into `folder` for PEFT, vLLM and others that read its format.

    Args:
        adapter: fits `base`.
        base: header of the model that it is for.
        folder: is made; must be new or empty.
        base_name: the Hugging Face name of the base, for the configuration.

    Raises:
        AdapterError: the folder is not empty or cannot be written, or the adapter does not fit.
    """
    files = peft_files(adapter, base, base_name)
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise AdapterError(f"{folder} is there already; give a new folder.")
        private_folder(folder)
        for name, content in files.items():
            write_atomic(folder / name, content)
    except OSError as error:
        raise AdapterError(f"{folder} cannot be written: {explain(error)}.") from error


def peft_files(
    adapter: LoraAdapter, base: GgufHeader, base_name: str | None = None
) -> dict[str, bytes]:
    """Return the files of a PEFT adapter by name.

    Raises:
        AdapterError: the adapter does not fit `base`, or adapts what PEFT cannot name.
    """
    dims = {n: (pair.a.shape[1], pair.b.shape[0]) for n, pair in adapter.tensors.items()}
    check_base(adapter.architecture, dims, base, "The adapter")
    layouts = read_layouts(base)
    modules: dict[str, Factors] = {}
    for index, tensors in _by_block(adapter, layouts).items():
        for module, pair in layouts.to_hugging_face(tensors).items():
            modules[f"{index}.{module}"] = pair
    matrices: dict[str, Float32] = {}
    for name, pair in modules.items():
        matrices[f"{_PREFIX}{name}.lora_A.weight"] = pair.a
        matrices[f"{_PREFIX}{name}.lora_B.weight"] = pair.b
    return {
        CONFIG: json.dumps(_config(modules, base_name), indent=2, sort_keys=True).encode() + b"\n",
        WEIGHTS: write_safetensors(matrices, {"format": "pt"}),
    }


def _by_block(adapter: LoraAdapter, layouts: Layouts) -> dict[int, dict[str, Factors]]:
    blocks: dict[int, dict[str, Factors]] = {}
    for name, pair in adapter.tensors.items():
        match = _TENSOR.fullmatch(name)
        if match is None or match[2] not in layouts.gguf.matrices:
            raise AdapterError(
                f"The adapter adapts '{name}', which has no place in PEFT.", Remedy.EXPORT_GGUF
            )
        factors = Factors(pair.a, pair.b, adapter.alpha / pair.rank)
        blocks.setdefault(int(match[1]), {})[match[2]] = factors
    return dict(sorted(blocks.items()))


def _config(modules: Mapping[str, Factors], base_name: str | None) -> dict[str, Any]:
    """Return the configuration: the commonest rank and alpha, and patterns for the others."""
    ranks = {name: pair.a.shape[0] for name, pair in modules.items()}
    alphas = {name: pair.scale * ranks[name] for name, pair in modules.items()}
    rank = Counter(ranks.values()).most_common(1)[0][0]
    alpha = Counter(alphas.values()).most_common(1)[0][0]
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_name,
        "r": rank,
        "lora_alpha": int(alpha) if alpha == int(alpha) else alpha,
        "rank_pattern": {f"layers.{n}": r for n, r in ranks.items() if r != rank},
        "alpha_pattern": {f"layers.{n}": a for n, a in alphas.items() if a != alpha},
        "target_modules": sorted({name.rpartition(".")[2] for name in modules}),
        "layers_to_transform": sorted({int(name.split(".")[0]) for name in modules}),
        "layers_pattern": "layers",
        "lora_dropout": 0.0,
        "bias": "none",
        "use_rslora": False,
        "use_dora": False,
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "modules_to_save": None,
    }


def read_peft(folder: Path, base: GgufHeader) -> LoraAdapter:
    """Return the PEFT adapter in `folder`, laid out for `base`.

    PEFT does not say for which weights an adapter was made, only a name; that it has the right
    shapes is all that can be checked.

    Raises:
        AdapterNotFoundError: there is none in `folder`.
        InvalidAdapterError: it is damaged, or more than a plain LoRA.
        AdapterBaseMismatchError: it does not fit `base`.
    """
    config = _read_config(folder)
    if not (folder / WEIGHTS).is_file():
        if (folder / "adapter_model.bin").exists():
            raise InvalidAdapterError(
                f"{folder} holds 'adapter_model.bin', a pickle, which can run any program; "
                "get the adapter as safetensors."
            )
        raise AdapterNotFoundError(
            f"There is no '{WEIGHTS}' in {folder}; give the folder of a whole PEFT adapter."
        )
    layouts = read_layouts(base)
    blocks = _read_modules(folder, config, layouts)
    carried = {
        f"blk.{index}.{tensor}.weight": pair
        for index, modules in sorted(blocks.items())
        for tensor, pair in layouts.to_gguf(modules).items()
    }
    ranks = [pair.a.shape[0] * pair.scale for pair in carried.values()]
    alpha = float(np.float32(Counter(ranks).most_common(1)[0][0]))
    tensors = {}
    for name, pair in carried.items():
        rank = pair.a.shape[0]
        factor = np.float32(pair.scale * rank / alpha)
        b = pair.b if factor == 1.0 else pair.b * factor
        tensors[name] = LoraPair(np.ascontiguousarray(pair.a), np.ascontiguousarray(b))
    dims = {name: (pair.a.shape[1], pair.b.shape[0]) for name, pair in tensors.items()}
    check_base(base.architecture, dims, base, str(folder))
    return LoraAdapter(base.architecture, alpha, tensors)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        if path.stat().st_size > _MAX_CONFIG_BYTES:
            raise InvalidAdapterError(
                f"{path} is too large for a configuration; check that it is PEFT's."
            )
        config = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AdapterNotFoundError(
            f"There is no '{CONFIG}' in {folder}; give the folder of a PEFT adapter."
        ) from error
    except OSError as error:
        raise InvalidAdapterError(f"{path} cannot be read: {explain(error)}.") from error
    except (ValueError, RecursionError) as error:
        raise InvalidAdapterError(f"{path} is not JSON; {AGAIN}.") from error
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        raise InvalidAdapterError(
            f"{path} does not describe a LoRA ('peft_type' is not 'LORA'); choose an adapter "
            "that is one."
        )
    for key, plain in _PLAIN.items():
        if key in config and config[key] not in plain:
            raise InvalidAdapterError(
                f"{folder} uses '{key}', which llama.cpp has no place for; choose an adapter "
                "that is a plain LoRA."
            )
    return config


def _read_modules(
    folder: Path, config: Mapping[str, Any], layouts: Layouts
) -> dict[int, dict[str, Factors]]:
    """Return the pairs of each block's modules."""
    halves: dict[tuple[int, str], dict[str, Any]] = {}
    for key, values in read_safetensors(folder / WEIGHTS).items():
        match = _KEY.fullmatch(key)
        if match is None or match[2] not in layouts.hugging_face.matrices or values.ndim != 2:
            shown = key[:120] if key.isprintable() else "?"
            raise InvalidAdapterError(
                f"{folder} adapts '{shown}', which is not a linear layer in the blocks of this "
                "base; use it with its own base, or choose another adapter."
            )
        halves.setdefault((int(match[1]), match[2]), {})[match[3]] = values
    if not halves:
        raise InvalidAdapterError(f"{folder} holds no tensors; {AGAIN}.")
    blocks: dict[int, dict[str, Factors]] = {}
    for (index, module), pair in sorted(halves.items()):
        where = f"layers.{index}.{module}"
        if len(pair) != 2:
            raise InvalidAdapterError(f"{folder} lacks one half of '{where}'; {AGAIN}.")
        a, b = pair["A"], pair["B"]
        if a.shape[0] != b.shape[1] or not 0 < a.shape[0] <= max(a.shape[1], b.shape[0]):
            raise InvalidAdapterError(
                f"{folder}: the halves of '{where}' do not fit together; {AGAIN}."
            )
        blocks.setdefault(index, {})[module] = Factors(a, b, _scale(config, where, a, folder))
    return blocks


def _scale(config: Mapping[str, Any], where: str, a: Any, folder: Path) -> float:
    """Return the factor on B A of the module `where`."""
    rank = _pattern(config, "rank_pattern", where, config.get("r"), folder)
    alpha = _pattern(config, "alpha_pattern", where, config.get("lora_alpha"), folder)
    if rank != a.shape[0]:
        raise InvalidAdapterError(
            f"{folder}: '{where}' has rank {a.shape[0]}, but the configuration says {rank:g}; "
            f"{AGAIN}."
        )
    return alpha / (math.sqrt(rank) if config.get("use_rslora") is True else rank)


def _pattern(
    config: Mapping[str, Any], key: str, where: str, default: object, folder: Path
) -> float:
    """Return the value for the module `where`: that of the first pattern that fits it.

    PEFT reads the patterns as regular expressions at the end of a name. Names, perhaps with a
    leading "^" or ".*", are all that is understood here: a foreign expression is not run.
    """
    patterns = config.get(key) or {}
    value: object = default
    if isinstance(patterns, dict):
        for pattern, found in patterns.items():
            if not re.fullmatch(r"\^?(\.\*)?\\?\.?[\w.\\]*\$?", pattern):
                raise InvalidAdapterError(
                    f"{folder}: the '{key}' '{pattern[:80]}' is not the name of a layer; write the "
                    "names out."
                )
            name = re.sub(r"^\^?(\.\*)?\\?\.?|\$$", "", pattern).replace("\\", "")
            full = f"model.{where}"
            if name == full or full.endswith(f".{name}"):
                value = found
                break
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
        raise InvalidAdapterError(
            f"{folder}: the configuration has no usable rank or alpha; {AGAIN}."
        )
    return float(value)
