"""What killed processes leave of copies: forgetting, and opening, reach all of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ondevice.errors import ProfileError
from ondevice.ground.files import atomic_writer, clear_parts
from ondevice.store.copies import Copies
from ondevice.store.database import PAGE_BYTES
from ondevice.store.exchange import transfer
from ondevice.store.exchange.readable import export_readable
from ondevice.store.profile import Profile
from ondevice.store.working_folder import workplace

pytestmark = pytest.mark.model  # whole programs, killed at their work

RESERVED_BYTES = 48  # of a page, behind its content: the vector and the HMAC
SECRET = "My dog is called Biscuit."

# Runs one operation and dies, as of a loss of power, when it comes to `point` for the nth time.
DIES = """
import importlib, os, signal, sys
from pathlib import Path
from ondevice.home import Home
from ondevice.store.exchange import readable
from ondevice.store.exchange import transfer
from ondevice.store.copies import Copies
from ondevice.store.profile import Profile

home, operation, target, module, name, after, count = sys.argv[1:]
owner = importlib.import_module(module)
*path, last = name.split(".")
for part in path:
    owner = getattr(owner, part)
whole, left = getattr(owner, last), [int(count)]

def dying(*args, **more):
    left[0] -= 1
    if left[0] == 0 and after == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = whole(*args, **more)
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

home = Home.below(Path(home))
target = Path(target)
profile = Profile.open(home) if operation in ("backup", "export", "readable") else None
setattr(owner, last, dying)
if operation == "backup":
    transfer.backup_profile(profile, target)
elif operation == "export":
    transfer.export_profile(profile, target, "a passphrase")
elif operation == "readable":
    readable.export_readable(profile, target)
elif operation == "restore":
    transfer.restore_backup(home, target, replace=True, ask_passphrase=None)
else:
    os.environ["ONDEVICE_PASSPHRASE_FILE"] = str(target) + ".word"
    transfer.import_profile(home, target, name="second", ask_passphrase=None)
sys.exit("it was not killed")
"""
TRANSFER, WORK = "ondevice.store.exchange.transfer", "ondevice.store.working_folder"
POINTS = [
    ("backup", TRANSFER, "Profile.copy_database", "after", 1),
    ("backup", TRANSFER, "_add_file", "after", 1),
    ("backup", TRANSFER, "ArchiveWriter.finish", "after", 1),
    ("backup", TRANSFER, "_unpack", "before", 1),
    ("backup", TRANSFER, "_unpack", "after", 1),
    ("export", TRANSFER, "_add_file", "after", 1),
    ("readable", "ondevice.store.exchange.readable", "_write", "after", 5),
    ("restore", TRANSFER, "shutil.copyfileobj", "after", 2),
    ("restore", TRANSFER, "_unpack", "after", 1),
    ("restore", TRANSFER, "replace_profile", "before", 1),
    ("restore", WORK, "sync_folder", "before", 1),
    ("import", TRANSFER, "_unpack", "after", 1),
    ("import", TRANSFER, "check_place", "after", 1),
]


@pytest.fixture
def filled(home, tmp_path):
    """A profile with a secret, and a backup and an export of it in another folder."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "export.word").write_text("a passphrase")
    with Profile.create(home) as profile:
        profile.facts.add("I live in Lisbon.")
        profile.facts.add(SECRET)
        transfer.backup_profile(profile, tmp_path / "kept" / "backup")
        transfer.export_profile(profile, tmp_path / "kept" / "export", "a passphrase")
    return home


def die(home, tmp_path, operation, *point):
    kept = {"restore": "kept/backup", "import": "kept/export"}
    target = tmp_path / kept.get(operation, "out/copy")
    target.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-c", DIES, str(tmp_path / "home"), operation, str(target)]
    done = subprocess.run([*command, *map(str, point)], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def pages(path, key):
    """Return the pages of what may be a database, decrypted here and not by SQLCipher."""
    content = path.read_bytes()
    found = []
    for at in range(0, len(content) - PAGE_BYTES + 1, PAGE_BYTES):
        page = content[at + 16 * (at == 0) : at + PAGE_BYTES]
        vector, body = page[-RESERVED_BYTES:][:16], page[:-RESERVED_BYTES]
        cipher = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
        found.append(cipher.update(body) + cipher.finalize())
    return b"".join(found)


def holds_secret(path, key):
    return SECRET.encode() in path.read_bytes() + pages(path, key)


def everything(tmp_path):
    return [path for path in tmp_path.rglob("*") if path.is_file() and "kept" not in path.parts]


def unexpected(tmp_path):
    """Return the files that are neither of the profiles, nor whole copies, nor locks of names."""
    usual = {"profile.db", "profile.db-wal", "profile.db-shm", "keys.json", "default.key"}
    folders = {"default", "second", "keys"}
    return [
        path for path in everything(tmp_path)
        if not (path.name in usual and path.parent.name in folders)
        and path.name not in (".default.lock", ".second.lock")
    ]  # fmt: skip


@pytest.mark.parametrize("point", POINTS, ids=lambda point: "-".join(map(str, point)))
def test_forgetting_reaches_what_a_killed_process_left(filled, tmp_path, point):
    with Profile.open(filled) as profile:
        key = profile.derive_key("database")
        (fact,) = (one for one in profile.facts.all() if one.text == SECRET)
        die(filled, tmp_path, *point)  # while the profile is open here
        operation, _, name, *_ = point
        if operation == "restore" and name == "sync_folder":
            return  # the profile is another one: see below
        profile.forget_shown(profile.preview_forget([fact.id]))
    left = [path.name for path in unexpected(tmp_path)]
    whole = operation == "backup" and name == "_unpack"  # the person sees it, and is told of it
    assert left == (["copy"] if whole else [])
    assert not any(holds_secret(path, key) for path in everything(tmp_path))
    with Profile.open(filled) as profile:
        assert [fact.text for fact in profile.facts.all()] == ["I live in Lisbon."]
        listed = [Path(copy.path).name for copy in profile.copies.all()]
        assert listed == ["backup", "export", *(["copy"] if whole else [])]
        assert profile.copies.unfinished() == []


@pytest.mark.parametrize("point", POINTS, ids=lambda point: "-".join(map(str, point)))
def test_opening_clears_it_too(filled, tmp_path, point):
    die(filled, tmp_path, *point)
    assert unexpected(tmp_path), "the point is before anything was written"
    with Profile.open(filled) as profile:
        profile.check()
        assert len(profile.facts.all()) == 2
    assert [path.name for path in unexpected(tmp_path)] in ([], ["copy"])


def test_the_copy_was_readable_and_so_the_test_means_something(filled, tmp_path):
    with Profile.open(filled) as profile:
        key = profile.derive_key("database")
        die(filled, tmp_path, *POINTS[8])
        assert any(holds_secret(path, key) for path in unexpected(tmp_path))
        fact = next(one for one in profile.facts.all() if one.text == SECRET)
        profile.forget([fact.id])  # below every front end
        assert not any(holds_secret(path, key) for path in everything(tmp_path))


def test_what_a_living_process_works_on_stays(filled, tmp_path):
    with Profile.open(filled) as profile, workplace(filled.profiles) as folder:
        (folder / "profile.db").write_bytes(b"a copy")
        with atomic_writer(tmp_path / "out" / "copy") as file:
            file.write(b"half of it")
            profile.copies.begin("backup", tmp_path / "out" / "copy")
            fact = next(one for one in profile.facts.all() if one.text == SECRET)
            profile.forget([fact.id])
            Profile.open(filled).close()
            assert (folder / "profile.db").exists()
            assert [kind for kind, _ in profile.copies.unfinished()] == ["backup"]
        assert (tmp_path / "out" / "copy").read_bytes() == b"half of it"


def test_a_temporary_file_that_is_cleared_before_it_is_held_is_made_anew(tmp_path, monkeypatch):
    import ondevice.ground.files as files

    whole, cleared = files.hold, []

    def slow(descriptor):
        if not cleared:  # somebody clears up between making and holding it
            cleared.append(True)
            clear_parts(tmp_path)
        return whole(descriptor)

    monkeypatch.setattr(files, "hold", slow)
    with atomic_writer(tmp_path / "file") as file:
        file.write(b"whole")
    assert (tmp_path / "file").read_bytes() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_other_files_that_look_alike_stay(filled, tmp_path):
    names = ("film.part", ".film.part", "notes-unfinished-abcdefgh", ".other.12345678.part")
    with Profile.open(filled) as profile:
        profile.copies.begin("backup", tmp_path / "copy")
        profile.copies.begin("readable", tmp_path / "mine")
        (tmp_path / "mine").mkdir()
        for name in names:
            (tmp_path / name).write_text("mine")
        profile.forget([profile.facts.all()[0].id])
        assert all((tmp_path / name).exists() for name in (*names, "mine"))


def test_a_foreign_backup_cannot_name_what_is_deleted(filled, home, tmp_path, monkeypatch):
    victim = tmp_path / "ondevice-abcdefgh"
    victim.mkdir()
    (victim / "mine.txt").write_text("mine")
    with Profile.open(filled) as profile, profile.transaction():
        profile.copies.begin("readable", victim)
    descriptor = os.open(victim, os.O_RDONLY)
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with Profile.open(filled) as profile:
        transfer.export_profile(profile, tmp_path / "evil", "word")
        profile.copies.drop_unfinished()
    os.close(descriptor)
    monkeypatch.setenv("ONDEVICE_PASSPHRASE_FILE", str(tmp_path / "word"))
    (tmp_path / "word").write_text("word")
    transfer.import_profile(home, tmp_path / "evil", name="evil", ask_passphrase=None)
    Profile.open(home, "evil").close()
    assert (victim / "mine.txt").exists()


def test_a_copy_that_fails_is_no_longer_under_way(filled, tmp_path, monkeypatch):
    def full(*_, **__):
        raise ProfileError("The disk is full.")

    with Profile.open(filled) as profile:
        monkeypatch.setattr(Copies, "note", full)
        for make in (transfer.backup_profile, export_readable):
            with pytest.raises(ProfileError):
                make(profile, tmp_path / "out" / "copy")
        monkeypatch.undo()
        profile.finish_purge()
        assert profile.copies.unfinished() == [] and list((tmp_path / "out").iterdir()) == []


READS = """
import sys
from pathlib import Path
from ondevice.errors import ProfileError
from ondevice.home import Home
from ondevice.store.copies import Copies
from ondevice.store.profile import Profile
with Profile.open(Home.below(Path(sys.argv[1]))) as profile:
    print(len(profile.facts.all()))
    try:
        profile.facts.add("More.")
    except ProfileError as error:
        print(error)
"""


def test_a_profile_on_a_disk_that_can_only_be_read_is_read(filled, tmp_path):
    die(filled, tmp_path, *POINTS[8])
    before = sorted(everything(tmp_path))
    home = tmp_path / "home"
    mounted = f"mount --bind {home} {home} && mount -o remount,bind,ro {home} && "
    reads = [sys.executable, "-c", READS, str(home)]
    command = ["unshare", "-m", "sh", "-c", mounted + 'exec "$@"', "sh"]
    if subprocess.run([*command, "true"], check=False, capture_output=True).returncode:
        pytest.skip("only root may mount here")
    done = subprocess.run([*command, *reads], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    count, error = done.stdout.splitlines()
    assert count == "2" and "cannot be opened for writing" in error
    assert sorted(everything(tmp_path)) == before
