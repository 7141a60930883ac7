"""Direct preference optimization: make chosen answers likelier than rejected ones.

For a pair with the log-probabilities c and r of its two answers, and those of the
reference model c' and r' (Rafailov et al., arXiv 2305.18290, equation 7):

    margin = (c - c') - (r - r')
    loss   = -(1 - s) log σ(β margin) - s log σ(-β margin)

β says how firmly the model is held to the reference: the smaller, the further it
may go. s is label smoothing: the share of the preferences that may be wrong
(Mitchell's conservative DPO; 0 is the original). "Length-normalised" divides each
log-probability by the answer's number of tokens, so that long answers do not count
more; β must then be larger, about 2 to 5 (Lambert et al., arXiv 2411.15124).

The reference is the same model with its frozen adapters and without the trained
one. Its log-probabilities never change, so they are computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ondevice.training.data import PACK_TOKENS, Pack, group, pack
from ondevice.training.decoder import Decoder
from ondevice.training.losses import Measured
from ondevice.training.preference_data import PreferencePair
from ondevice.training.recipe import Recipe

if TYPE_CHECKING:
    from ondevice._kernels import F32

Float64 = NDArray[np.float64]


class PreferenceObjective:
    """What a step of preference learning minimises: the mean DPO loss of its pairs.

    Attributes:
        reference: (pairs, 2) log-probabilities of chosen and rejected answers by the reference
            model; NaN until `prepare`.
    """

    def __init__(
        self,
        training: Sequence[PreferencePair],
        held_out: Sequence[PreferencePair],
        recipe: Recipe,
    ) -> None:
        """Serve the steps over `training` and the measurements over `held_out`."""
        pairs = [*training, *held_out]
        self.recipe = recipe
        self.reference: Float64 = np.full((len(pairs), 2), np.nan)
        self._row = {id(pair): row for row, pair in enumerate(pairs)}
        # Kept apart, because bfloat16 rounds a little differently in other groups: held-out pairs
        # are measured in the same groups again and begin at a margin of exactly 0.
        self._parts = (list(training), list(held_out))

    def prepare(self, reference: Callable[[], Decoder]) -> None:
        """Compute the reference's log-probabilities with the decoder that `reference` makes.

        Nothing is done if they are there already, from a checkpoint.
        """
        if np.isnan(self.reference).any():
            decoder = reference()
            for members in [group for part in self._parts for group in _groups(part)]:
                rows = [self._row[id(pair)] for pair in members]
                together = _pack(members)
                self.reference[rows] = self._scores(decoder.losses(together), together)

    def gradient(self, decoder: Decoder, pairs: Sequence[PreferencePair]) -> Measured:
        """Add the gradient of the pairs' mean loss to the trained pairs; return what it was."""
        margins: list[Float64] = []
        for members in _groups(pairs):
            together = _pack(members)

            def weights(
                losses: F32, members: Sequence[PreferencePair] = members, together: Pack = together
            ) -> F32:
                margin = self._margins(losses, members, together)
                margins.append(margin)
                # d loss / d margin, spread over the tokens: a token's loss is what it takes
                # from its answer's log-probability.
                beta, smoothing = self.recipe.beta, self.recipe.label_smoothing
                slope = -beta * (_sigmoid(-beta * margin) - smoothing) / len(pairs)
                each = np.stack([-slope, slope], 1)
                if self.recipe.length_normalised:
                    each = each / _lengths(together)
                return each.reshape(-1)[together.document].astype(np.float32)

            decoder.losses_and_gradients(together, weights)
        return self._measured(np.concatenate(margins))

    def measure(self, decoder: Decoder, pairs: Sequence[PreferencePair]) -> Measured:
        """Return the mean loss of `pairs`, their mean margin, and how many are ranked right."""
        margins = []
        for members in _groups(pairs):
            together = _pack(members)
            margins.append(self._margins(decoder.losses(together), members, together))
        return self._measured(np.concatenate(margins))

    def _scores(self, losses: F32, together: Pack) -> Float64:
        """Return the log-probabilities (pairs, 2) of the answers, or their means per token."""
        n_documents = int((together.positions == 0).sum())
        scores = np.zeros((n_documents // 2, 2))
        np.add.at(scores.reshape(-1), together.document, -losses.astype(np.float64))
        return scores / _lengths(together) if self.recipe.length_normalised else scores

    def _margins(self, losses: F32, members: Sequence[PreferencePair], together: Pack) -> Float64:
        rows = [self._row[id(pair)] for pair in members]
        gains = self._scores(losses, together) - self.reference[rows]
        margins: Float64 = gains[:, 0] - gains[:, 1]
        return margins

    def _measured(self, margins: Float64) -> Measured:
        beta, smoothing = self.recipe.beta, self.recipe.label_smoothing
        losses = (1.0 - smoothing) * np.logaddexp(0.0, -beta * margins)
        losses += smoothing * np.logaddexp(0.0, beta * margins)
        return Measured(float(losses.mean()), float(margins.mean()), float((margins > 0).mean()))


def _groups(pairs: Sequence[PreferencePair]) -> list[list[PreferencePair]]:
    """Return `pairs` in order, in groups that are computed at once."""
    found = group(range(len(pairs)), [pair.length for pair in pairs], PACK_TOKENS)
    return [[pairs[index] for index in members] for members in found]


def _pack(pairs: Sequence[PreferencePair]) -> Pack:
    """Put chosen and rejected answers in turn."""
    return pack([part for pair in pairs for part in pair.parts])


def _lengths(together: Pack) -> Float64:
    """Return the number of supervised tokens (pairs, 2) of the answers."""
    n_documents = int((together.positions == 0).sum())
    return np.bincount(together.document, minlength=n_documents).astype(np.float64).reshape(-1, 2)


def _sigmoid(x: Float64) -> Float64:
    return np.exp(-np.logaddexp(0.0, -x))
