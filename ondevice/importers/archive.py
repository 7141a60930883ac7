"""Zip archives, read in place: nothing is ever unpacked to disk.

So a member called `../../.bashrc` writes nowhere, and a zip bomb fills nothing:
members are read as streams, up to a size and a ratio that text does not reach.
"""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, cast

from ondevice.errors import ImportSourceError, explain
from ondevice.importers.document import ImportFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

_BROKEN = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
)

MAX_MEMBERS = 200_000
MAX_BYTES = 8 << 30  # of one member
MAX_RATIO = 200  # text is compressed to a tenth; a bomb to a thousandth
SUSPICIOUS_BYTES = 16 << 20  # smaller members harm nobody


def members(file: ImportFile) -> list[ImportFile]:
    """Return the files in a zip archive, in the order of their names.

    Raises:
        ImportSourceError: it is no zip archive, or is damaged.
    """
    path = file.path
    try:
        with file.open() as opened, zipfile.ZipFile(opened) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise ImportSourceError(
            f"{path} is not a zip archive, or is cut off; download it again."
        ) from error
    except OSError as error:
        raise ImportSourceError(f"{path} cannot be read: {explain(error)}.") from error
    if len(infos) > MAX_MEMBERS:
        raise ImportSourceError(
            f"{path} holds more than {MAX_MEMBERS} files, which no export does; unpack it and "
            "import what you need."
        )
    return [
        ImportFile(
            path,
            _name(info),
            _opener(file, info),
            f"{file.identity}:{info.filename}",
            info.file_size,
        )
        for info in sorted(infos, key=lambda info: info.filename)
        if not info.is_dir() and not _is_hidden(info)
    ]


def _name(info: zipfile.ZipInfo) -> str:
    parts = [part for part in _path(info).parts if part != ".."]
    return "/".join(parts).lstrip("/") or "file"


def _is_hidden(info: zipfile.ZipInfo) -> bool:
    return any(part.startswith((".", "__MACOSX")) and part != ".." for part in _path(info).parts)


def _path(info: zipfile.ZipInfo) -> PurePosixPath:
    return PurePosixPath(info.filename.replace("\\", "/"))  # as some programs on Windows write it


def _opener(file: ImportFile, info: zipfile.ZipInfo) -> Callable[[], BinaryIO]:
    def open_member() -> BinaryIO:
        return cast("BinaryIO", io.BufferedReader(_Member(file, info), 1 << 16))

    return open_member


class _Member(io.RawIOBase):
    """One member of an archive as a stream that refuses to become a bomb."""

    def __init__(self, file: ImportFile, info: zipfile.ZipInfo) -> None:
        super().__init__()
        self._path, self._info, self._n_read = file.path, info, 0
        if info.flag_bits & 1:
            raise ImportSourceError(
                f"{self._path}: the file {_name(info)} in it is locked with a password; unpack it "
                "first."
            )
        self._file = file.open()
        try:
            self._archive = zipfile.ZipFile(self._file)
            self._stream = self._archive.open(info)
        except _BROKEN as error:
            self._file.close()
            raise self._damaged() from error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        try:
            block = self._stream.read(len(view))
        except _BROKEN as error:
            raise self._damaged() from error
        self._n_read += len(block)
        packed = max(1, self._info.compress_size)
        bomb = self._n_read > SUSPICIOUS_BYTES and self._n_read > MAX_RATIO * packed
        if bomb or self._n_read > MAX_BYTES:
            raise ImportSourceError(
                f"{self._path}: the file {_name(self._info)} in it unpacks to far more than "
                "text does, as a zip bomb would; if you trust it, unpack it first."
            )
        view[: len(block)] = block
        return len(block)

    def close(self) -> None:
        if not self.closed and hasattr(self, "_stream"):
            self._stream.close()
            self._archive.close()
            self._file.close()
        super().close()

    def _damaged(self) -> ImportSourceError:
        return ImportSourceError(
            f"{self._path}: the file {_name(self._info)} in it is damaged, and what came "
            "before is kept; download the archive again."
        )
