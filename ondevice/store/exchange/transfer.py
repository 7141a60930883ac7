"""A profile as one encrypted file: exported and imported, backed up and restored.

An *export* is opened by a passphrase of its own, on any machine.  A *backup* is opened by what
opens the profile: its passphrase, its recovery code, its keyring.  Both hold the database, as of
one moment, and the encrypted adapters.  Nothing is in clear at any time: the database inside is
encrypted, too.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import secrets
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ondevice.errors import (
    ProfileDamagedError,
    ProfileError,
    ProfileExistsError,
    ProfileLockedError,
    explain,
)
from ondevice.ground.files import (
    atomic_writer,
    expanded,
    private_folder,
    sync_folder,
    write_atomic,
)
from ondevice.home import Home
from ondevice.remedies import Remedy, within
from ondevice.store.access import keys, recovery
from ondevice.store.access import passphrase as phrases
from ondevice.store.exchange.archive import ArchiveReader, ArchiveWriter
from ondevice.store.leftovers import held
from ondevice.store.profile import Profile
from ondevice.store.profiles import DATABASE_NAME, check_name, check_place, exclusive, exists
from ondevice.store.working_folder import put_back, replace_profile, workplace

Ask = Callable[[], str]

_ABOUT = "about.json"
_MEMBER = re.compile(r"about\.json|profile\.db|adapters/[0-9a-z]{16}\.gguf\.enc"
                     r"|certificates/[\w.-]{1,200}\.json")  # fmt: skip
_PIECE = 1 << 20


@dataclass(frozen=True)
class Transfer:
    """What an archive holds.

    Attributes:
        path: of the archive.
        name: of the profile.
        created: seconds since 1970.
        records: facts, passages and turns.
        adapters: that can be used.
        n_bytes: size of the archive, or of the files that it was made into.
        forgotten_again: records that were in a backup and are not brought back.
    """

    path: str
    name: str
    created: float
    records: int
    adapters: int
    n_bytes: int
    forgotten_again: int = 0


def export_profile(
    profile: Profile,
    path: Path,
    passphrase: str,
    *,
    cost: phrases.Cost | None = None,
    listed_as: str | None = None,
) -> Transfer:
    """Write `profile` to one file that `passphrase` opens on any machine, and verify it.

    Args:
        profile: open; it may be in use meanwhile.
        path: of the new file.
        passphrase: of the file; on import it becomes the profile's.
        cost: of a guess.
        listed_as: where it is, in the list of copies; `path` if None.

    Raises:
        ProfileExistsError: `path` exists.
        ProfileLockedError: the passphrase is empty.
        OSError: the disk is full or `path` cannot be written; nothing is left there.
    """
    if not passphrase:
        raise ProfileLockedError("An empty passphrase protects nothing; choose another.")
    profile_id = secrets.token_hex(16)
    wrap = keys.passphrase_wrap(profile.data_key, profile_id, passphrase, cost or phrases.Cost())
    return _write(profile, path, keys.Wraps(profile_id, [wrap]), "export", listed_as)


def backup_profile(profile: Profile, path: Path, *, listed_as: str | None = None) -> Transfer:
    """Write `profile` to one file that is opened by what opens the profile, and verify it.

    Args:
        profile: open; it may be in use meanwhile.
        path: of the new file.
        listed_as: where it is, in the list of copies; `path` if None.

    Raises:
        ProfileExistsError: `path` exists.
        OSError: the disk is full or `path` cannot be written; nothing is left there.
    """
    wraps = keys.Wraps.read(keys.keys_path(profile.home, profile.name))
    return _write(profile, path, wraps, "backup", listed_as)


def import_profile(
    home: Home,
    path: Path,
    *,
    name: str | None = None,
    ask_passphrase: Ask | None,
    cost: phrases.Cost | None = None,
) -> Transfer:
    """Make a new profile of an export or a backup.

    It opens with the passphrase (or recovery code) that opened the file.

    Args:
        home: where to.
        path: of the file.
        name: of the new profile; the one that it had if None.
        ask_passphrase: called for the passphrase, unless `ONDEVICE_PASSPHRASE_FILE` is set.
        cost: of a guess at the new profile's passphrase.

    Raises:
        ProfileExistsError: there is a profile of that name.
        ProfileLockedError: the passphrase is wrong, or nobody can be asked.
        ProfileDamagedError: the file was altered or is cut off. Nothing was changed.
    """
    with _file(path) as file:  # what is no such file is said before somebody is asked
        reader = ArchiveReader(file, path)
    secret = phrases.from_file()
    if secret is None and ask_passphrase is not None:

        def opening(typed: str) -> str:
            _key(reader, home, name or _guessed_name(home, reader), path, lambda: typed)
            return typed

        secret = phrases.until_right(ask_passphrase, opening)
    if not secret:
        raise ProfileLockedError(
            f"{path} needs its passphrase.",
            Remedy.GIVE_PASSPHRASE(variable=phrases.PASSPHRASE_FILE),
        )
    with _opened(home, path, name, lambda: secret) as (folder, about, data_key):
        profile_id = secrets.token_hex(16)
        wrap = (
            keys.recovery_wrap(data_key, profile_id, secret)
            if recovery.is_code(secret)
            else keys.passphrase_wrap(data_key, profile_id, secret, cost or phrases.Cost())
        )
        keys.Wraps(profile_id, [wrap]).write(folder / "keys.json")
        with exclusive(home, about.name):
            if exists(home, about.name):
                raise ProfileExistsError(
                    f"There is a profile called '{about.name}' already, so nothing was changed.",
                    Remedy.CHOOSE_NAME,
                )
            check_place(home, about.name)
            shutil.rmtree(home.profile(about.name), ignore_errors=True)  # left by a wipe
            folder.rename(home.profile(about.name))
        sync_folder(home.profiles)
    return about


def restore_backup(
    home: Home,
    path: Path,
    *,
    replace: bool = False,
    ask_passphrase: Ask | None,
    warn: Callable[[str], None] | None = None,
) -> Transfer:
    """Put a backup in the place that it was made of, with the keys that it had.

    What was forgotten since it was made, by the profile that it replaces, is not brought back, and
    the certificates of that are kept.

    Args:
        home: where to.
        path: of the backup.
        replace: destroy the profile of that name if there is one.
        ask_passphrase: called if it takes a passphrase.
        warn: is called with a sentence if the present profile cannot be read.

    Raises:
        ProfileExistsError: there is a profile of that name, and `replace` is False.
        ProfileLockedError: no key opens it.
        ProfileDamagedError: the file was altered or is cut off. Nothing was changed.
    """
    with _opened(home, path, None, ask_passphrase) as (folder, about, data_key):  # noqa: SIM117
        with exclusive(home, about.name, warn):
            put_back(home, about.name)
            there, again = exists(home, about.name), 0
            if not there and not replace:
                check_place(home, about.name)
            if there and not replace:
                raise ProfileExistsError(
                    f"There is a profile called '{about.name}' already, so nothing was changed.",
                    Remedy.REPLACE_PROFILE,
                )
            if there:
                again = _forget_again(home, about.name, folder, data_key, ask_passphrase, warn)
                _take_certificates(home.profile(about.name), folder)
            replace_profile(home, about.name, folder)
    return Transfer(**{**about.__dict__, "forgotten_again": again})


# --- writing ------------------------------------------------------------------------


def _write(
    profile: Profile, path: Path, wraps: keys.Wraps, kind: str, listed_as: str | None
) -> Transfer:
    path = expanded(path).absolute()
    if path.exists():
        raise ProfileExistsError(f"{path} exists already; choose another name.")
    with workplace(profile.folder) as folder:
        database = folder / DATABASE_NAME
        profile.copy_database(database)
        rows = [row for row in profile.adapters.all() if row.state != "stale"]
        about = {"name": profile.name, "created": time.time()}
        with atomic_writer(path) as file:
            profile.copies.begin(kind, path)
            writer = ArchiveWriter(file, wraps, profile.data_key)
            with tarfile.open(fileobj=writer, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                _add(tar, _ABOUT, io.BytesIO(json.dumps(about).encode()))
                _add_file(tar, DATABASE_NAME, database)
                for row in rows:
                    name = f"adapters/{row.id}.gguf.enc"
                    with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                        _add_file(tar, name, profile.folder / name)
                for certificate in sorted((profile.folder / "certificates").glob("*.json")):
                    _add_file(tar, f"certificates/{certificate.name}", certificate)
            writer.finish()
    try:
        with held(path), path.open("rb") as file, workplace(profile.folder) as folder:
            reader = ArchiveReader(file, path)
            reader.unlock(profile.data_key)
            written = _unpack(reader, path, folder, profile.data_key)
        with profile.transaction():
            profile.copies.note(kind, listed_as or str(path))
            profile.copies.drop_unfinished(path)
    except BaseException:
        # That it was begun is noted, and the next opening finds it gone.
        path.unlink(missing_ok=True)
        raise
    return written


def _add_file(tar: tarfile.TarFile, name: str, path: Path) -> None:
    with path.open("rb") as file:
        _add(tar, name, file)


def _add(tar: tarfile.TarFile, name: str, file: io.BufferedIOBase) -> None:
    info = tarfile.TarInfo(name)
    info.mode = 0o600
    info.size = file.seek(0, io.SEEK_END)
    file.seek(0)
    tar.addfile(info, file)


# --- reading ------------------------------------------------------------------------


@contextlib.contextmanager
def _opened(
    home: Home, path: Path, name: str | None, ask_passphrase: Ask | None
) -> Iterator[tuple[Path, Transfer, bytes]]:
    """Unpack the archive at `path` into a temporary folder beside the profiles, and check it all.

    Yields the folder, what it holds under the name that it is to have, and its data key.
    """
    path = expanded(path)
    with _file(path) as file:
        reader = ArchiveReader(file, path)
        data_key = _key(reader, home, name or _guessed_name(home, reader), path, ask_passphrase)
        reader.unlock(data_key)
        with workplace(private_folder(home.profiles)) as folder:
            about = _unpack(reader, path, folder, data_key)
            about = Transfer(**{**about.__dict__, "name": check_name(name or about.name)})
            keys.Wraps(reader.wraps.profile_id, reader.wraps.wraps).write(folder / "keys.json")
            yield folder, about, data_key


def _file(path: Path) -> BinaryIO:
    try:
        return expanded(path).open("rb")
    except OSError as error:
        raise ProfileError(f"{path} cannot be read: {explain(error)}.") from error


def _key(
    reader: ArchiveReader, home: Home, name: str, path: Path, ask_passphrase: Ask | None
) -> bytes:
    return keys.open_wraps(reader.wraps, home, name, path, ask_passphrase=ask_passphrase)


def _guessed_name(home: Home, reader: ArchiveReader) -> str:
    """Return the profile that the archive's keys are of, before its own name can be read."""
    from ondevice.store.profiles import list_profiles

    for name in list_profiles(home):
        with contextlib.suppress(ProfileDamagedError, FileNotFoundError):
            present = keys.Wraps.read(keys.keys_path(home, name))
            if present.profile_id == reader.wraps.profile_id:
                return name
    return "default"


def _unpack(reader: ArchiveReader, path: Path, folder: Path, data_key: bytes) -> Transfer:
    """Write the members to `folder`, then check the database and that nothing is missing."""
    try:
        with tarfile.open(fileobj=reader, mode="r|") as tar:
            for member in tar:
                source = tar.extractfile(member) if member.isreg() else None
                if source is None or not _MEMBER.fullmatch(member.name):
                    raise ProfileDamagedError(
                        f"{path} holds what no export or backup holds, so nothing was "
                        "changed; use another one."
                    )
                with atomic_writer(folder / member.name) as file:
                    shutil.copyfileobj(source, file, _PIECE)
        while reader.read(_PIECE):  # to the end: only then is it known to be whole
            pass
        about = json.loads((folder / _ABOUT).read_bytes())
        name, created = str(about["name"]), float(about["created"])
        (folder / _ABOUT).unlink()
    except (tarfile.TarError, ValueError, KeyError, TypeError, FileNotFoundError) as error:
        raise ProfileDamagedError(
            f"{path} is not a whole export or backup; copy it again, or use another one."
        ) from error
    with Profile.at(folder, name, data_key) as copy:
        copy.check()
        copy.copies.drop_unfinished()  # of the machine that it was written on, or made up
        rows = [row for row in copy.adapters.all() if row.state != "stale"]
        missing = [r for r in rows if not (folder / f"adapters/{r.id}.gguf.enc").exists()]
        if missing:
            raise ProfileDamagedError(f"{path} lacks {len(missing)} adapters; make it again.")
        records = copy.sources.count_records()
    n_bytes = path.stat().st_size
    return Transfer(str(path), name, created, records, len(rows), n_bytes)


def _take_certificates(present: Path, folder: Path) -> None:
    """Put the proofs of what was forgotten since the backup was made into the restored files."""
    for certificate in sorted((present / "certificates").glob("*.json")):
        target = folder / "certificates" / certificate.name
        if not target.exists():
            write_atomic(target, certificate.read_bytes())


def _forget_again(
    home: Home,
    name: str,
    folder: Path,
    data_key: bytes,
    ask_passphrase: Ask | None,
    warn: Callable[[str], None] | None,
) -> int:
    """Forget in the restored files what the present profile has forgotten; return how much."""
    try:
        with Profile.open(home, name, ask_passphrase=ask_passphrase) as present:
            events, copies = present.journal.events("forgotten"), present.copies.all()
    except ProfileError as error:
        if warn is not None:
            told = "The present profile cannot be read, so what it forgot may return: "
            warn(within(told, error.notice))
        return 0
    with Profile.at(folder, name, data_key) as restored:
        restored.journal.take_over(events)
        restored.copies.take_over(copies)
        gone = {record_id for event in events for record_id in event.about.get("ids", ())}
        left = [record_id for record_id in sorted(gone) if restored.has(record_id)]
        return len(restored.forget(left).records) if left else 0
