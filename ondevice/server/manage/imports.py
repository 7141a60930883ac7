"""Importing through the page: files are sent, looked at, and then taken in.

Until then they are kept encrypted (`Spool`), so that nothing of them lies in clear on a disk.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from pydantic import Field
from starlette.concurrency import run_in_threadpool

from ondevice.errors import ImportSourceError, ImportStoppedError, explain
from ondevice.importers import DATES_UNCLEAR, ImportOptions, Preview, Remark, preview
from ondevice.memory.ingest import IngestReport
from ondevice.remedies import Remedy, said
from ondevice.server.errors import BadRequestError
from ondevice.server.events import Events
from ondevice.server.manage.import_answers import (
    AllSeen,
    FileSeen,
    Imported,
    Importing,
    LeftOut,
    Part,
    Writer,
)
from ondevice.server.manage.jobs import Failed, Job, Stopped
from ondevice.server.manage.page import Page, page_routes
from ondevice.server.manage.records import mirrored
from ondevice.server.manage.spool import Spool
from ondevice.server.manage.uploads import MOST_BYTES, Uploaded, file_name
from ondevice.server.remedies import WORDS
from ondevice.server.routing import Answer, Empty, Fields, Upload
from ondevice.store.records import Source

MOST_PEOPLE = 40  # that the person may be one of
MOST_REMARKS = 200  # on one file or archive
NOT_OURS = ("", "assistant", "system", "memory", "tool")  # who is nobody to choose


routes = page_routes()


class FileName(Fields):
    """What a file is called; its content is the body."""

    name: str = Field(max_length=4000)


class Received(Answer):
    """A file that was received."""

    name: str
    bytes: int


@routes.post("/imports/file")
async def take_file(page: Page, query: FileName, body: Upload) -> Received:
    """Send a file to import."""
    _refuse_while_importing(page)
    upload = Uploaded(file_name(query.name), Spool())
    try:
        await _receive(body, upload, page.uploads.room())
    except BaseException:
        upload.spool.close()
        raise
    page.uploads.add(upload)
    return Received(name=upload.name, bytes=upload.spool.size)


class Choices(Fields):
    """What the person says about the files."""

    me: list[str] = Field([], max_length=1000, description="Names under which the person writes.")
    dates: Literal["", "dmy", "mdy"] | None = Field("", description="The order of dates.")
    answers: bool = Field(False, description="Take the answers of other assistants as context.")
    replace: bool = Field(True, description="A file replaces an earlier one of the same name.")

    def options(self, upload: Uploaded) -> ImportOptions:
        """Return the options for one file: only names that occur in it say who the person is."""
        me = tuple(name for name in self.me if name in upload.people or not upload.n_read)
        day_first = self.dates == "dmy" if self.dates else None
        return ImportOptions(me, day_first, self.answers)


Seen = FileSeen | AllSeen | Stopped


@routes.post("/imports/preview")
def look(page: Page, body: Choices) -> Events[FileSeen | AllSeen | Stopped | Failed]:
    """Show what is in the files."""
    if not page.uploads.all:
        raise BadRequestError("Drop some files first.")
    _refuse_while_importing(page)
    files = list(page.uploads.all)

    def work(job: Job[Seen]) -> Seen:
        return _look(page, files, body, job)

    return Events(page.jobs.begin(work).follow_alone())


class Files(Answer):
    """How many files are being imported."""

    files: int


@routes.post("/imports")
def start(page: Page, body: Choices) -> Files:
    """Import the files."""
    if not page.uploads.all:
        raise BadRequestError("Drop some files first.")
    page.refuse_while_busy()
    _ = page.profile
    page.refuse_if_temporary(keep=True)  # an import belongs to no chat
    files = len(page.uploads.all)

    def work(job: Job[Importing | Imported]) -> Importing | Imported:
        return _import(page, body, job)

    page.jobs.start("import", work)
    return Files(files=files)


@routes.get("/imports/events")
def follow(page: Page) -> Events[Importing | Imported | Failed]:
    """Follow the import."""
    return Events(page.jobs.follow("import"))


@routes.post("/imports/stop")
def stop(page: Page) -> Empty:
    """Stop the import; what was read is kept."""
    page.jobs.stop("import")
    return Empty()


@routes.post("/imports/cancel")
def cancel(page: Page) -> Empty:
    """Let the files go."""
    if not page.jobs.running("import"):
        page.uploads.clear()
    return Empty()


def _refuse_while_importing(page: Page) -> None:
    if page.jobs.running("import"):
        raise ImportSourceError("An import is under way; wait for it, or stop it.")


async def _receive(content: Upload, upload: Uploaded, room: int) -> None:
    """Keep what is sent, encrypted."""
    try:
        async for chunk in content:
            if upload.spool.size + len(chunk) > room:
                raise ImportSourceError(
                    f"{upload.name} and the files before it are larger than {MOST_BYTES >> 30} GB; "
                    "import them in parts, or in a terminal."
                )
            await run_in_threadpool(upload.spool.write, chunk)
        await run_in_threadpool(upload.spool.finish)
    except OSError as error:
        raise ImportSourceError(f"{upload.name} could not be kept: {explain(error)}.") from error


# --- looking ---------------------------------------------------------------------------


def _look(page: Page, uploads: list[Uploaded], choices: Choices, job: Job[Seen]) -> Seen:
    """Tell what would be taken from each file, and in the end who the person may be."""

    def check() -> None:
        if job.should_stop():
            raise ImportStoppedError("Stopped.")

    known = {source.key: source for source in page.profile.sources.all("import") if source.key}
    for number, upload in enumerate(uploads):
        before = upload.spool.n_read
        upload.spool.before_read = check
        shown = FileSeen(
            stage="file",
            file=upload.name,
            number=number,
            parts=[],
            problem=None,
            asks_who=False,
            replaces=None,
        )
        try:
            check()
            found = list(preview([upload.file()], choices.options(upload)))
        except ImportStoppedError:
            return Stopped(stage="stopped")
        except ImportSourceError as error:
            shown.problem = error.said(WORDS)
            shown.asks_who = _asks_who(error)
            job.tell(shown)
            continue
        for part in found:
            upload.people.update({who: n for who, n in part.others.items() if who not in NOT_OURS})
            upload.people.update(part.senders)
        upload.n_read = upload.spool.n_read - before
        shown.replaces = _replaced(upload, known) if choices.replace else None
        shown.parts = [_part(part) for part in found]
        job.tell(shown)
    people: Counter[str] = Counter()
    for upload in uploads:
        people.update(upload.people)
    return AllSeen(stage="done", files=len(uploads), people=_writers(people))


def _writers(pieces: Counter[str]) -> list[Writer]:
    return [Writer(name=name, pieces=n) for name, n in pieces.most_common(MOST_PEOPLE)]


def _replaced(upload: Uploaded, known: dict[str, Source]) -> float | None:
    """Return when another file of the same name was imported, or None."""
    older = known.get(upload.file().identity)
    if older is None or older.sha256 in (None, upload.spool.sha256()):
        return None
    return older.time


def _part(part: Preview) -> Part:
    return mirrored(
        Part,
        part,
        others=_writers(part.others),
        left_out={why: n for why, n in part.left_out.items() if why != DATES_UNCLEAR},
        dates_unclear=DATES_UNCLEAR in part.left_out,
        skipped=_remarks(part.skipped),
        guessed=_remarks(part.guessed),
    )


def _asks_who(error: ImportSourceError) -> bool:
    """Whether all that is wrong is that the person did not say who they are."""
    return any(step.remedy is Remedy.CHOOSE_PERSON for step in error.notice.steps)


def _remarks(remarks: Iterable[Remark]) -> list[LeftOut]:
    shown = itertools.islice(remarks, MOST_REMARKS)
    return [LeftOut(file=one.file, why=said(one.why, WORDS), asks=one.asks) for one in shown]


# --- taking in -------------------------------------------------------------------------


def _import(page: Page, choices: Choices, job: Job[Importing | Imported]) -> Imported:
    uploads = page.uploads
    total = _Total(uploads.all, job)
    failed: list[LeftOut] = []
    guessed: list[LeftOut] = []
    left_out: Counter[str] = Counter()
    stopped = False
    try:
        for number, upload in enumerate(uploads.all):
            options = choices.options(upload)
            try:
                total.begin(number, upload)
                report = page.me.memory.import_paths(
                    [upload.file(replace=choices.replace)], total.stored, options
                )
                total.add(report)
            except ImportStoppedError:
                total.add(IngestReport(0, total.passages_now, 0))
                stopped = True
                break
            except ImportSourceError as error:
                total.add(IngestReport(0, total.passages_now, 0))
                failed.append(LeftOut(file=upload.name, why=error.said(WORDS), asks=False))
            else:
                failed += _remarks(options.skipped)
                guessed += _remarks(options.guessed)
            left_out.update(options.left_out)
    finally:
        uploads.clear()
    return Imported(
        stage="stopped" if stopped else "done",
        files=total.files,
        failed=failed,
        guessed=guessed,
        left_out=dict(left_out),
        documents=total.taken.documents,
        passages=total.taken.passages,
        unchanged=total.taken.unchanged,
        facts=total.taken.facts,
    )


class _Total:
    """How far an import is, over all its files; it stops the reading when the person wants."""

    def __init__(self, uploads: Iterable[Uploaded], job: Job[Importing | Imported]) -> None:
        self._uploads = list(uploads)
        self._job = job
        self._name, self._number = "", 0
        self.files = len(self._uploads)
        self.taken = IngestReport(0, 0, 0)
        self.passages_now = 0
        # Importing a file reads as many bytes as looking at it did, which tells how far it is.
        self._expected = [one.n_read or one.spool.size for one in self._uploads]
        self._before = [one.spool.n_read for one in self._uploads]
        for upload in self._uploads:
            upload.spool.before_read = self._check

    def begin(self, number: int, upload: Uploaded) -> None:
        self._name, self._number, self.passages_now = upload.name, number, 0
        self._check()
        self._tell()

    def stored(self, passages: int, _: int | None) -> None:
        self.passages_now = passages
        self._tell()
        self._check()

    def add(self, more: IngestReport) -> None:
        old = self.taken
        self.taken = IngestReport(
            old.documents + more.documents,
            old.passages + more.passages,
            old.unchanged + more.unchanged,
            old.facts + more.facts,
        )

    def _check(self) -> None:
        if self._job.should_stop():
            raise ImportStoppedError("Stopped.")

    def _tell(self) -> None:
        read = sum(
            min(one.spool.n_read - before, expected)
            for one, before, expected in zip(
                self._uploads, self._before, self._expected, strict=True
            )
        )
        self._job.tell(
            Importing(
                stage="importing",
                file=self._name,
                done=self._number,
                files=self.files,
                passages=self.taken.passages + self.passages_now,
                share=read / max(1, sum(self._expected)),
            )
        )
