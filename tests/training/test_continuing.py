"""Going on from what was computed before is the same as computing all of it again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_models import write_tiny

from ondevice.models.gguf_header import read_header
from ondevice.training.continuing import ContinuingDecoder, Past
from ondevice.training.data import Document, pack
from ondevice.training.decoder import Decoder
from ondevice.training.weights import Weights

pytestmark = pytest.mark.usefixtures("one_thread")

# gemma3 and phi3 have a window of five and four tokens, smaller than what is kept.
FAMILIES = ("llama", "qwen3", "gemma3", "phi3", "granite")
BEFORE, ASKED = list(range(3, 20)), [40, 41, 42]
TEXTS = [[50, 51, 52, 53, 54, 55, 56], [60], [50, 70, 71]]


@pytest.fixture(params=FAMILIES)
def weights(request: pytest.FixtureRequest, tmp_path: Path) -> Weights:
    return Weights(read_header(write_tiny(tmp_path / "tiny.gguf", request.param)))


def plain(weights: Weights, before: list[int], text: list[int]) -> np.ndarray:
    """The losses of `text` when everything is computed at once."""
    tokens = np.array([*before, *text], np.int32)
    supervised = np.arange(len(tokens)) >= len(before)
    decoder = Decoder(weights, precision="f32")
    return decoder.losses(pack([Document(tokens, supervised, "plain")]))


def test_texts_after_a_past_lose_as_they_do_by_themselves(weights: Weights) -> None:
    decoder = ContinuingDecoder(weights, precision="f32")
    past = decoder.extend(Past(), BEFORE)
    together = decoder.losses_after(past, ASKED, TEXTS)
    for text, losses in zip(TEXTS, together, strict=True):
        expected = plain(weights, [*BEFORE, *ASKED], text)
        np.testing.assert_allclose(losses, expected, rtol=2e-4, atol=2e-4)
        (alone,) = decoder.losses_after(past, ASKED, [text])
        np.testing.assert_allclose(alone, expected, rtol=2e-4, atol=2e-4)


def test_a_past_may_be_made_in_steps_and_be_empty(weights: Weights) -> None:
    decoder = ContinuingDecoder(weights, precision="f32")
    whole = decoder.extend(Past(), [*BEFORE, *ASKED])
    steps = decoder.extend(decoder.extend(Past(), BEFORE), ASKED)
    assert steps.tokens == whole.tokens
    for ours, theirs in zip(
        (*steps.keys, *steps.values), (*whole.keys, *whole.values), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
    assert decoder.extend(steps, []) is steps
    (losses,) = decoder.losses_after(Past(), ASKED, [TEXTS[0]])
    np.testing.assert_allclose(losses, plain(weights, ASKED, TEXTS[0]), rtol=2e-4, atol=2e-4)
    # Nothing of it is left: the decoder's own losses are what they were.
    one = pack([Document(np.array(TEXTS[0], np.int32), np.arange(7) > 0, "plain")])
    assert np.array_equal(decoder.losses(one), Decoder(weights, precision="f32").losses(one))
