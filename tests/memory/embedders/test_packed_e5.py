"""The file of the multilingual model, on a small one made here: what it says, and damage."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from ondevice.errors import RecallError
from ondevice.memory.embedders.packed_e5 import PackedModel, read_vocabulary

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁a", "é"]
HIDDEN, WORDS = 64, 6


def packed(path: Path) -> np.ndarray:
    """Write a file with one matrix and one vector; return the matrix."""
    texts = [piece.encode() for piece in PIECES]
    blob = b"".join(texts)
    ends = np.cumsum([0, *map(len, texts)]).astype("<u4")
    head = b"E5S1" + struct.pack(
        "<I7ifi5iQ", 1, HIDDEN, 0, 4, 128, WORDS, 16, 1, 1e-12, 32, len(PIECES), 0, 2, 1, 3,
        len(blob),
    )  # fmt: skip
    head += ends.tobytes() + np.arange(len(PIECES), dtype="<f4").tobytes() + blob
    rules = struct.pack("<IB2I", 0xFB01, 2, ord("f"), ord("i")) + struct.pack("<IB", 0x200B, 0)
    head += struct.pack("<iI", 2, len(rules)) + rules
    numbers = np.random.default_rng(3)
    q = numbers.integers(0, 16, (WORDS, HIDDEN // 32, 32)).astype(np.uint8)
    scales = numbers.random((WORDS, HIDDEN // 32)).astype("<f2")
    blocks = np.zeros(q.shape[:2], np.dtype([("d", "<f2"), ("q", "u1", 16)]))
    blocks["d"], blocks["q"] = scales, q[..., :16] | (q[..., 16:] << 4)
    tensors = {"emb.word": blocks.tobytes(), "emb.ln.w": np.arange(4, dtype="<f4").tobytes()}
    offset = len(head) + 4 + sum(2 + len(name) + 21 for name in tensors)
    directory = struct.pack("<i", len(tensors))
    for name, content in tensors.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", 0, 0, offset, len(content))
        offset += len(content)
    path.write_bytes(head + directory + b"".join(tensors.values()))
    return (q.astype(np.float32) - 8) * scales.astype(np.float32)[..., np.newaxis]


def test_the_vocabulary_and_its_characters_are_read(tmp_path: Path) -> None:
    path = tmp_path / "small.bin"
    packed(path)
    for content in (path.read_bytes(), path.read_bytes()[: PackedModel(path).vocabulary_end]):
        path.write_bytes(content)  # its beginning alone is enough
        vocabulary = read_vocabulary(path)
        assert vocabulary.pieces == PIECES
        assert vocabulary.scores == [0, 1, 2, 3, 4, 5]
        assert vocabulary.characters == {0xFB01: "fi", 0x200B: ""}
        assert (vocabulary.first, vocabulary.last, vocabulary.unknown) == (0, 2, 3)


def test_neighbouring_values_share_a_byte_after_repacking(tmp_path: Path) -> None:
    path = tmp_path / "small.bin"
    matrix = packed(path)
    model = PackedModel(path)
    nibbles = np.concatenate(list(model.nibbles("emb.word", HIDDEN)))
    scales = np.concatenate(list(model.scales("emb.word", HIDDEN)))
    values = np.stack([nibbles & 15, nibbles >> 4], axis=-1).reshape(WORDS, HIDDEN // 32, 32)
    again = (values.astype(np.float32) - 8) * scales.astype(np.float32)[..., np.newaxis]
    np.testing.assert_array_equal(again, matrix)
    np.testing.assert_array_equal(model.plain("emb.ln.w"), np.arange(4))


def test_a_file_that_is_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.bin"
    packed(path)
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(RecallError):
            PackedModel(path)


@pytest.mark.parametrize("value", [b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\0"])
def test_lengths_that_lie_end_in_a_sentence(tmp_path: Path, value: bytes) -> None:
    path = tmp_path / "small.bin"
    packed(path)
    content, end = path.read_bytes(), PackedModel(path).vocabulary_end + 60
    for at in range(0, end, 4):
        path.write_bytes(content[:at] + value + content[at + 4 :])
        try:
            model = PackedModel(path)
            list(model.nibbles("emb.word", HIDDEN))
            read_vocabulary(path)
        except RecallError as error:
            assert str(path) in str(error)
