"""One SQLCipher connection, shared by the threads of a process.

Writes are explicit transactions; every error of SQLite that a person can meet
becomes one sentence.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from ondevice.errors import ProfileDamagedError, ProfileError, ProfileLockedError

BUSY_SECONDS = 10.0  # how long a write waits for another process
PURGE_SECONDS = 2.0  # how long a forget waits for readers to leave the log
CACHE_KIB = 65536
FULL_BYTES = 1 << 20  # a disk with less than this is taken to be full

# Part of the file format. Loading the vectors of 100,000 records from the encrypted file took
# .68 s with SQLCipher's defaults (4096 and SHA-512) and .38 s with these.
PAGE_BYTES = 8192
PAGE_HMAC = "HMAC_SHA256"


class Run(Protocol):
    """Executes one statement inside a transaction and returns its rows."""

    def __call__(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Execute `sql` with `values` bound."""
        ...


class Database:
    """An open, decrypted database. Thread-safe: calls wait for each other."""

    def __init__(
        self, path: Path, key: bytes, *, may_use: Callable[[], None] | None = None
    ) -> None:
        """Open the database at `path` with the raw 256-bit `key`; an absent one is made, empty.

        Args:
            path: of the file.
            key: 32 bytes.
            may_use: called before every statement; raises if the database must not be used.

        Raises:
            ProfileDamagedError: the first page fails its authentication.
            ProfileError: the file cannot be opened.
        """
        import sqlcipher3

        self.path = path
        self._key = key
        self._sql = sqlcipher3
        self._may_use = may_use
        self._lock = threading.RLock()
        self._depth = 0
        self._after_commit: dict[Callable[[], object], None] = {}
        self._connection: Any = None
        address = _address(path)
        self.is_writable = not address.endswith(_AS_IT_STANDS)  # False on a disk only to be read
        # SQLite would create it with the umask's mode; log and index take the mode of this file.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with self._translated():
            connection = sqlcipher3.connect(
                address,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                uri=True,
            )
            try:
                self._configure(connection, key)
            except BaseException:
                connection.close()
                raise
        self._connection = connection

    @staticmethod
    def _configure(connection: Any, key: bytes) -> None:
        connection.execute("PRAGMA cipher_log_level = NONE")  # it would talk on stderr
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute(f"PRAGMA cipher_page_size = {PAGE_BYTES}")
        connection.execute(f"PRAGMA cipher_hmac_algorithm = {PAGE_HMAC}")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # checks the key
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        for pragma in (
            "synchronous = FULL",  # a committed record survives a loss of power
            "secure_delete = ON",
            "temp_store = MEMORY",  # no plaintext sorter files
            "foreign_keys = ON",
            f"cache_size = -{CACHE_KIB}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    # --- statements -----------------------------------------------------------

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Execute one statement and return all its rows."""
        with self._lock, self._translated():
            return list(self._open().execute(sql, values))

    def value(self, sql: str, values: Sequence[object] = ()) -> Any:
        """Return the first column of the first row, or None without a row."""
        rows = self.rows(sql, values)
        return rows[0][0] if rows else None

    @contextlib.contextmanager
    def write(self) -> Iterator[Run]:
        """Run a block as one transaction: all of it is durable after the block, or none.

        Inside another `write` block of the same thread the block joins that transaction.
        """
        with self._lock, self._translated():
            connection = self._open()
            if self._depth:
                self._depth += 1
                try:
                    yield self.rows
                finally:
                    self._depth -= 1
                return
            try:
                # Inside the block: an interrupt may come as soon as the transaction has begun.
                connection.execute("BEGIN IMMEDIATE")
                self._depth = 1
                yield self.rows
                connection.execute("COMMIT")
            except BaseException:
                self._after_commit.clear()
                # Closed meanwhile, because the profile was locked: that has rolled it back.
                if self._connection is not None and connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._depth = 0
            self._run_after_commit()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Let all that a block reads be of one moment, whatever other processes write."""
        with self._lock, self._translated():
            connection = self._open()
            if connection.in_transaction:
                yield
                return
            try:
                connection.execute("BEGIN")
                yield
            finally:
                if self._connection is not None and connection.in_transaction:
                    connection.execute("COMMIT")

    def after_commit(self, action: Callable[[], object]) -> None:
        """Call `action` once when the transaction of this thread is durable; else at once.

        A transaction that is rolled back drops it.
        """
        with self._lock:
            self._after_commit[action] = None
            if not self._depth:
                self._run_after_commit()

    def _run_after_commit(self) -> None:
        while self._after_commit:
            action = next(iter(self._after_commit))
            del self._after_commit[action]
            action()

    def define(self, name: str, arguments: int, function: Callable[..., object]) -> None:
        """Make `function` callable in SQL under `name`."""
        with self._lock, self._translated():
            self._open().create_function(name, arguments, function)

    @property
    def is_writing(self) -> bool:
        """Whether this thread is inside a `write` block."""
        with self._lock:
            return self._depth > 0

    def write_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Execute `sql` once a row; call it inside `write`."""
        with self._lock, self._translated():
            self._open().executemany(sql, rows)

    # --- care -----------------------------------------------------------------

    def purge_log(self, seconds: float = PURGE_SECONDS) -> bool:
        """Write all pages anew and truncate the log: both may still hold what was deleted.

        Waits up to `seconds` for readers in other processes. Returns whether it is done.
        """
        deadline = time.monotonic() + seconds
        pause = 0.005
        while True:
            with self._lock, self._translated():
                connection = self._open()
                # A busy handler would hold the lock for its whole time; the loop lets others in.
                connection.execute("PRAGMA busy_timeout = 0")
                try:
                    # Where SQLite moves a row to another page, as when its own is full, the bytes
                    # left behind are not overwritten: only writing all pages anew is sure.
                    connection.execute("VACUUM")
                    busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                except self._sql.OperationalError:
                    busy = 1
                finally:
                    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
            if not busy:
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(pause)
            pause = min(0.1, pause * 2)

    def problems(self) -> list[str]:
        """Return what the integrity checks complain about: nothing if all is well."""
        found = [str(row[0]) for row in self.rows("PRAGMA cipher_integrity_check")]
        if found:
            return found
        found = [str(row[0]) for row in self.rows("PRAGMA integrity_check") if row[0] != "ok"]
        found += [f"dangling row in {row[0]}" for row in self.rows("PRAGMA foreign_key_check")]
        return found

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy to the new file at `path`, under the same key.

        Other connections may read and write meanwhile; the copy is of one moment.
        """
        copy = Database(path, self._key)
        try:
            with self._lock, self._translated(), copy._translated():
                self._open().backup(copy._open())
        finally:
            copy.close()

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
                self._key = b""

    @property
    def is_open(self) -> bool:
        """Whether it has not been closed."""
        return self._connection is not None

    def _open(self) -> Any:
        if self._connection is None:
            raise ProfileLockedError(f"The profile in {self.path.parent} is locked; open it again.")
        if self._may_use is not None:
            self._may_use()
            if self._connection is None:
                raise ProfileLockedError(
                    f"The profile in {self.path.parent} is locked; unlock it first."
                )
        return self._connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn SQLite's errors into ours; their texts name no personal data."""
        try:
            yield
        except self._sql.IntegrityError:
            raise  # a programming error here, or a duplicate that the caller expects
        except self._sql.DatabaseError as error:
            if isinstance(error, self._sql.OperationalError) or type(error) is (
                self._sql.DatabaseError
            ):
                raise self._sentence(error) from error
            raise  # wrong use of SQLite

    def _sentence(self, error: Any) -> ProfileError:
        """Return what one of SQLite's errors means to a person."""
        sql = self._sql
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF or {  # a failed backup has no code
            "disk I/O error": sql.SQLITE_IOERR,
            "database or disk is full": sql.SQLITE_FULL,
            "database is locked": sql.SQLITE_BUSY,
            "database disk image is malformed": sql.SQLITE_CORRUPT,
        }.get(str(error))
        # A full disk shows as an I/O error where SQLite grows a file that it maps into memory.
        full = code == sql.SQLITE_IOERR and _free_bytes(self.path.parent) < FULL_BYTES
        if full or code == sql.SQLITE_FULL:
            return ProfileError(f"The disk of {self.path} is full; free some space and try again.")
        if code in (sql.SQLITE_BUSY, sql.SQLITE_LOCKED):
            return ProfileError(
                f"{self.path} is in use by another process that does not let go; try again."
            )
        if code in (sql.SQLITE_CANTOPEN, sql.SQLITE_READONLY, sql.SQLITE_PERM):
            return ProfileError(
                f"{self.path} cannot be opened for writing; check that it and its folder are "
                "yours, and that the disk is not write-protected."
            )
        if code == sql.SQLITE_IOERR:
            return ProfileDamagedError(
                f"{self.path} cannot be read or written ({error}); check the disk, and restore "
                "the profile from a backup if this stays."
            )
        if code in (sql.SQLITE_CORRUPT, sql.SQLITE_NOTADB):
            return ProfileDamagedError(
                f"{self.path} is damaged: a page fails its authentication; restore it from a "
                "backup."
            )
        return ProfileError(f"{self.path} cannot be used ({error}); try again.")


_AS_IT_STANDS = "?immutable=1"


def _address(path: Path) -> str:
    """Return how SQLite is told to open the file: on a disk that can only be read, as it stands.

    There it cannot make the files that a log needs, and nobody else can change anything. What a
    log still holds would be missing: then the file is not opened in that way.
    """
    address = path.absolute().as_uri()
    log = path.with_name(f"{path.name}-wal")
    if _is_on_read_only_disk(path.parent) and not (log.exists() and log.stat().st_size):
        return address + _AS_IT_STANDS
    return address


def _is_on_read_only_disk(folder: Path) -> bool:
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except (OSError, AttributeError):  # Windows has no such call
        return False


def _free_bytes(folder: Path) -> int:
    """Return how much of the disk of `folder` is free; much, if that cannot be known."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return FULL_BYTES
