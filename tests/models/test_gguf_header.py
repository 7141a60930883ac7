import os
import struct
import time
import tracemalloc
from pathlib import Path

import gguf
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ondevice.errors import InvalidModelError, ModelNotFoundError
from ondevice.models.base_model import BaseModel
from ondevice.models.gguf_header import GgufHeader, read_header, read_header_bytes


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def key(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def tensor(name: str, shape: tuple[int, ...], kind: int, offset: int) -> bytes:
    dims = b"".join(struct.pack("<Q", n) for n in shape)
    return text(name) + struct.pack("<I", len(shape)) + dims + struct.pack("<IQ", kind, offset)


def gguf_file(
    keys: list[bytes],
    tensors: list[bytes],
    data: int = 0,
    *,
    n_tensors: int | None = None,
    n_keys: int | None = None,
    version: int = 3,
    alignment: int = 32,
) -> bytes:
    counts = (
        len(tensors) if n_tensors is None else n_tensors,
        len(keys) if n_keys is None else n_keys,
    )
    head = b"GGUF" + struct.pack("<IQQ", version, *counts) + b"".join(keys) + b"".join(tensors)
    return head + b"\0" * (-len(head) % alignment) + b"\0" * data


SMALL = gguf_file(
    [
        key("general.architecture", 8, text("llama")),
        key("a.flag", 7, b"\1"),
        key("a.number", 4, struct.pack("<I", 7)),
        key("a.real", 12, struct.pack("<d", 0.5)),
        key("a.words", 9, struct.pack("<IQ", 8, 2) + text("ä") + text("b")),
        key("a.numbers", 9, struct.pack("<IQ", 5, 3) + struct.pack("<3i", 1, -2, 3)),
    ],
    [tensor("one", (32, 2), 3, 0), tensor("two", (5,), 0, 64)],
    data=64 + 20,
)


def test_reads_what_is_in_the_file() -> None:
    header = read_header_bytes(SMALL)
    assert header.architecture == "llama"
    assert header.metadata["a.flag"] is True
    assert header.metadata["a.real"] == 0.5
    assert header.metadata["a.words"] == ["ä", "b"]
    assert header.metadata["a.numbers"] == [1, -2, 3]
    one, two = header.tensors["one"], header.tensors["two"]
    assert (one.shape, one.type, one.offset, one.nbytes) == (
        (32, 2),
        "Q4_1",
        header.data_offset,
        40,
    )
    assert (two.type, two.offset, two.nbytes) == ("F32", header.data_offset + 64, 20)


def test_agrees_with_the_gguf_package_on_the_default_model(default_model: BaseModel) -> None:
    reader = gguf.GGUFReader(default_model.path)
    header = default_model.header
    assert header.metadata.keys() == {k for k in reader.fields if not k.startswith("GGUF.")}
    assert header.tensors.keys() == {t.name for t in reader.tensors}
    for theirs in reader.tensors:
        ours = header.tensors[theirs.name]
        assert ours.shape == tuple(int(n) for n in theirs.shape)
        assert ours.type == theirs.tensor_type.name
        assert (ours.offset, ours.nbytes) == (theirs.data_offset, theirs.n_bytes)


LIES = {
    "empty": b"",
    "magic": b"GGML" + SMALL[4:],
    "version 1": gguf_file([], [], version=1),
    "big endian": gguf_file([], [], version=3 << 24),
    "many keys": gguf_file([], [], n_keys=1 << 62),
    "many tensors": gguf_file([], [], n_tensors=1 << 62),
    "more keys than there are": gguf_file([], [], data=4096, n_keys=100),
    "long text": gguf_file([key("k", 8, struct.pack("<Q", 1 << 63))], []),
    "long array": gguf_file([key("k", 9, struct.pack("<IQ", 0, 1 << 60))], []),
    "array of texts": gguf_file([key("k", 9, struct.pack("<IQ", 8, 1 << 22))], [], data=64),
    "array of arrays": gguf_file([key("k", 9, struct.pack("<IQ", 9, 1 << 40))], [], data=64),
    "unknown value": gguf_file([key("k", 13, b"")], []),
    "not utf-8": gguf_file([key("k", 8, struct.pack("<Q", 2) + b"\xff\xff")], []),
    "twice": gguf_file([key("k", 0, b"\0"), key("k", 0, b"\0")], []),
    "flag of 2": gguf_file([key("k", 7, b"\2")], []),
    "alignment 0": gguf_file([key("general.alignment", 4, struct.pack("<I", 0))], []),
    "alignment 48": gguf_file([key("general.alignment", 4, struct.pack("<I", 48))], []),
    "alignment text": gguf_file([key("general.alignment", 8, text("32"))], []),
    "no dimension": gguf_file([], [tensor("t", (), 0, 0)], data=64),
    "five dimensions": gguf_file([], [tensor("t", (1,) * 5, 0, 0)], data=64),
    "dimension 0": gguf_file([], [tensor("t", (0, 4), 0, 0)], data=64),
    "overflow": gguf_file([], [tensor("t", (1 << 32, 1 << 32), 0, 0)], data=64),
    "wrap to 4": gguf_file([], [tensor("t", (1 << 63, 2, 2), 0, 0)], data=64),
    "unknown type": gguf_file([], [tensor("t", (32,), 4, 0)], data=64),
    "broken block": gguf_file([], [tensor("t", (31,), 3, 0)], data=64),
    "beyond the end": gguf_file([], [tensor("t", (1024,), 0, 0)], data=64),
    "unaligned": gguf_file([], [tensor("t", (1,), 0, 4)], data=64),
    "hole": gguf_file([], [tensor("t", (1,), 0, 32)], data=64),
    "overlap": gguf_file([], [tensor("t", (16,), 0, 0), tensor("u", (1,), 0, 32)], data=96),
    "same name": gguf_file([], [tensor("t", (8,), 0, 0), tensor("t", (8,), 0, 32)], data=64),
    "long name": gguf_file([], [tensor("t" * 64, (8,), 0, 0)], data=64),
    "hangs other readers": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("") + b"\x09" * 17,
}


@pytest.mark.parametrize("content", LIES.values(), ids=LIES.keys())
def test_refuses_lies_quickly_and_in_little_memory(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(InvalidModelError) as refusal:
        read_header(path)
    seconds = time.perf_counter() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 0.5
    assert peak < 20e6
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_every_truncation_is_refused(default_model: BaseModel, tmp_path: Path) -> None:
    for length in range(len(SMALL)):
        with pytest.raises(InvalidModelError):
            read_header_bytes(SMALL[:length])
    path = tmp_path / "half.gguf"
    size = default_model.path.stat().st_size
    with default_model.path.open("rb") as model:
        start = model.read(3_000_000)
    for length in (3, 24, 5000, 1_000_000, 3_000_000):
        path.write_bytes(start[:length])
        began = time.perf_counter()
        with pytest.raises(InvalidModelError):
            read_header(path)
        assert time.perf_counter() - began < 2
    path.write_bytes(start)
    os.truncate(path, size - 1)  # complete but for its last byte
    with pytest.raises(InvalidModelError, match="truncated"):
        read_header(path)


def test_millions_of_empty_texts_are_read_in_time_or_refused() -> None:
    count = (4 << 20) + 1
    content = gguf_file([key("k", 9, struct.pack("<IQ", 8, count) + b"\0" * 8 * count)], [])
    began = time.perf_counter()
    with pytest.raises(InvalidModelError, match="elements"):
        read_header_bytes(content)
    assert time.perf_counter() - began < 2


def test_missing_folder_pipe_and_other_files(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        read_header(tmp_path / "nothing.gguf")
    with pytest.raises(InvalidModelError, match="folder"):
        read_header(tmp_path)
    other = tmp_path / "note.txt"
    other.write_text("My notes are no model.")
    with pytest.raises(InvalidModelError, match="not a GGUF"):
        read_header(other)
    if hasattr(os, "mkfifo"):
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        with pytest.raises(InvalidModelError, match="regular"):
            read_header(pipe)


def outcome(content: bytes) -> None:
    began = time.perf_counter()
    try:
        header = read_header_bytes(content)
    except InvalidModelError:
        pass
    else:
        assert isinstance(header, GgufHeader)
        for info in header.tensors.values():
            assert info.offset >= 0 and info.offset + info.nbytes <= len(content)
    assert time.perf_counter() - began < 1


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=6)
)
@example([(8, 255), (15, 255)])
def test_flipped_bytes_never_crash(flips: list[tuple[int, int]]) -> None:
    content = bytearray(SMALL)
    for place, value in flips:
        content[place] = value
    outcome(bytes(content))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_noise_never_crashes(noise: bytes) -> None:
    outcome(noise)
    outcome(b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + noise)


def test_single_flips_in_the_real_header(default_model: BaseModel) -> None:
    with default_model.path.open("rb") as model:
        start = model.read(2500)  # every scalar key and the first tokens
    content = start + b"\0" * 500
    for place in range(0, len(start), 7):
        flipped = bytearray(content)
        flipped[place] ^= 0x80
        outcome(bytes(flipped))
