"""A disk that fills up costs nothing but the command that needed it."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ondevice.store.database import Database
from ondevice.store.profile import Profile

SMALL_DISK = Path(__file__).with_name("full_disk.py")
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]


def _may_mount() -> bool:
    """Whether this system lets everybody mount a small disk that only one program sees."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True).returncode == 0


@pytest.mark.model  # every command, as a whole program
@pytest.mark.skipif(not _may_mount(), reason="needs a Linux that lets anybody mount a small disk")
def test_every_writing_command_on_a_full_disk(tmp_path):
    done = subprocess.run(
        [*UNSHARE, sys.executable, SMALL_DISK, tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    failed = 0
    for name, (code, err, kept, left) in json.loads(done.stdout).items():
        assert "Traceback" not in err and kept, (name, err)
        assert code in (0, 1), (name, err)
        if code == 1:
            failed += 1
            last = err.splitlines()[-1]
            assert last.startswith("Error: ") and "free some space" in last, (name, err)
            assert "damaged" not in err
            harmless = (".lock", ".db-wal", ".db-shm")
            assert [path for path in left if not path.endswith(harmless)] == [], name
    assert failed > 12  # a small file may fit


@pytest.fixture
def full_database(monkeypatch):
    """Let SQLite find no room for another page; what is there stays."""
    configure = Database._configure  # a limit of pages is one of a connection

    def tight(connection, key):
        configure(connection, key)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {max(1, pages)}")

    def fill():
        monkeypatch.setattr(Database, "_configure", staticmethod(tight))  # see above

    yield fill


def test_a_full_database_keeps_what_it_has(ondevice, home, full_database, monkeypatch):
    ondevice("memory", "add", "My dog is called Biscuit.")
    full_database()
    code, _, err = ondevice("memory", "add", "I like mint tea. " * 2000)
    assert code == 1 and "is full; free some space" in err and "damaged" not in err
    monkeypatch.undo()
    monkeypatch.setenv("ONDEVICE_HOME", str(home.data.parent))
    texts = json.loads(ondevice("memory", "list", "--json")[1])
    assert len(texts) == 1
    with Profile.open(home) as profile:
        profile.check()


def test_the_file_is_named_when_a_write_finds_no_room(ondevice, home, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    ondevice("config", "set", "generation.top_k", "7")
    monkeypatch.setattr(os, "fsync", full)
    code, _, err = ondevice("config", "set", "generation.top_k", "9")
    file = home.config / "config.toml"
    assert code == 1 and err == f"Error: {file}: the disk is full; free some space and try again.\n"
    assert "top_k = 7" in file.read_text()
    assert list(home.config.glob(".*.part")) == []
