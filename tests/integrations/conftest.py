import pytest

from ondevice.store.profile import Profile


@pytest.fixture
def profile(home):
    with Profile.open(home, create=True) as opened:
        yield opened
