"""What a step minimises: the mean loss of all its supervised tokens.

A step may be larger than what is computed at once. Its packs are then computed
one after the other and their gradients added, each token with the same weight,
so that the sum is the gradient of the mean over the whole step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ondevice.training.data import Document, Pack, group, pack
from ondevice.training.decoder import Decoder

if TYPE_CHECKING:
    from ondevice._kernels import F32

PACK_TOKENS = 512  # computed at once: enough to use the processor fully, few enough to be small


@dataclass(frozen=True)
class Measured:
    """What an objective says of a step or of held-out data.

    Attributes:
        loss: what is minimised.
        margin: of preferences: how much more than the reference the model prefers the chosen
            answers, mean, in nats.
        accuracy: of preferences: the share with a margin above 0.
    """

    loss: float
    margin: float | None = None
    accuracy: float | None = None


class LikelihoodObjective:
    """What a step of plain training minimises: the mean loss of its supervised tokens."""

    def gradient(self, decoder: Decoder, documents: Sequence[Document]) -> Measured:
        """Add the gradient to the trained pairs; return the loss."""
        return Measured(step_gradient(decoder, packs_of(documents)))

    def measure(self, decoder: Decoder, documents: Sequence[Document]) -> Measured:
        """Return the loss of `documents`."""
        return Measured(mean_loss(decoder, documents))


def packs_of(documents: Sequence[Document]) -> list[Pack]:
    """Return `documents` in order, in packs of at most `PACK_TOKENS` (or one document)."""
    lengths = [len(document.tokens) for document in documents]
    groups = group(range(len(documents)), lengths, PACK_TOKENS)
    return [pack([documents[index] for index in members]) for members in groups]


def step_gradient(decoder: Decoder, packs: Sequence[Pack]) -> float:
    """Add the gradient of the mean loss over `packs` to the trained pairs; return that loss."""
    n_supervised = sum(len(p.targets) for p in packs)
    total = 0.0
    for one in packs:
        losses = decoder.losses_and_gradients(one, 1.0 / n_supervised)
        total += float(losses.sum(dtype=np.float64))
    return total / n_supervised


def token_losses(decoder: Decoder, documents: Sequence[Document]) -> list[F32]:
    """Return for each document the loss in nats of its supervised tokens."""
    losses: list[F32] = []
    for one in packs_of(documents):
        values = decoder.losses(one)
        n_documents = int((one.positions == 0).sum())
        losses += [values[one.document == index] for index in range(n_documents)]
    return losses


def mean_loss(decoder: Decoder, documents: Sequence[Document]) -> float:
    """Return the mean loss in nats over all supervised tokens of `documents`."""
    losses = token_losses(decoder, documents)
    total = sum(float(values.sum(dtype=np.float64)) for values in losses)
    return total / sum(len(values) for values in losses)
