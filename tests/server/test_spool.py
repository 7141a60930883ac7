"""Uploads lie on disk encrypted, and can be read like any file."""

import io
import os
import tempfile
import zipfile
from pathlib import Path

import pytest

from ondevice.errors import ImportSourceError
from ondevice.importers import ImportFile, read
from ondevice.server.manage.spool import BLOCK_BYTES, Spool


@pytest.fixture
def seen(tmp_path, monkeypatch):
    """The files behind spools, by a name that the test can read them under."""
    files = []

    def named(**options):
        options.pop("prefix")
        files.append(tmp_path / f"spool-{len(files)}")
        return files[-1].open("w+b", **options)

    monkeypatch.setattr(tempfile, "TemporaryFile", named)
    return files


@pytest.fixture
def spool(seen):
    made = Spool()
    yield made
    made.close()


def fill(spool, content, step=10_000):
    for start in range(0, len(content), step):
        spool.write(content[start : start + step])
    spool.finish()


def test_nothing_lies_in_clear_on_disk(spool, seen):
    fill(spool, b"The harmonica is in the blue drawer. " * 5000)
    (file,) = seen
    stored = file.read_bytes()
    assert b"harmonica" not in stored and b"drawer" not in stored
    assert len(stored) > spool.size
    with spool.open() as opened:
        assert opened.read() == b"The harmonica is in the blue drawer. " * 5000


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, 3 * BLOCK_BYTES + 7])
def test_it_reads_like_the_file_that_was_written(spool, size):
    content = os.urandom(size)
    fill(spool, content)
    plain = io.BytesIO(content)
    with spool.open() as opened:
        for offset, whence, n in [(0, 0, 5), (size // 2, 0, 70_000), (-3, 2, 9), (-2, 1, 4)]:
            if (plain.tell() + offset < 0 and whence == 1) or (size + offset < 0 and whence == 2):
                continue
            assert opened.seek(offset, whence) == plain.seek(offset, whence)
            assert opened.read(n) == plain.read(n)
    assert spool.size == size


def test_what_was_altered_is_not_read(spool, seen):
    fill(spool, b"x" * 1000)
    content = bytearray(seen[0].read_bytes())
    content[10] ^= 1
    seen[0].write_bytes(content)
    with spool.open() as opened, pytest.raises(OSError, match="altered"):
        opened.read()


def test_the_real_file_has_no_name_and_goes_with_the_spool(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spool = Spool()
    fill(spool, b"secret")
    if os.name != "nt":
        assert list(tmp_path.iterdir()) == []
    spool.close()
    with spool.open() as opened, pytest.raises(OSError, match="gone"):
        opened.read()


def test_archives_are_read_from_a_spool_and_reading_can_be_stopped(spool):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("notes/garden.md", "# Garden\n\nThe quinces are ripe.\n")
        archive.writestr("notes/boat.md", "The boat needs paint.\n")
    fill(spool, packed.getvalue())
    file = ImportFile(Path("notes.zip"), "notes.zip", spool.open, "upload:notes.zip")
    documents = list(read([file]))
    assert [document.name for document in documents] == ["notes/boat.md", "notes/garden.md"]
    assert "quinces" in next(iter(documents[1].chunks)).text
    assert documents[0].key == "upload:notes.zip:notes/boat.md"

    def stop():
        raise ImportSourceError("Stopped.")

    spool.before_read = stop
    with pytest.raises(ImportSourceError, match="Stopped"):
        list(read([file]))
