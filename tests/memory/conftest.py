"""What the memory's tests share."""

from __future__ import annotations

import pytest

from ondevice.memory.embedders.protocol import Embedder
from ondevice.memory.search import Recall
from ondevice.store.profile import Profile


@pytest.fixture
def recall(profile: Profile, embedder: Embedder) -> Recall:
    """The search over the test's profile."""
    return Recall(profile, embedder)
