from __future__ import annotations

import pytest

from ondevice.home import Home
from ondevice.profile.store import Profile


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("ONDEVICE_PASSPHRASE_FILE", raising=False)
    return Home.below(tmp_path / "home")


@pytest.fixture
def profile(home):
    with Profile.create(home) as opened:
        yield opened
