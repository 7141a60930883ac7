import pytest

from ondevice.home import Home


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A fresh home for every test."""
    monkeypatch.setenv("ONDEVICE_HOME", str(tmp_path / "home"))
    return Home.below(tmp_path / "home")
