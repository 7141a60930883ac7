"""Importing through the page: files are sent, looked at, and then taken in.

Until then they are kept encrypted (`Spool`), so that nothing of them lies in clear on a disk.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ondevice.errors import ImportSourceError, OndeviceError, explain
from ondevice.importers import DATES_UNCLEAR, ImportFile, ImportOptions, Preview, preview
from ondevice.server.errors import error_response
from ondevice.server.manage.http import BadRequestError, Values, events, job_routes, route
from ondevice.server.manage.jobs import Event, Job
from ondevice.server.manage.page import Page
from ondevice.server.manage.spool import Spool
from ondevice.store.records import Source

MOST_BYTES = 4 << 30  # of all files that wait
MOST_FILES = 20_000
MOST_PEOPLE = 40  # that the person may be one of
NOT_OURS = ("", "assistant", "system", "memory", "tool")  # who is nobody to choose


class StoppedError(ImportSourceError):
    """The person stopped an import: what was read so far is kept."""


@dataclasses.dataclass
class Upload:
    """A file that was sent.

    Attributes:
        name: as the browser gave it, perhaps with folders.
        spool: its content.
        people: who writes in it, as far as it was looked at.
        n_read: bytes that were read to look through it; importing reads as many.
    """

    name: str
    spool: Spool
    people: Counter[str] = dataclasses.field(default_factory=Counter)
    n_read: int = 0

    def file(self, *, replace: bool = True) -> ImportFile:
        """Return it for importers; with `replace` it takes the place of one of the same name."""
        identity = f"upload:{self.name}" + ("" if replace else f":{self.spool.sha256()}")
        return ImportFile(Path(self.name), self.name, self.spool.open, identity, self.spool.size)


@dataclasses.dataclass(frozen=True)
class Choices:
    """What the person says about the files."""

    me: tuple[str, ...]
    day_first: bool | None
    answers: bool
    replace: bool

    @classmethod
    def of(cls, values: Values) -> Choices:
        """Read them from a request."""
        dates = values.take("dates", str, "") or None
        if dates not in (None, "dmy", "mdy"):
            raise BadRequestError("The order of dates is 'dmy' or 'mdy'.")
        return cls(
            tuple(values.texts("me")) if "me" in values else (),
            None if dates is None else dates == "dmy",
            values.take("answers", bool, False),
            values.take("replace", bool, True),
        )

    def options(self, upload: Upload) -> ImportOptions:
        """Return the options for one file: only names that occur in it say who the person is."""
        me = tuple(name for name in self.me if name in upload.people or not upload.n_read)
        return ImportOptions(me, self.day_first, self.answers)


class Uploads:
    """The files that wait for being imported."""

    def __init__(self) -> None:
        """Begin without a file."""
        self.all: list[Upload] = []

    def add(self, upload: Upload) -> None:
        """Keep a file; one of the same name, sent before, goes."""
        for old in [one for one in self.all if one.name == upload.name]:
            self.all.remove(old)
            old.spool.close()
        self.all.append(upload)

    def room(self) -> int:
        """Return how many bytes may still come.

        Raises:
            ImportSourceError: there are too many files already.
        """
        if len(self.all) >= MOST_FILES:
            raise ImportSourceError(
                f"More than {MOST_FILES} files at once are too many; import these first."
            )
        return MOST_BYTES - sum(upload.spool.size for upload in self.all)

    def clear(self) -> None:
        """Let all files go."""
        for upload in self.all:
            upload.spool.close()
        self.all = []


def import_routes(page: Page) -> list[BaseRoute]:
    """Return the routes that take files, show what is in them, and import them."""
    uploads = Uploads()
    page.at_end.append(uploads.clear)

    async def take_file(request: Request) -> Response:
        try:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/octet-stream":
                raise BadRequestError("Send a file as application/octet-stream.")
            if page.jobs.running("import"):
                raise ImportSourceError("An import is under way; wait for it, or stop it.")
            upload = Upload(_name(request.query_params.get("name", "")), Spool())
            try:
                await _receive(request, upload, uploads.room())
            except BaseException:
                upload.spool.close()
                raise
            uploads.add(upload)
        except OndeviceError as error:
            return error_response(error)
        return JSONResponse({"name": upload.name, "bytes": upload.spool.size})

    def look(values: Values) -> Any:
        if not uploads.all:
            raise BadRequestError("Drop some files first.")
        if page.jobs.running("import"):
            raise ImportSourceError("An import is under way; wait for it, or stop it.")
        choices, files = Choices.of(values), list(uploads.all)
        return events(page.jobs.begin(lambda job: _look(page, files, choices, job)).follow_alone())

    def start(values: Values) -> dict[str, Any]:
        if not uploads.all:
            raise BadRequestError("Drop some files first.")
        page.refuse_while_busy()
        _ = page.profile
        page.refuse_if_temporary(keep=True)  # an import belongs to no chat
        choices, files = Choices.of(values), len(uploads.all)
        page.jobs.start("import", lambda job: _import(page, uploads, choices, job))
        return {"files": files}

    def cancel(values: Values) -> dict[str, Any]:
        if not page.jobs.running("import"):
            uploads.clear()
        return {}

    return [
        Route("/imports/file", take_file, methods=["POST"]),
        route(page, "POST", "/imports/preview", look),
        route(page, "POST", "/imports", start),
        *job_routes(page, "import", "/imports"),
        route(page, "POST", "/imports/cancel", cancel),
    ]


def _name(given: str) -> str:
    """Return the name of a file that was sent, perhaps with the folders that it lay in.

    Raises:
        BadRequestError: it is none.
    """
    parts = PurePosixPath(given.replace("\\", "/")).parts
    kept = [part.strip() for part in parts if part.strip(" ./")]
    name = "/".join(kept)
    if not kept or kept[-1].startswith(".") or not name.isprintable() or len(name.encode()) > 1000:
        raise BadRequestError("That is no name of a file.")
    return name


async def _receive(request: Request, upload: Upload, room: int) -> None:
    """Keep the body of `request`, encrypted."""
    try:
        async for chunk in request.stream():
            if upload.spool.size + len(chunk) > room:
                raise ImportSourceError(
                    f"{upload.name} and the files before it are larger than {MOST_BYTES >> 30} GB; "
                    "import them in parts, or use `ondevice import`."
                )
            await run_in_threadpool(upload.spool.write, chunk)
        await run_in_threadpool(upload.spool.finish)
    except OSError as error:
        raise ImportSourceError(f"{upload.name} could not be kept: {explain(error)}.") from error


# --- looking ---------------------------------------------------------------------------


def _look(page: Page, uploads: list[Upload], choices: Choices, job: Job) -> Event:
    """Tell what would be taken from each file, and in the end who the person may be."""

    def check() -> None:
        if job.should_stop():
            raise StoppedError("Stopped.")

    known = {source.key: source for source in page.profile.sources("import") if source.key}
    for number, upload in enumerate(uploads):
        before = upload.spool.n_read
        upload.spool.before_read = check
        shown: dict[str, Any] = {"stage": "file", "file": upload.name, "number": number}
        try:
            check()
            found = list(preview([upload.file()], choices.options(upload)))
        except StoppedError:
            return {"stage": "stopped"}
        except ImportSourceError as error:
            why = _for_page(str(error))
            job.tell({**shown, "parts": [], "problem": why, "replaces": None})
            continue
        for part in found:
            upload.people.update({who: n for who, n in part.others.items() if who not in NOT_OURS})
            upload.people.update(part.senders)
        upload.n_read = upload.spool.n_read - before
        replaces = _replaced(upload, known) if choices.replace else None
        parts = [_part_json(part) for part in found]
        job.tell({**shown, "parts": parts, "problem": None, "replaces": replaces})
    people: Counter[str] = Counter()
    for upload in uploads:
        people.update(upload.people)
    return {
        "stage": "done",
        "files": len(uploads),
        "people": [{"name": name, "pieces": n} for name, n in people.most_common(MOST_PEOPLE)],
    }


def _replaced(upload: Upload, known: dict[str, Source]) -> float | None:
    """Return when another file of the same name was imported, or None."""
    older = known.get(upload.file().identity)
    if older is None or older.sha256 in (None, upload.spool.sha256()):
        return None
    return older.time


def _part_json(part: Preview) -> dict[str, Any]:
    return {
        "file": part.file,
        "format": part.format,
        "documents": part.documents,
        "own": part.own,
        "others": [{"name": who, "pieces": n} for who, n in part.others.most_common(MOST_PEOPLE)],
        "facts": part.facts,
        "left_out": {_for_page(why): n for why, n in part.left_out.items()},
        "dates_unclear": DATES_UNCLEAR in part.left_out,
        "first": part.first,
        "last": part.last,
    }


def _for_page(message: str) -> str:
    """Say what to do on the page where a sentence tells of options of the command line."""
    message = re.sub(r"say it with --as .*", "choose who you are.", message, flags=re.DOTALL)
    return re.sub(
        r"(but )?say (it with )?--dates dmy or --dates mdy( to import it)?",
        "choose the order of its dates",
        message,
    )


# --- taking in -------------------------------------------------------------------------


def _import(page: Page, uploads: Uploads, choices: Choices, job: Job) -> Event:
    total = _Total(uploads.all, job)
    failed: list[dict[str, str]] = []
    left_out: Counter[str] = Counter()
    stopped = False
    try:
        for number, upload in enumerate(uploads.all):
            options = choices.options(upload)
            try:
                total.begin(number, upload)
                report = page.me.import_paths(
                    [upload.file(replace=choices.replace)], total.stored, options
                )
                total.add(dataclasses.asdict(report))
            except StoppedError:
                total.add({"passages": total.passages_now})
                stopped = True
                break
            except ImportSourceError as error:
                total.add({"passages": total.passages_now})
                failed.append({"file": upload.name, "why": _for_page(str(error))})
            left_out.update(options.left_out)
    finally:
        uploads.clear()
    return {
        "stage": "stopped" if stopped else "done",
        "files": total.files,
        "failed": failed,
        "left_out": {_for_page(why): n for why, n in left_out.items()},
        **total.counts,
    }


class _Total:
    """How far an import is, over all its files; it stops the reading when the person wants."""

    def __init__(self, uploads: Iterable[Upload], job: Job) -> None:
        self._uploads = list(uploads)
        self._job = job
        self._name, self._number = "", 0
        self.files = len(self._uploads)
        self.counts = Counter(documents=0, passages=0, unchanged=0, facts=0)
        self.passages_now = 0
        # Importing a file reads as many bytes as looking at it did, which tells how far it is.
        self._expected = [one.n_read or one.spool.size for one in self._uploads]
        self._before = [one.spool.n_read for one in self._uploads]
        for upload in self._uploads:
            upload.spool.before_read = self._check

    def begin(self, number: int, upload: Upload) -> None:
        self._name, self._number, self.passages_now = upload.name, number, 0
        self._check()
        self._tell()

    def stored(self, passages: int, _: int | None) -> None:
        self.passages_now = passages
        self._tell()
        self._check()

    def add(self, counts: dict[str, int]) -> None:
        self.counts.update(counts)

    def _check(self) -> None:
        if self._job.should_stop():
            raise StoppedError("Stopped.")

    def _tell(self) -> None:
        read = sum(
            min(one.spool.n_read - before, expected)
            for one, before, expected in zip(
                self._uploads, self._before, self._expected, strict=True
            )
        )
        self._job.tell(
            {
                "stage": "importing",
                "file": self._name,
                "done": self._number,
                "files": self.files,
                "passages": self.counts["passages"] + self.passages_now,
                "share": read / max(1, sum(self._expected)),
            }
        )
