"""The weights of multilingual-e5-small as ONNX Runtime takes them, and the file of them.

The graph (`memory/data/e5-small.onnx`, written by `tools/make_e5_graph.py`) names the tensors of
this file with their places; both follow from the order here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ondevice.memory.embedders.packed_e5 import BLOCK, PackedModel

if TYPE_CHECKING:
    import numpy as np

DATA_FILE = "e5-small.data"  # as the graph calls it
_LARGE = 65_536  # such tensors begin where a page of any system begins, so that they are mapped
_SMALL_STEP = 64


@dataclass(frozen=True)
class Tensor:
    """One tensor: `rows` yields its values, some rows at a time."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    rows: Callable[[], Iterator[np.ndarray]]

    @property
    def size(self) -> int:
        """Bytes of the tensor."""
        import numpy as np

        count = 1
        for length in self.shape:
            count *= length
        return count * np.dtype(self.dtype).itemsize


def tensors(model: PackedModel) -> Iterator[Tensor]:
    """Yield all tensors in the order of the data file."""
    sizes = model.sizes
    a_row = sizes.hidden // BLOCK
    yield Tensor(
        "word",
        "u1",
        (sizes.words, sizes.hidden // 2),
        lambda: model.nibbles("emb.word", sizes.hidden),
    )
    yield Tensor(
        "word.scales", "<f2", (sizes.words, a_row), lambda: model.scales("emb.word", sizes.hidden)
    )
    yield Tensor("position", "<f4", (sizes.positions, sizes.hidden), lambda: _positions(model))
    for end in ("w", "b"):
        yield _plain(model, f"norm.{end}", (f"emb.ln.{end}",), sizes.hidden)
    for layer in range(sizes.layers):
        yield from _layer(model, f"l{layer}.")


def _layer(model: PackedModel, at: str) -> Iterator[Tensor]:
    """Yield what one layer needs: attention and a feed-forward part, each with its norm."""
    hidden, inner = model.sizes.hidden, model.sizes.inner
    attention = (f"{at}q", f"{at}k", f"{at}v")
    yield from _matrix(model, f"{at}qkv", attention, 3 * hidden, hidden)
    yield _plain(model, f"{at}qkv.b", tuple(f"{name}.b" for name in attention), 3 * hidden)
    yield from _matrix(model, f"{at}ao", (f"{at}ao",), hidden, hidden)
    yield from _matrix(model, f"{at}fi", (f"{at}fi",), inner, hidden)
    yield from _matrix(model, f"{at}fo", (f"{at}fo",), hidden, inner)
    for name in ("ao.b", "aln.w", "aln.b", "fo.b", "oln.w", "oln.b"):
        yield _plain(model, at + name, (at + name,), hidden)
    yield _plain(model, f"{at}fi.b", (f"{at}fi.b",), inner)


def _matrix(
    model: PackedModel, name: str, parts: tuple[str, ...], rows: int, columns: int
) -> Iterator[Tensor]:
    """Yield the nibbles and scales of some matrices below each other."""
    blocks = columns // BLOCK

    def nibbles() -> Iterator[np.ndarray]:
        for part in parts:
            yield from model.nibbles(f"{part}.w", columns)

    def scales() -> Iterator[np.ndarray]:
        for part in parts:
            for some in model.scales(f"{part}.w", columns):
                yield some.astype("<f4")

    yield Tensor(f"{name}.w", "u1", (rows, blocks, BLOCK // 2), nibbles)
    yield Tensor(f"{name}.scales", "<f4", (rows * blocks,), scales)


def _plain(model: PackedModel, name: str, parts: tuple[str, ...], count: int) -> Tensor:
    return Tensor(name, "<f4", (count,), lambda: (model.plain(part) for part in parts))


def _positions(model: PackedModel) -> Iterator[np.ndarray]:
    """Yield the vectors of the places in a text; that of the one kind of text is added to each."""
    hidden = model.sizes.hidden
    yield model.plain("emb.pos").reshape(-1, hidden) + model.plain("emb.type")[:hidden]


def place_of(tensor: Tensor, free: int) -> int:
    """Return where `tensor` begins in the file whose first free byte is `free`."""
    step = _LARGE if tensor.size >= _LARGE else _SMALL_STEP
    return -(-free // step) * step


def write_data(model: PackedModel, file: BinaryIO) -> None:
    """Write the tensors of `model` to `file`, which is empty."""
    written = 0
    for tensor in tensors(model):
        begin = place_of(tensor, written)
        file.write(b"\0" * (begin - written))
        for some in tensor.rows():
            file.write(some.tobytes())
        written = begin + tensor.size


def data_path(folder: Path) -> Path:
    """Return where the data file is in `folder`."""
    return folder / DATA_FILE
