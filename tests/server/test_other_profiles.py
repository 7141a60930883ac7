"""Options of `ondevice serve` hold for the other profiles that requests name."""

from ondevice.cli.serve import _opener
from ondevice.profile.store import Profile


def test_another_profile_is_opened_under_the_options_of_the_command(home, me, monkeypatch):
    monkeypatch.setattr("ondevice.home.Home.default", lambda: home)
    Profile.create(home, "work").close()
    options = {"temporary": True, "scope": "office", "no_reader": True}
    other = _opener(options)("work", me)
    assert other.temporary
    assert other.scope == "office"
    assert other.profile is not None and other.profile.name == "work"
    other.profile.close()
