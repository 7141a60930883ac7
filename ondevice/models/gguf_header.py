"""A bounded reader for GGUF headers.

Every GGUF passes here before llama.cpp or any other parser sees it, because
those trust what a file says about itself. Nothing is allocated or looped over
on the word of the file: each count and length is first compared with the bytes
that are left, and with limits far above any real model.

The layout: magic, version, tensor count, key count; then the keys, each a
string, a type and a value; then the tensor descriptions, each a name, a shape,
a type and an offset; then, aligned, the tensor data.
"""

from __future__ import annotations

import io
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ondevice.errors import InvalidModelError, ModelNotFoundError, explain

# ggml type id -> (name, elements in a block, bytes of a block)
TENSOR_TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
}

MAX_HEADER_BYTES = 128 << 20
MAX_KEYS = 1 << 16
MAX_TENSORS = 1 << 16
MAX_ARRAY_ELEMENTS = 4 << 20  # over all arrays; the largest vocabularies need about 1.5 million
MAX_NAME_BYTES = 63  # what ggml stores of a tensor's name
MAX_ALIGNMENT = 1 << 20
MAX_ELEMENTS = 1 << 48  # of one tensor; also keeps every product far from 64-bit overflow
DEFAULT_ALIGNMENT = 32

_STRING, _ARRAY = 8, 9
# GGUF value type id -> struct code
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"}
_SCALARS[12] = "d"


@dataclass(frozen=True)
class TensorInfo:
    """Where one tensor lies in the file.

    Attributes:
        name: the tensor's name, for example "blk.0.attn_q.weight".
        shape: the dimensions in ggml's order, inputs first.
        type: the ggml type's name, for example "Q4_1".
        offset: position of the first byte, counted from the start of the file.
        nbytes: length in bytes.
    """

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    nbytes: int


@dataclass(frozen=True)
class GgufHeader:
    """Everything a GGUF file says before its tensor data.

    Array values in `metadata` are lists. Text in arrays that is not UTF-8 is
    kept with surrogate escapes, because some vocabularies hold lone bytes.
    `kinds` has the GGUF value type of each key, for readers that are strict.
    """

    path: Path
    version: int
    metadata: Mapping[str, object]
    tensors: Mapping[str, TensorInfo]
    alignment: int
    data_offset: int
    kinds: Mapping[str, int] = field(default_factory=dict)

    @property
    def architecture(self) -> str:
        """The value of `general.architecture`, or "" if the file has none."""
        value = self.metadata.get("general.architecture")
        return value if isinstance(value, str) else ""


def read_header(path: Path) -> GgufHeader:
    """Read and check the header of the GGUF file at `path`.

    Raises:
        ModelNotFoundError: there is no file at `path`.
        InvalidModelError: it is not a regular file, not a GGUF, truncated, or its header lies.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelNotFoundError(f"There is no file {path}; check the path.") from error
    except OSError as error:
        raise InvalidModelError(f"{path} cannot be read: {explain(error)}.") from error
    except ValueError as error:  # a zero byte in the name
        raise ModelNotFoundError("That cannot be the path of a file; check it.") from error
    if stat.S_ISDIR(status.st_mode):
        raise InvalidModelError(f"{path} is a folder; give the path of a .gguf file in it.")
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        raise InvalidModelError(f"{path} is not a regular file; give the path of a .gguf file.")
    try:
        with path.open("rb") as file:
            return _parse(file, status.st_size, path)
    except OSError as error:
        raise InvalidModelError(f"{path} cannot be read: {explain(error)}.") from error


def read_header_bytes(content: bytes, name: str = "<memory>") -> GgufHeader:
    """Read and check the header of a GGUF held in memory; `name` stands in for its path.

    Raises:
        InvalidModelError: it is not a GGUF, truncated, or its header lies.
    """
    return _parse(io.BytesIO(content), len(content), Path(name))


class _Reader:
    """Reads the header's parts, never past the end of the file or of the limits."""

    def __init__(self, file: BinaryIO, size: int, path: Path) -> None:
        self.file = file
        self.path = path
        self.size = size
        self.position = 0
        self.limit = min(size, MAX_HEADER_BYTES)
        self.elements_left = MAX_ARRAY_ELEMENTS

    def fail(self, what: str) -> InvalidModelError:
        return InvalidModelError(
            f"{self.path} is not a usable GGUF file: {what}; get the file again from its source."
        )

    def room_for(self, length: int, what: str) -> None:
        if length > self.limit - self.position:
            if self.position + length > self.size:
                raise self.fail(f"{what} would end after the file's {self.size} bytes")
            raise self.fail(f"its header is longer than {MAX_HEADER_BYTES} bytes")

    def take(self, length: int, what: str) -> bytes:
        self.room_for(length, what)
        content = self.file.read(length)
        if len(content) != length:
            raise self.fail(f"{what} could not be read completely")
        self.position += length
        return content

    def number(self, code: str, what: str) -> int:
        value: int = struct.unpack("<" + code, self.take(struct.calcsize(code), what))[0]
        return value

    def text(self, what: str, longest: int = MAX_HEADER_BYTES) -> str:
        length = self.number("Q", what)
        if length > longest:
            raise self.fail(f"{what} claims to be {length} bytes long")
        try:
            return self.take(length, what).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.fail(f"{what} is not UTF-8") from error

    def value(self, kind: int, what: str) -> object:
        if kind == _STRING:
            return self.text(what)
        if kind == _ARRAY:
            return self.array(what)
        if kind == 7:  # a byte other than 0 and 1 is not a truth value
            return self.truth(self.take(1, what), what)[0]
        if kind not in _SCALARS:
            raise self.fail(f"{what} has the unknown value type {kind}")
        return self.number(_SCALARS[kind], what)

    def truth(self, content: bytes, what: str) -> list[bool]:
        if content.strip(b"\x00\x01"):
            raise self.fail(f"{what} holds a truth value that is neither 0 nor 1")
        return [byte == 1 for byte in content]

    def array(self, what: str) -> list[object]:
        kind = self.number("I", what)
        count = self.number("Q", what)
        if kind != _STRING and kind not in _SCALARS:
            raise self.fail(f"{what} is an array of the unsupported value type {kind}")
        if count > self.elements_left:
            raise self.fail(f"{what} claims {count} elements")
        self.elements_left -= count
        if kind == _STRING:
            return self.texts(count, what)
        code = _SCALARS[kind]
        content = self.take(count * struct.calcsize(code), what)
        if kind == 7:
            return list(self.truth(content, what))
        return list(struct.unpack(f"<{count}{code}", content))

    def texts(self, count: int, what: str) -> list[object]:
        self.room_for(8 * count, what)  # each has at least its length
        strings: list[object] = []
        read, unpack, limit, position = (
            self.file.read,
            struct.Struct("<Q").unpack,
            self.limit,
            self.position,
        )
        for _ in range(count):  # the hot loop of the whole check: local names, no calls of ours
            head = read(8)
            if len(head) != 8:
                raise self.fail(f"{what} would end after the file's {self.size} bytes")
            length = unpack(head)[0]
            position += 8 + length
            if position > limit:
                raise self.fail(f"{what} holds a text that claims {length} bytes")
            strings.append(read(length).decode("utf-8", "surrogateescape"))
        self.position = position
        if self.file.tell() != position:
            raise self.fail(f"{what} could not be read completely")
        return strings


def _parse(file: BinaryIO, size: int, path: Path) -> GgufHeader:
    reader = _Reader(file, size, path)
    magic = file.read(4)
    reader.position = len(magic)
    if magic != b"GGUF":
        raise InvalidModelError(
            f"{path} is not a GGUF file (it does not begin with 'GGUF'); give a model file "
            "whose name ends in .gguf."
        )
    version = reader.number("I", "the version")
    if version not in (2, 3):
        if version in (2 << 24, 3 << 24):
            raise reader.fail("it is big-endian, which is not supported")
        raise reader.fail(f"its version is {version}, but only 2 and 3 are supported")
    n_tensors = reader.number("Q", "the tensor count")
    n_keys = reader.number("Q", "the key count")
    # The shortest key takes 8 + 1 + 4 + 1 bytes, the shortest tensor 8 + 1 + 4 + 8 + 4 + 8.
    if n_keys > MAX_KEYS or n_keys * 14 > size:
        raise reader.fail(f"it claims {n_keys} metadata keys")
    if n_tensors > MAX_TENSORS or n_tensors * 33 > size:
        raise reader.fail(f"it claims {n_tensors} tensors")
    metadata, kinds = _read_metadata(reader, n_keys)
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or not 0 < alignment <= MAX_ALIGNMENT:
        raise reader.fail("its alignment is not a usable number")
    if alignment & (alignment - 1):
        raise reader.fail(f"its alignment {alignment} is not a power of two")
    relative = [_read_tensor(reader, alignment) for _ in range(n_tensors)]
    data_offset = -(-reader.position // alignment) * alignment
    tensors = _place(reader, relative, data_offset, alignment)
    return GgufHeader(path, version, metadata, tensors, alignment, data_offset, kinds)


def _read_metadata(reader: _Reader, n_keys: int) -> tuple[dict[str, object], dict[str, int]]:
    """Return each key's value and its GGUF value type."""
    metadata: dict[str, object] = {}
    kinds: dict[str, int] = {}
    for index in range(n_keys):
        key = reader.text(f"the name of key {index}", longest=65535)
        if not key or not key.isprintable():
            raise reader.fail(f"the name of key {index} is empty or not printable")
        if key in metadata:
            raise reader.fail(f"the key '{key[:80]}' appears twice")
        kind = reader.number("I", f"the type of key '{key[:80]}'")
        metadata[key] = reader.value(kind, f"the value of key '{key[:80]}'")
        kinds[key] = kind
    return metadata, kinds


def _read_tensor(reader: _Reader, alignment: int) -> TensorInfo:
    """Read one tensor description; its offset still counts from the start of the data."""
    name = reader.text("a tensor's name", longest=MAX_NAME_BYTES)
    if not name or not name.isprintable():
        raise reader.fail("a tensor's name is empty or not printable")
    n_dims = reader.number("I", f"the shape of tensor '{name}'")
    if not 1 <= n_dims <= 4:
        raise reader.fail(f"tensor '{name}' claims {n_dims} dimensions")
    shape = tuple(reader.number("Q", f"the shape of tensor '{name}'") for _ in range(n_dims))
    elements = 1
    for size in shape:
        elements *= size
        if not 0 < size <= MAX_ELEMENTS or elements > MAX_ELEMENTS:
            raise reader.fail(f"tensor '{name}' claims an impossible shape")
    type_id = reader.number("I", f"the type of tensor '{name}'")
    if type_id not in TENSOR_TYPES:
        raise reader.fail(f"tensor '{name}' has the unknown type {type_id}")
    type_name, block, block_bytes = TENSOR_TYPES[type_id]
    if shape[0] % block:
        raise reader.fail(
            f"the rows of tensor '{name}' are not a whole number of {type_name} blocks"
        )
    offset = reader.number("Q", f"the offset of tensor '{name}'")
    if offset % alignment:
        raise reader.fail(f"tensor '{name}' is not aligned")
    return TensorInfo(name, shape, type_name, offset, elements // block * block_bytes)


def _place(
    reader: _Reader, relative: list[TensorInfo], data_offset: int, alignment: int
) -> dict[str, TensorInfo]:
    """Check that the tensors follow each other inside the file; return them by name."""
    tensors: dict[str, TensorInfo] = {}
    expected = 0  # GGUF lays tensors one behind the other in the order of their descriptions
    for tensor in relative:
        if tensor.name in tensors:
            raise reader.fail(f"the tensor '{tensor.name}' appears twice")
        if tensor.offset != expected:
            raise reader.fail(f"tensor '{tensor.name}' is not where it must be")
        start = data_offset + tensor.offset
        if start + tensor.nbytes > reader.size:
            raise reader.fail(
                f"tensor '{tensor.name}' would end after the file's {reader.size} bytes, "
                "so the file is truncated or its header lies"
            )
        expected += -(-tensor.nbytes // alignment) * alignment
        tensors[tensor.name] = TensorInfo(
            tensor.name, tensor.shape, tensor.type, start, tensor.nbytes
        )
    return tensors
