"""A profile: open it, lock it, check it, wipe it.

    with Profile.create(home, "default") as profile:
        profile.facts.add("My dog is called Biscuit.", category="relationship")

A profile may be used from several threads; calls wait for each other. Several
processes may have it open; `generation` and `data_version` tell what others did.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ondevice.errors import (
    ProfileDamagedError,
    ProfileExistsError,
    ProfileLockedError,
)
from ondevice.ground.files import private_folder
from ondevice.home import Home
from ondevice.remedies import Remedy
from ondevice.settings import RetentionSettings
from ondevice.store import leftovers
from ondevice.store.access import keys
from ondevice.store.adapter_files import AdapterFiles
from ondevice.store.adapters import Adapters
from ondevice.store.certificate import public_key_of
from ondevice.store.copies import Copies
from ondevice.store.corrections import Corrections
from ondevice.store.database import Database
from ondevice.store.facts import Facts
from ondevice.store.feedback import FeedbackLog
from ondevice.store.forget import Forgetting, Forgotten
from ondevice.store.full_text import keep_current
from ondevice.store.journal import Journal
from ondevice.store.lineage import Lineage
from ondevice.store.listing import Listing
from ondevice.store.migrations import migrate
from ondevice.store.origins import Origins
from ondevice.store.passages import Passages
from ondevice.store.profiles import (
    DATABASE_NAME,
    DEFAULT_NAME,
    check_name,
    check_place,
    destroy,
    exclusive,
    exists,
    has_database,
    not_found,
    profile_in_use,
    stamp,
    wipe_profile,
)
from ondevice.store.records import AnyRecord, ForgetPreview, ForgetReport, Record
from ondevice.store.retention import Retention
from ondevice.store.search_tables import SearchTables
from ondevice.store.sources import Sources
from ondevice.store.table import Table
from ondevice.store.turns import Turns
from ondevice.store.vectors import Vectors
from ondevice.store.working_folder import former_place, put_back


class Profile:
    """An open, decrypted profile; its parts are named for what they hold."""

    facts: Facts
    origins: Origins
    sources: Sources
    passages: Passages
    turns: Turns
    corrections: Corrections
    feedback: FeedbackLog
    vectors: Vectors
    adapters: Adapters
    journal: Journal
    copies: Copies
    retention: Retention
    listing: Listing
    search_tables: SearchTables

    def __init__(
        self,
        home: Home,
        name: str,
        data_key: bytes,
        folder: Path | None = None,
        *,
        retention: RetentionSettings | None = None,
    ) -> None:
        """Open the database; use `create` or `open` instead, they know about keys."""
        self.name = name
        self.folder = folder or home.profile(name)
        self._home = home
        self._is_at_home = folder is None
        self._key: bytearray | None = bytearray(data_key)
        self._keys_seen = stamp(self.folder / "keys.json")
        self._db = Database(
            self.folder / DATABASE_NAME, self.derive_key("database"), may_use=self._may_use
        )
        self._file = stamp(self.folder / DATABASE_NAME)[0]
        try:
            migrate(self._db)
            keep_current(self._db)
            self._compose(retention or RetentionSettings())
            self._sweep()
            if self._db.is_writable:
                self.purge_due()
            # What an earlier run could not purge because somebody was reading. The last one to
            # close purges in any case, so do not wait.
            self._lineage.finish_purge(seconds=0.0)
        except BaseException:
            self.lock()
            raise

    def _compose(self, retention: RetentionSettings) -> None:
        db, table = self._db, Table(self._db)
        self._table = table
        self._lineage = lineage = Lineage(db)
        self.journal = Journal(db)
        self.copies = Copies(db, self.journal)
        self.retention = Retention(db, self.journal, retention)
        self.vectors = Vectors(db, lineage)
        self.origins = Origins(db, table)
        self.facts = Facts(db, table, lineage, self.vectors, self.origins)
        self.sources = Sources(db, table, self.journal)
        self.passages = Passages(db, table, self.vectors, self.sources)
        self.turns = Turns(db, table, self.vectors, self.sources)
        self.corrections = Corrections(db, table, lineage, self.vectors, self.journal)
        self.feedback = FeedbackLog(db, table)
        files = AdapterFiles(self.folder, self.derive_key)
        self.adapters = Adapters(db, table, lineage, self.journal, files)
        self.listing = Listing(db, table)
        self.search_tables = SearchTables(db)
        self._forgetting = Forgetting(
            db,
            table,
            lineage,
            self.journal,
            self.copies,
            self.sources,
            self.adapters,
            self.origins,
            self.retention,
            lambda: self.derive_key("certificates"),
        )
        lineage.when_stale(self.adapters.shred_stale)
        lineage.when_deleted(self._sweep)

    @classmethod
    def create(
        cls,
        home: Home,
        name: str = DEFAULT_NAME,
        *,
        passphrase: str | None = None,
        ask_passphrase: Callable[[], str] | None = None,
        retention: RetentionSettings | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> Profile:
        """Make a new profile.

        Args:
            home: where things live.
            name: letters, digits, `_` and `-`.
            passphrase: protects the key; without one it is kept as `keys.create` says.
            ask_passphrase: asks the person, where there is no keyring.
            retention: how long records are kept if the profile does not say; for ever if None.
            warn: is called with a sentence about where the key is kept, or what is waited for.

        Raises:
            ProfileExistsError: there is one of that name.
            ProfileError: the name cannot be a folder's.
            ProfileLockedError: the passphrase cannot be had.
        """
        check_name(name)
        with exclusive(home, name, warn):
            put_back(home, name)  # a restore was interrupted
            if exists(home, name):
                raise ProfileExistsError(
                    f"There is a profile called '{name}' already; choose another name, or use it."
                )
            return cls._make(home, name, passphrase, ask_passphrase, warn, retention)

    @classmethod
    def open(
        cls,
        home: Home,
        name: str | None = None,
        *,
        ask_passphrase: Callable[[], str] | None = None,
        create: bool = False,
        retention: RetentionSettings | None = None,
        warn: Callable[[str], None] | None = None,
        typed: bool = False,
    ) -> Profile:
        """Open a profile.

        Args:
            home: where things live.
            name: the one in use if None.
            ask_passphrase: asks the person, if it takes a passphrase.
            create: make it if it is not there.
            retention: how long records are kept if the profile does not say; for ever if None.
            warn: is called with a sentence about where a new key is kept, or what is waited for.
            typed: only what `ask_passphrase` returns opens it.

        Raises:
            ProfileNotFoundError: there is none of that name.
            ProfileLockedError: no key opens it, or the passphrase is wrong; nothing was changed.
            ProfileDamagedError: its files are damaged.
        """
        name = profile_in_use(home) if name is None else check_name(name)
        if not exists(home, name) and former_place(home, name).exists():
            with exclusive(home, name, warn):
                put_back(home, name)  # a restore was interrupted
        if not exists(home, name):
            if not create:
                check_place(home, name)
                raise not_found(home, name)
            with exclusive(home, name, warn):
                if not exists(home, name):  # else another process was faster
                    return cls._make(home, name, None, ask_passphrase, warn, retention)
        if not has_database(home, name):
            with exclusive(home, name, warn):  # another process may be making it
                pass
            if not has_database(home, name):
                raise ProfileDamagedError(
                    f"{home.profile(name) / DATABASE_NAME} is missing or empty; restore it from a "
                    "backup.",
                    Remedy.WIPE_PROFILE(name=name),
                )
        data_key = keys.unlock(home, name, ask_passphrase=ask_passphrase, typed=typed)
        return cls(home, name, data_key, retention=retention)

    @classmethod
    def _make(
        cls,
        home: Home,
        name: str,
        passphrase: str | None,
        ask_passphrase: Callable[[], str] | None,
        warn: Callable[[str], None] | None,
        retention: RetentionSettings | None,
    ) -> Profile:
        check_place(home, name)
        shutil.rmtree(home.profile(name), ignore_errors=True)
        private_folder(home.profile(name))
        try:
            data_key = keys.create(
                home,
                name,
                passphrase=passphrase,
                ask_passphrase=ask_passphrase,
                warn=warn or keys.silent,
            )
            return cls(home, name, data_key, retention=retention)
        except BaseException:
            destroy(home, name)
            raise

    @classmethod
    def at(cls, folder: Path, name: str, data_key: bytes) -> Self:
        """Open the database in a folder that is at no profile's place, for `transfer`."""
        return cls(Home.below(folder), name, data_key, folder)

    # --- records, whatever their kind -------------------------------------------

    def get(self, record_id: str) -> AnyRecord:
        """Return the record with this id, or with the only id that starts so.

        Raises:
            RecordNotFoundError: there is none, or the start fits several.
        """
        return self._table.get(record_id)

    def has(self, record_id: str) -> bool:
        """Whether exactly one record has this id or an id that starts so."""
        return self._table.has(record_id)

    def records(self, ids: Iterable[str]) -> dict[str, Record]:
        """Return the facts, passages and turns with these whole ids; absent ones are left out."""
        return self._table.by_ids(ids)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes of a block durable together, or none of them."""
        with self._db.write():
            yield

    def generation(self) -> int:
        """Return a counter that grows whenever something is no longer as it was.

        It grows by forgetting, editing, approving, superseding and changes of adapters, not by
        additions. Whoever caches records drops them when it has changed.
        """
        return self._lineage.generation()

    def data_version(self) -> int:
        """Return a number that changes when another connection has committed anything."""
        return self._lineage.data_version()

    # --- forgetting ---------------------------------------------------------------

    def preview_forget(self, ids: Sequence[str], *, keep_turns: bool = False) -> ForgetPreview:
        """Return what `forget_shown` would delete; see `Forgetting.preview`."""
        return self._forgetting.preview(ids, keep_turns=keep_turns)

    def matching(
        self, *, source: str | None = None, words: str | None = None, since: float | None = None
    ) -> list[str]:
        """Return the ids of the records that fit; see `Forgetting.matching`."""
        return self._forgetting.matching(source=source, words=words, since=since)

    def forget(self, ids: Iterable[str], *, keep_stale: bool = False) -> ForgetReport:
        """Delete records for good, and what was made of them; see `Forgetting.forget`."""
        return self._forgetting.forget(ids, keep_stale=keep_stale)

    def forget_shown(self, shown: ForgetPreview, *, keep_stale: bool = False) -> Forgotten:
        """Delete what was shown and certify it; see `Forgetting.forget_shown`."""
        return self._forgetting.forget_shown(shown, keep_stale=keep_stale)

    def replace_source(self, old_id: str, new_id: str) -> ForgetReport:
        """Forget a source whose newer version is stored; see `Forgetting.replace_source`."""
        return self._forgetting.replace_source(old_id, new_id)

    def purge_due(self) -> ForgetReport:
        """Delete what has been kept as long as it may be; see `Forgetting.purge_due`."""
        return self._forgetting.purge_due()

    def finish_purge(self, seconds: float | None = None) -> bool:
        """Delete what dead processes have left of copies, and truncate the log if it must be.

        Returns:
            Whether nothing of what was deleted is left in the log; see `Lineage.finish_purge`.
        """
        self._sweep()
        return self._lineage.finish_purge(seconds)

    def certificate_key(self) -> bytes:
        """Return the public key that checks this profile's certificates."""
        return public_key_of(self.derive_key("certificates"))

    # --- keys, copies, closing ------------------------------------------------------

    def copy_database(self, path: Path) -> None:
        """Write a consistent copy of the encrypted database to the new file at `path`."""
        self._db.copy_to(path)

    def derive_key(self, purpose: str) -> bytes:
        """Return the 256-bit key of this profile for one purpose, such as "adapters".

        Raises:
            ProfileLockedError: the profile was locked.
        """
        if self._key is None:
            raise ProfileLockedError(f"The profile '{self.name}' is locked; open it again.")
        return keys.derive(bytes(self._key), purpose)

    @property
    def home(self) -> Home:
        """Where the profile lives."""
        return self._home

    @property
    def is_open(self) -> bool:
        """Whether it was neither closed nor, as far as it was noticed, locked elsewhere."""
        return self._key is not None

    @property
    def data_key(self) -> bytes:
        """The key that everything else is derived from; for `key_changes` and `transfer` only.

        Raises:
            ProfileLockedError: the profile was locked.
        """
        if self._key is None:
            raise ProfileLockedError(f"The profile '{self.name}' is locked; open it again.")
        return bytes(self._key)

    def _may_use(self) -> None:
        """Close at once if the profile was locked, wiped or replaced elsewhere."""
        seen = stamp(self.folder / "keys.json")
        if seen == self._keys_seen:
            return
        if keys.is_locked(self._home, self.name):
            self.lock()
            raise ProfileLockedError(
                f"The profile '{self.name}' was locked.", Remedy.UNLOCK(name=self.name)
            )
        if stamp(self.folder / DATABASE_NAME)[0] != self._file:
            self.lock()
            raise ProfileLockedError(
                f"The profile '{self.name}' was replaced by a backup; open it again."
            )
        self._keys_seen = seen

    def _sweep(self) -> None:
        """Delete what processes that died have left of copies of this profile."""
        if self._is_at_home and self._db.is_writable:
            leftovers.sweep(self._home, self.name)
            self.copies.clear_unfinished()

    def check(self) -> None:
        """Check every page's authentication, the tables, the references and the index.

        Raises:
            ProfileDamagedError: something is wrong; nothing was changed.
        """
        problems = self._db.problems()
        if problems:
            raise ProfileDamagedError(
                f"{self._db.path} is damaged ({len(problems)} problems: {problems[0]}); restore it "
                "from a backup."
            )
        with self._db.write() as run:  # raises by itself if the index and the texts differ
            run("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)")

    def lock(self) -> None:
        """Close the database and drop the key from memory; safe to call twice."""
        if hasattr(self, "_db"):
            self._db.close()
        if self._key is not None:
            self._key[:] = bytes(len(self._key))
            self._key = None

    close = lock

    def wipe(self) -> None:
        """Destroy the profile: first its keys, then every file."""
        self.lock()
        wipe_profile(self._home, self.name)

    def __enter__(self) -> Self:
        """Return the profile itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Lock the profile."""
        self.lock()
