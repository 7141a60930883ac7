"""How well a model predicts documents: negative log-likelihood per supervised token."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ondevice import _kernels
from ondevice.adapters.gguf_lora import read_adapter
from ondevice.models.base_model import BaseModel
from ondevice.models.tokenizer import Tokenizer
from ondevice.settings import ModelSettings
from ondevice.training.data import Document, DocumentReader
from ondevice.training.decoder import Decoder
from ondevice.training.lora import frozen_pairs
from ondevice.training.losses import token_losses
from ondevice.training.weights import Weights

if TYPE_CHECKING:
    from ondevice._kernels import Precision


@dataclass(frozen=True)
class DocumentScore:
    """Score of one document: supervised tokens, and their mean loss in nats."""

    name: str
    tokens: int
    nll: float


@dataclass(frozen=True)
class Score:
    """Score of all documents together: mean over tokens, not over documents."""

    tokens: int
    nll: float
    perplexity: float
    per_document: tuple[DocumentScore, ...]


def read_documents(
    base: BaseModel, data: Sequence[Path], *, max_length: int = 512, completion_only: bool = False
) -> list[Document]:
    """Return the documents of the files `data` as the model `base` reads them.

    Raises:
        TrainingError: a chat is too long, or there is nothing to score.
        ImportSourceError: a file cannot be read.
    """
    with Tokenizer(base) as tokenizer:
        return DocumentReader(
            tokenizer, base.header, max_length=max_length, completion_only=completion_only
        ).read(data)


def score(
    base: BaseModel,
    documents: Sequence[Document],
    *,
    adapters: Sequence[tuple[Path | bytes, float]] = (),
    precision: Precision = "auto",
    threads: int = 0,
    n_ctx: int = ModelSettings.n_ctx,
) -> Score:
    """Score `documents` with the training engine.

    Args:
        base: a checked base model of a supported architecture.
        documents: see `read_documents`.
        adapters: adapter files and their scales.
        precision: "f32" multiplies in float32 even where bfloat16 is faster.
        threads: 0 for one per processor.
        n_ctx: the context in which the model runs; some turn otherwise in long ones.

    Raises:
        TrainingError: the model is not supported.
        AdapterError: an adapter is damaged or does not fit the base.
    """
    weights = Weights(base.header, n_ctx)
    stack = [frozen_pairs(read_adapter(source, base.header), scale) for source, scale in adapters]
    _kernels.set_threads(threads)
    decoder = Decoder(weights, stack, precision=precision)
    return summarise(documents, token_losses(decoder, documents))


def score_with(
    documents: Sequence[Document], losses: Callable[[list[int]], NDArray[np.float64]]
) -> Score:
    """Score `documents` with another engine.

    Args:
        documents: see `read_documents`.
        losses: returns the loss in nats of every token but the first of a sequence.
    """
    return summarise(
        documents,
        (losses(document.tokens.tolist())[document.supervised[1:]] for document in documents),
    )


def summarise(
    documents: Sequence[Document],
    losses: Iterable[NDArray[np.float32] | NDArray[np.float64]],
) -> Score:
    """Return the score for the losses of each document's supervised tokens."""
    per_document = []
    total, n_tokens = 0.0, 0
    for document, values in zip(documents, losses, strict=True):
        subtotal = float(values.sum(dtype=np.float64))
        per_document.append(DocumentScore(document.name, len(values), subtotal / len(values)))
        total, n_tokens = total + subtotal, n_tokens + len(values)
    nll = total / n_tokens
    perplexity = math.exp(nll) if nll < 700 else math.inf
    return Score(n_tokens, nll, perplexity, tuple(per_document))
