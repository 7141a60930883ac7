"""What the importers' tests share."""

import numpy as np
import pytest

from ondevice.memory.embedders.minilm import MiniLM


@pytest.fixture(scope="session")
def embedder():
    """The real vocabulary, and vectors of zeros: what is imported counts here, not its meaning."""
    made = MiniLM()
    made.embed = lambda texts: np.zeros((len(texts), 384), np.float32)
    return made
