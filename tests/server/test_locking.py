"""Locking the served profile and opening it again, over HTTP."""

import pytest

from ondevice.store.access import key_changes
from ondevice.store.access.passphrase import Cost

PASSPHRASE = "correct horse battery"


@pytest.fixture
def locked(client, me):
    """A client of a server whose profile was locked; it holds a fact."""
    key_changes.set_passphrase(me.profile, PASSPHRASE, cost=Cost(8, 1, 1))
    me.remember("My dog is called Biscuit.")
    me.ask("I live in Ulm.")
    assert client.post("/api/privacy/lock", json={}).status_code == 200
    return client


def unlock(client, passphrase):
    return client.post("/api/privacy/unlock", json={"passphrase": passphrase})


def test_a_locked_profile_answers_nothing_and_says_so(locked, me):
    assert not me.profile.is_open
    assert locked.get("/api/state").json()["locked"]
    for path in ("/api/chat", "/api/memories", "/api/sources", "/api/privacy", "/api/adapters"):
        refused = locked.get(path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "profile_locked")
        assert "Biscuit" not in refused.text
    assert not me.conversation.exchanges and not me.engine.active_adapters


def test_the_passphrase_opens_it_again_with_everything_in_it(locked, me):
    wrong = unlock(locked, "correct horse")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (403, "profile_locked")
    assert locked.get("/api/state").json()["locked"]
    assert unlock(locked, PASSPHRASE).json() == {"unlocked": "default"}
    assert not locked.get("/api/state").json()["locked"]
    found = locked.get("/api/memories", params={"query": "Biscuit"}).json()
    assert found["total"] == 1
    body = {"messages": [{"role": "user", "content": "What is my dog called?"}]}
    answer = locked.post("/v1/chat/completions", json=body).json()
    assert "Biscuit" in str(answer["ondevice"]["used"])
    assert unlock(locked, PASSPHRASE).status_code == 400  # it is open already


def test_what_is_typed_counts_whatever_passphrase_file_the_server_has(
    locked, me, tmp_path, monkeypatch
):
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE)
    file.chmod(0o600)
    monkeypatch.setenv("ONDEVICE_PASSPHRASE_FILE", str(file))
    assert unlock(locked, "anything").status_code == 403
    assert locked.get("/api/state").json()["locked"]
    file.write_text("an older one")
    assert unlock(locked, PASSPHRASE).status_code == 200
    assert not locked.get("/api/state").json()["locked"]


def test_a_recovery_code_does_too(client, me):
    code = key_changes.new_recovery_code(me.profile)
    key_changes.lock(me.profile.home, me.profile.name)  # in another terminal
    assert client.get("/api/chat").status_code == 403
    assert unlock(client, code).status_code == 200
    assert client.get("/api/chat").status_code == 200


def test_the_passphrase_is_neither_kept_nor_logged(locked, me, home, caplog):
    unlock(locked, "a wrong guess")
    unlock(locked, PASSPHRASE)
    files = [path for path in (home.data, home.config) for path in path.rglob("*")]
    kept = b"".join(path.read_bytes() for path in files if path.is_file())
    for secret in (PASSPHRASE, "a wrong guess"):
        assert secret.encode() not in kept
        assert secret not in caplog.text
