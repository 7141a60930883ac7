import pytest

from ondevice.store.profile import Profile


@pytest.fixture
def profile(home):
    """A new profile."""
    with Profile.create(home, passphrase="only for tests") as profile:
        yield profile
