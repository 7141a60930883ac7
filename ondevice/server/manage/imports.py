"""Importing through the page: files are dropped, kept in memory where possible, and read in."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ondevice.errors import ImportSourceError, OndeviceError
from ondevice.server.errors import error_response
from ondevice.server.manage.http import BadRequestError, Values, events, nothing, route
from ondevice.server.manage.jobs import Event, Job
from ondevice.server.manage.page import Page

MAX_FILE = 256 << 20  # bytes
_MEMORY = Path("/dev/shm")  # files there are never written to a disk


class Dropped:
    """Files that were dropped and not imported yet, in a folder that only the owner can read."""

    def __init__(self) -> None:
        """Begin without a file; the folder is made with the first one."""
        self._folder: Path | None = None
        self.files: list[Path] = []

    def place(self, name: str) -> Path:
        """Return where a file called `name` goes.

        Raises:
            BadRequestError: it is no name of a file.
        """
        name = name.replace("\\", "/").rsplit("/", 1)[-1].strip()
        if not name or name.startswith(".") or not name.isprintable() or len(name.encode()) > 200:
            raise BadRequestError("That is no name of a file.")
        if self._folder is None:
            in_memory = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
            self._folder = Path(
                tempfile.mkdtemp(prefix="ondevice-", dir=_MEMORY if in_memory else None)
            )
        number = len(self.files)
        folder = self._folder / str(number)  # two files may have the same name
        folder.mkdir(exist_ok=True)
        return folder / name

    def clear(self) -> None:
        """Delete the files."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder, self.files = None, []


def import_routes(page: Page) -> list[BaseRoute]:
    """Return the routes that take files and import them."""
    dropped = Dropped()

    async def take_file(request: Request) -> Response:
        try:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/octet-stream":
                raise BadRequestError("Send a file as application/octet-stream.")
            if page.jobs.running("import"):
                raise ImportSourceError("An import is under way; wait for it.")
            path = dropped.place(request.query_params.get("name", ""))
            await _receive(request, path)
        except OndeviceError as error:
            return error_response(error)
        dropped.files.append(path)
        return JSONResponse({"name": path.name, "bytes": path.stat().st_size})

    def start(values: Values) -> dict[str, Any]:
        if not dropped.files:
            raise BadRequestError("Drop some files first.")
        page.refuse_while_learning()
        _ = page.profile
        files = len(dropped.files)
        page.jobs.start("import", lambda job: _import(page, dropped, job))
        return {"files": files}

    def follow(values: Values) -> Any:
        job = page.jobs.get("import")
        return events(job.follow() if job is not None else nothing())

    def cancel(values: Values) -> dict[str, Any]:
        if not page.jobs.running("import"):
            dropped.clear()
        return {}

    return [
        Route("/imports/file", take_file, methods=["POST"]),
        route(page, "POST", "/imports", start),
        route(page, "GET", "/imports/events", follow),
        route(page, "POST", "/imports/cancel", cancel),
    ]


async def _receive(request: Request, path: Path) -> None:
    """Write the body of `request` to `path`, which only the owner can read."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    size = 0
    with os.fdopen(handle, "wb") as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_FILE:
                break
            await run_in_threadpool(file.write, chunk)
    if size > MAX_FILE:
        path.unlink()
        raise ImportSourceError(
            f"{path.name} is larger than {MAX_FILE >> 20} MB; use `ondevice import` for it."
        )


def _import(page: Page, dropped: Dropped, job: Job) -> Event:
    done = {"documents": 0, "passages": 0, "unchanged": 0}
    failed: list[str] = []
    files = list(dropped.files)
    try:
        for number, path in enumerate(files):
            at = {"stage": "importing", "file": path.name, "done": number, "files": len(files)}
            job.tell({**at, "passages": done["passages"]})

            def progress(stored: int, total: int | None, at: Event = at) -> None:
                job.tell({**at, "passages": done["passages"] + stored})

            try:
                report = page.me.import_paths([path], progress=progress)
            except ImportSourceError as error:
                failed.append(str(error).replace(str(path), path.name))
                continue
            done["documents"] += report.documents
            done["passages"] += report.passages
            done["unchanged"] += report.unchanged
    finally:
        dropped.clear()
    return {"stage": "done", "files": len(files), "failed": failed, **done}
