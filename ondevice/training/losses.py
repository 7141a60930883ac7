"""What a step minimises: the mean loss of its supervised tokens, and how far its anchors drift.

Anchors are documents at which the model is to expect what it expected before: of
their supervised tokens, the divergence from the model without the trained adapter
is minimised, times the recipe's `anchor_weight`.

A step may be larger than what is computed at once. Its packs are then computed
one after the other and their gradients added, each token with the same weight,
so that the sum is the gradient of the mean over the whole step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ondevice.training.data import PACK_TOKENS, Document, Pack, group, pack
from ondevice.training.decoder import Decoder

if TYPE_CHECKING:
    from ondevice._kernels import F32


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
    """What a step of plain training minimises: mean loss of what is learned, drift of anchors."""

    def __init__(self, anchor_weight: float, reference: Callable[[], Decoder]) -> None:
        """Hold anchors to the decoder that `reference` makes, when there are any."""
        self._anchor_weight = anchor_weight
        self._make_reference = reference
        self._reference: Decoder | None = None

    def gradient(self, decoder: Decoder, documents: Sequence[Document]) -> Measured:
        """Add the gradient to the trained pairs; return the loss."""
        learned, anchors = _parted(documents)
        loss = step_gradient(decoder, packs_of(learned)) if learned else 0.0
        if anchors:
            packs = packs_of(anchors)
            weight = self._anchor_weight / sum(len(one.targets) for one in packs)
            for one in packs:
                drift = decoder.divergences_and_gradients(one, self._hidden(one), weight)
                loss += weight * float(drift.sum(dtype=np.float64))
        return Measured(loss)

    def measure(self, decoder: Decoder, documents: Sequence[Document]) -> Measured:
        """Return the loss of `documents`."""
        learned, anchors = _parted(documents)
        loss = mean_loss(decoder, learned) if learned else 0.0
        if anchors:
            drifts = [decoder.divergences(one, self._hidden(one)) for one in packs_of(anchors)]
            loss += self._anchor_weight * float(np.concatenate(drifts).mean(dtype=np.float64))
        return Measured(loss)

    def _hidden(self, one: Pack) -> F32:
        """Return what the reference gives the head for the supervised tokens, shape (S, C)."""
        if self._reference is None:
            self._reference = self._make_reference()
        return np.ascontiguousarray(self._reference.hidden(one)[one.rows])


def _parted(documents: Sequence[Document]) -> tuple[list[Document], list[Document]]:
    """Return what is learned, and the anchors."""
    return [d for d in documents if not d.anchor], [d for d in documents if d.anchor]


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
