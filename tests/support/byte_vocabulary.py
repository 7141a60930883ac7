"""A vocabulary of single bytes, with which any text can be written."""

from __future__ import annotations

import gguf

SPECIAL = ["<|begin|>", "<|end|>"]
SIZE = 256 + len(SPECIAL)


def byte_tokens() -> list[str]:
    """Return how a byte-pair vocabulary writes each byte: printable ones as they are."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    written = {byte: chr(byte) for byte in plain} | {b: chr(256 + i) for i, b in enumerate(others)}
    return [written[byte] for byte in range(256)]


def add_bytes(writer: gguf.GGUFWriter) -> None:
    """Give the model that is being written a vocabulary of `SIZE` tokens."""
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([*byte_tokens(), *SPECIAL])
    writer.add_token_types([1] * 256 + [3] * len(SPECIAL))
    writer.add_token_merges(["h e"])
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(257)
    writer.add_add_bos_token(True)
