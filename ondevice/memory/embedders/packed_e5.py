"""Reads the file that holds multilingual-e5-small: 4-bit weights and vocabulary.

Little-endian: the magic `E5S1`; a header of sizes; of each piece of the vocabulary where it ends,
its score and its text; what becomes of single characters; and a directory of tensors. Matrices
are of 4-bit blocks: for 32 values a half-precision scale `d` and 16 bytes, value = (q - 8) · d,
the first 16 values in the low halves of the bytes, the others in the high ones.

Whoever calls this has checked the file's SHA-256; the bounds are checked all the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ondevice.errors import RecallError

if TYPE_CHECKING:
    import numpy as np

MAGIC = b"E5S1"
BLOCK = 32  # values that share a scale
_HEADER = struct.Struct("<I7ifi5iQ")
_PLACE = struct.Struct("<BIQQ")
_MOST = 1 << 26  # of anything that is counted: a file that says more is damaged
_AGAIN = "get it again"
_ROWS = 8192  # of a matrix in memory at once


@dataclass(frozen=True)
class Sizes:
    """What the header says of the model."""

    hidden: int
    layers: int
    heads: int
    inner: int
    words: int
    positions: int
    epsilon: float


@dataclass(frozen=True)
class Vocabulary:
    """What the tokenizer needs.

    Attributes:
        pieces: in order of their token ids.
        scores: of the pieces: logarithms of how likely they are.
        characters: what stands for a character, by its code point.
        first: the token that begins a text.
        last: the token that ends it.
        unknown: the token of what is in no piece.
    """

    pieces: list[str]
    scores: list[float]
    characters: dict[int, str]
    first: int
    last: int
    unknown: int


@dataclass(frozen=True)
class _Place:
    """Where a tensor lies in the file."""

    offset: int
    size: int


class _Reader:
    """Reads a file from its beginning; whatever lies beyond its end is an error."""

    def __init__(self, path: Path) -> None:
        self.path, self.at = path, 0
        self._file = path.open("rb")

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def take(self, count: int) -> bytes:
        content = self._file.read(count) if 0 <= count <= _MOST else b""
        if len(content) != count:
            raise RecallError(f"{self.path} is damaged: it ends too early; {_AGAIN}.")
        self.at += count
        return content

    def numbers(self, form: struct.Struct) -> tuple[int | float, ...]:
        return form.unpack(self.take(form.size))

    def count(self) -> int:
        (count,) = struct.unpack("<i", self.take(4))
        if not 0 <= count <= _MOST:
            raise RecallError(
                f"{self.path} is damaged: it says that it has {count} parts; {_AGAIN}."
            )
        return int(count)


def read_vocabulary(path: Path) -> Vocabulary:
    """Return the vocabulary of the file at `path`, of which the beginning is enough.

    Raises:
        RecallError: it is damaged.
        OSError: it cannot be read.
    """
    with _Reader(path) as file:
        _, n_pieces, special, size = _header(file)
        ends = struct.unpack(f"<{n_pieces + 1}I", file.take(4 * (n_pieces + 1)))
        scores = struct.unpack(f"<{n_pieces}f", file.take(4 * n_pieces))
        text = file.take(size)
        characters = _characters(file)
    pieces = [text[ends[n] : ends[n + 1]].decode("utf-8", "replace") for n in range(n_pieces)]
    first, last, _, unknown = special
    return Vocabulary(pieces, list(scores), characters, first, last, unknown)


def _header(file: _Reader) -> tuple[Sizes, int, tuple[int, int, int, int], int]:
    """Return the sizes, the number of pieces, the special tokens, and the bytes of all pieces."""
    if file.take(len(MAGIC)) != MAGIC:
        raise RecallError(f"{file.path} does not hold multilingual-e5-small; {_AGAIN}.")
    _, hidden, layers, heads, inner, words, positions, _, epsilon, _, *rest = file.numbers(_HEADER)
    n_pieces, first, last, pad, unknown, size = (int(number) for number in rest)
    if not 0 < n_pieces <= _MOST:
        raise RecallError(
            f"{file.path} is damaged: it says that it has {n_pieces} pieces; {_AGAIN}."
        )
    sizes = Sizes(
        int(hidden), int(layers), int(heads), int(inner), int(words), int(positions), epsilon
    )
    return sizes, n_pieces, (first, last, pad, unknown), size


def _characters(file: _Reader) -> dict[int, str]:
    count, size = file.count(), int.from_bytes(file.take(4), "little")
    content = file.take(size)
    characters: dict[int, str] = {}
    at = 0
    try:
        for _ in range(count):
            code, length = struct.unpack_from("<IB", content, at)
            codes = struct.unpack_from(f"<{length}I", content, at + 5)
            characters[code] = "".join(map(chr, codes))
            at += 5 + 4 * length
    except (struct.error, ValueError, OverflowError) as error:
        raise RecallError(f"{file.path} is damaged: its characters are none; {_AGAIN}.") from error
    return characters


class PackedModel:
    """The weights in the file at `path`, read piece by piece when they are asked for."""

    def __init__(self, path: Path) -> None:
        """Read the header and the directory.

        Raises:
            RecallError: the file is damaged.
            OSError: it cannot be read.
        """
        self.path = path
        self._places: dict[str, _Place] = {}
        length = path.stat().st_size
        with _Reader(path) as file:
            self.sizes, n_pieces, _, size = _header(file)
            file.take(4 * (2 * n_pieces + 1))
            file.take(size)
            _characters(file)
            self.vocabulary_end = file.at
            for _ in range(file.count()):
                name = file.take(int.from_bytes(file.take(2), "little")).decode("utf-8", "replace")
                _, _, offset, count = (int(number) for number in file.numbers(_PLACE))
                if offset + count > length:
                    raise RecallError(f"{path} is damaged: '{name}' lies beyond its end; {_AGAIN}.")
                self._places[name] = _Place(offset, count)

    def plain(self, name: str) -> np.ndarray:
        """Return the float32 values of a tensor."""
        import numpy as np

        place = self._place(name)
        return np.fromfile(self.path, "<f4", place.size // 4, offset=place.offset)

    def nibbles(self, name: str, columns: int) -> Iterator[np.ndarray]:
        """Yield a matrix some rows at a time: uint8, two neighbouring values a byte, low first."""
        import numpy as np

        for blocks in self._blocks(name, columns):
            even, odd = blocks["q"][..., 0::2], blocks["q"][..., 1::2]
            # The first 16 values are the low halves, the other 16 the high ones.
            packed = np.concatenate([(even & 15) | (odd << 4), (even >> 4) | (odd & 0xF0)], axis=-1)
            yield packed.reshape(len(blocks), -1)

    def scales(self, name: str, columns: int) -> Iterator[np.ndarray]:
        """Yield the scales of a matrix some rows at a time, float16."""
        for blocks in self._blocks(name, columns):
            yield blocks["d"]

    def _blocks(self, name: str, columns: int) -> Iterator[np.ndarray]:
        import numpy as np

        place, form = self._place(name), np.dtype([("d", "<f2"), ("q", "u1", BLOCK // 2)])
        a_row = columns // BLOCK
        n_blocks = place.size // form.itemsize
        for first in range(0, n_blocks, _ROWS * a_row):
            count = min(_ROWS * a_row, n_blocks - first)
            offset = place.offset + first * form.itemsize
            yield np.fromfile(self.path, form, count, offset=offset).reshape(-1, a_row)

    def _place(self, name: str) -> _Place:
        if name not in self._places:
            raise RecallError(f"{self.path} is damaged: '{name}' is missing; {_AGAIN}.")
        return self._places[name]
