"""Options of `ondevice serve` hold for the other profiles that requests name."""

import pytest

from ondevice.cli.serve import _opener  # the command serves until it is stopped
from ondevice.store.access import key_changes
from ondevice.store.profile import Profile


def test_another_profile_is_opened_under_the_options_of_the_command(home, me, monkeypatch):
    monkeypatch.setattr("ondevice.home.Home.default", lambda: home)
    Profile.create(home, "work").close()
    options = {"temporary": True, "scope": "office", "system": None, "no_reader": True}
    other = _opener(options)("work", me)
    assert other.without_memory
    assert other.scope == "office"
    assert other.profile is not None and other.profile.name == "work"
    other.profile.close()


def test_what_is_due_in_another_profile_is_forgotten_when_it_is_opened(home, me, monkeypatch):
    monkeypatch.setattr("ondevice.home.Home.default", lambda: home)
    with Profile.create(home, "work", warn=lambda _: None) as work:
        work.facts.add("The user lives in Ulm.", expires=1.0)
    other = _opener({"temporary": False, "scope": None, "system": None, "no_reader": False})(
        "work", me
    )
    assert other.profile is not None and other.profile.facts.all() == []
    other.profile.close()


@pytest.fixture
def ask(client, home):
    def request(profile):
        body = {"messages": [{"role": "user", "content": "I live in Lisbon."}],
                "ondevice": {"profile": profile}}  # fmt: skip
        return client.post("/v1/chat/completions", json=body)

    return request


def test_a_profile_with_a_passphrase_is_refused_and_the_served_one_still_answers(ask, home):
    Profile.create(home, "secret", passphrase="correct horse").close()
    answer = ask("secret")
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "profile_locked"
    assert "correct horse" not in answer.text
    assert ask(None).status_code == 200


def test_a_profile_that_is_locked_meanwhile_is_refused_until_it_is_unlocked(
    ask, home, monkeypatch, tmp_path
):
    (tmp_path / "passphrase").write_text("correct horse")
    Profile.create(home, "work", passphrase="correct horse").close()
    monkeypatch.setenv("ONDEVICE_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    assert ask("work").status_code == 200
    key_changes.lock(home, "work")
    for _ in range(2):
        answer = ask("work")
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "profile_locked"
    key_changes.unlock(home, "work", None)
    assert ask("work").status_code == 200


def test_a_profile_that_is_wiped_meanwhile_is_gone(ask, home):
    Profile.create(home, "work", warn=lambda _: None).close()
    assert ask("work").status_code == 200
    with Profile.open(home, "work") as profile:
        profile.wipe()
    assert ask("work").status_code == 403
    assert ask("work").status_code == 404
