"""What a header tells about whether llama.cpp can use the model at all.

llama.cpp ends the whole process where a file contradicts itself, so what can be seen in the header
is refused here, each fault with its own sentence. What no header tells is tried by `first_contact`.
"""

from __future__ import annotations

import math
import re

from ondevice.errors import InvalidModelError
from ondevice.models.gguf_header import GgufHeader
from ondevice.remedies import Remedy

MAX_LAYERS = 512  # llama.cpp's own limits
MAX_EXPERTS = 1024
MIN_CONTEXT = 8  # tokens; with fewer there is no room for a question and its answer
ROPE_SCALING_TYPES = frozenset({"none", "linear", "yarn", "longrope"})
NO_VOCABULARY = frozenset({"no_vocab", "none"})

_AGAIN = "get the file again from its source"
_PART = re.compile(r"(?P<stem>.*)-\d{5}-of-\d{5}\.gguf", re.IGNORECASE)


def check_model(header: GgufHeader) -> None:
    """Check that the header is that of a whole language model whose parts fit together.

    Raises:
        InvalidModelError: something is missing or does not fit.
    """
    _check_whole(header)
    path, architecture = header.path, header.architecture
    if not re.fullmatch(r"[a-z0-9_.-]{1,64}", architecture):
        raise InvalidModelError(
            f"{path} names no model architecture, so it is not a language model; choose "
            "another file."
        )
    if header.metadata.get("general.type", "model") != "model":
        raise InvalidModelError(
            f"{path} is a GGUF file, but not of a model (adapter or other); choose another file."
        )
    _check_sizes(header)
    _check_experts(header)
    _check_numbers(header)
    _check_tensor_types(header)
    _check_vocabulary(header)


def _own(header: GgufHeader, key: str) -> object:
    """Return the value of the architecture's own `key`, or None."""
    return header.metadata.get(f"{header.architecture}.{key}")


def _check_whole(header: GgufHeader) -> None:
    """Refuse a file that is one part of several."""
    count, number = header.metadata.get("split.count"), header.metadata.get("split.no", 0)
    if not isinstance(count, int) or count <= 1:
        return
    this = number + 1 if isinstance(number, int) and 0 <= number < count else None
    name = f"part {this} of {count}" if this else f"one of {count} parts"
    raise InvalidModelError(
        f"{header.path} is {name} of a model{_missing_parts(header, count, this)}; a model must "
        "be one file.",
        Remedy.JOIN_PARTS,
    )


def _missing_parts(header: GgufHeader, count: int, this: int | None) -> str:
    """Say which of the other parts do not lie beside this one, if their names can be told."""
    match = _PART.fullmatch(header.path.name)
    if match is None or this is None or count > 99_999:
        return ""
    missing = [
        str(n)
        for n in range(1, count + 1)
        if n != this
        and not header.path.with_name(f"{match['stem']}-{n:05}-of-{count:05}.gguf").is_file()
    ]
    if not missing:
        return ""
    if len(missing) == 1:
        return f", and part {missing[0]} is missing"
    if len(missing) > 6:
        return f", and {len(missing)} parts are missing"
    return f", and parts {', '.join(missing[:-1])} and {missing[-1]} are missing"


def _check_sizes(header: GgufHeader) -> None:
    path, architecture = header.path, header.architecture
    for key, most in (("block_count", MAX_LAYERS), ("embedding_length", 1 << 20)):
        value = _own(header, key)
        if not isinstance(value, int) or not 0 < value <= most:
            raise InvalidModelError(f"{path} has no usable '{architecture}.{key}'; {_AGAIN}.")
    layers, extra = _own(header, "block_count"), _own(header, "nextn_predict_layers")
    if isinstance(layers, int) and isinstance(extra, int) and extra > layers:
        raise InvalidModelError(
            f"{path} claims {extra} layers that predict ahead, but {layers} in all; {_AGAIN}."
        )
    context = _own(header, "context_length")
    if not isinstance(context, int) or not 0 < context <= 1 << 31:
        raise InvalidModelError(f"{path} has no usable context length; {_AGAIN}.")
    if context < MIN_CONTEXT:
        raise InvalidModelError(
            f"{path} has a context of {context} tokens, too short for a question and its answer; "
            "use another model."
        )


def _check_experts(header: GgufHeader) -> None:
    """Check the counts of a mixture of experts against each other."""
    path = header.path
    count, used = _number(header, "expert_count"), _number(header, "expert_used_count")
    if header.architecture.startswith("hunyuan") and count <= 1:
        return  # llama.cpp takes one expert of these for none
    if count == 0 and any("_exps." in name for name in header.tensors):
        raise InvalidModelError(f"{path} holds experts but does not say how many; {_AGAIN}.")
    if count > MAX_EXPERTS:
        raise InvalidModelError(
            f"{path} claims {count} experts, more than the {MAX_EXPERTS} that llama.cpp knows; "
            f"{_AGAIN}."
        )
    if used > count or (count and not used):
        raise InvalidModelError(
            f"{path} has {count} experts and uses {used} of them for a token, which cannot be; "
            f"{_AGAIN}."
        )
    groups, chosen = (
        _number(header, "expert_group_count"),
        _number(header, "expert_group_used_count"),
    )
    fits = groups == 0 or groups < count
    if groups > 1:
        fits = fits and count % groups == 0 and 0 < chosen < groups
    if not fits:
        raise InvalidModelError(
            f"{path} puts its {count} experts into {groups} groups and uses {chosen} of these, "
            f"which cannot be; {_AGAIN}."
        )


def _number(header: GgufHeader, key: str) -> int:
    """Return the count called `key`, 0 if there is none; the greatest, if each layer has its own.

    Raises:
        InvalidModelError: it is no count.
    """
    value = _own(header, key)
    values = value if isinstance(value, list) else [0 if value is None else value]
    numbers = [number for number in values if isinstance(number, int) and number >= 0]
    if len(numbers) != len(values):
        raise InvalidModelError(
            f"{header.path} has no usable '{header.architecture}.{key}'; {_AGAIN}."
        )
    return max(numbers, default=0)


def _check_numbers(header: GgufHeader) -> None:
    """Check the scaling of positions and what is added before a division."""
    scaling = _own(header, "rope.scaling.type")
    if scaling is not None and scaling not in ROPE_SCALING_TYPES:
        raise InvalidModelError(
            f"{header.path} scales its positions (RoPE) in the unknown way '{str(scaling)[:40]}'; "
            f"known are {', '.join(sorted(ROPE_SCALING_TYPES))}: use another model."
        )
    for key, value in header.metadata.items():
        if key.startswith(f"{header.architecture}.") and key.endswith("epsilon"):
            usable = isinstance(value, (int, float)) and math.isfinite(value) and value >= 0
            if not usable:
                raise InvalidModelError(
                    f"{header.path} has a '{key}' that is not a number from 0 on; {_AGAIN}."
                )


def _check_tensor_types(header: GgufHeader) -> None:
    """Check that norms and biases are plain F32: llama.cpp computes with no others."""
    for tensor in header.tensors.values():
        plain = tensor.name.endswith(("norm.weight", "norm.bias", ".bias"))
        if plain and tensor.type != "F32":
            raise InvalidModelError(
                f"{header.path} has the tensor '{tensor.name}' in {tensor.type}, but llama.cpp "
                "computes with F32 there; convert the model again, or use another file."
            )


def _check_vocabulary(header: GgufHeader) -> None:
    path, metadata = header.path, header.metadata
    tokens = metadata.get("tokenizer.ggml.tokens")
    kind = metadata.get("tokenizer.ggml.model")
    if not isinstance(tokens, list) or not tokens or not isinstance(tokens[0], str):
        raise InvalidModelError(f"{path} has no vocabulary; use a complete GGUF model.")
    if not isinstance(kind, str) or kind in NO_VOCABULARY:
        raise InvalidModelError(
            f"{path} does not say of what kind its vocabulary is; use a complete GGUF model."
        )
    if len(set(tokens)) < len(tokens) - max(0, tokens.count("") - 1):  # empty ones get numbers
        raise InvalidModelError(f"{path} has the same token twice in its vocabulary; {_AGAIN}.")
    for key in ("tokenizer.ggml.scores", "tokenizer.ggml.token_type"):
        values = metadata.get(key)
        if values is not None and (not isinstance(values, list) or len(values) != len(tokens)):
            raise InvalidModelError(f"{path}: '{key}' does not fit the vocabulary; {_AGAIN}.")
    for key, value in metadata.items():
        if (
            key.startswith("tokenizer.ggml.")
            and key.endswith("_token_id")
            and (not isinstance(value, int) or not (0 <= value < len(tokens) or value == 2**32 - 1))
        ):
            raise InvalidModelError(f"{path}: '{key}' is outside the vocabulary; {_AGAIN}.")
    embedding = header.tensors.get("token_embd.weight")
    if embedding is None or embedding.shape != (_own(header, "embedding_length"), len(tokens)):
        raise InvalidModelError(
            f"{path}: the embedding table is missing or does not fit the vocabulary; {_AGAIN}."
        )
