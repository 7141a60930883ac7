from __future__ import annotations

import pytest

from ondevice.store.profile import Profile


@pytest.fixture
def profile(home):
    with Profile.create(home) as opened:
        yield opened
