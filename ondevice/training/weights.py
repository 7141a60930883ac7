"""The base model's weights: memory-mapped, read-only, quantized as they lie in the file.

Matrices of a type that our kernels do not read are converted to F16 once and kept in memory.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ondevice import _kernels
from ondevice._kernels import Weight
from ondevice.errors import TrainingError
from ondevice.models.gguf_header import GgufHeader, TensorInfo
from ondevice.settings import ModelSettings
from ondevice.training.architecture import Architecture, read_architecture
from ondevice.training.rare_types import convert_to_f16, convertible

if TYPE_CHECKING:
    from ondevice._kernels import F32, U8


class Weights:
    """Gives the tensors of one GGUF file to the kernels without copying the matrices.

    Attributes:
        header: the file's checked header.
        architecture: what the header describes.
    """

    def __init__(self, header: GgufHeader, n_ctx: int = ModelSettings.n_ctx) -> None:
        """Map the file that `header` was read from.

        Args:
            header: of the model's file.
            n_ctx: the context in which the model will run; some turn otherwise in long ones.

        Raises:
            TrainingError: the architecture or a tensor type is not supported.
        """
        self.header = header
        self.architecture: Architecture = read_architecture(header, n_ctx)
        for tensor in self._rare_tensors():
            if not convertible(tensor.type):
                raise TrainingError(
                    f"Training does not support the tensor type {tensor.type} (of "
                    f"'{tensor.name}' in {header.path.name}); choose a base model in another "
                    "quantization."
                )
        self._file: U8 = np.memmap(header.path, dtype=np.uint8, mode="r")
        self._matrices: dict[str, Weight] = {}

    def matrix(self, name: str) -> Weight:
        """Return the matrix `name` (outputs, inputs)."""
        if name not in self._matrices:
            tensor = self.header.tensors[name]
            n_in, n_out = tensor.shape
            data, kind = self._bytes(name), tensor.type
            if kind not in _kernels.WEIGHT_TYPES:
                data, kind = convert_to_f16(data, kind, n_out, n_in), "F16"
            self._matrices[name] = Weight(data, kind, n_out, n_in)
        return self._matrices[name]

    def rows(self, name: str, start: int, stop: int) -> Weight:
        """Return the rows `start` to `stop` of the matrix `name`."""
        whole = self.matrix(name)
        return whole if (start, stop) == (0, whole.n) else whole.rows(start, stop)

    def has(self, name: str) -> bool:
        """Whether the file has the tensor `name`."""
        return name in self.header.tensors

    def vector(self, name: str) -> F32:
        """Return a copy of the one-dimensional F32 tensor `name`."""
        return np.frombuffer(self._bytes(name).tobytes(), dtype="<f4").astype(np.float32)

    @property
    def file_bytes(self) -> int:
        """Size of the mapped file."""
        return int(self._file.size)

    @property
    def resident_bytes(self) -> int:
        """Memory that the weights take: the mapped file, and what is converted to F16."""
        converted = sum(math.prod(tensor.shape) for tensor in self._rare_tensors())
        return self.file_bytes + 2 * converted

    def _rare_tensors(self) -> list[TensorInfo]:
        """Return the matrices of types that the kernels do not read."""
        return [
            tensor
            for tensor in self.header.tensors.values()
            if len(tensor.shape) == 2 and tensor.type not in _kernels.WEIGHT_TYPES
        ]

    def _bytes(self, name: str) -> U8:
        tensor = self.header.tensors[name]
        # A plain view: the kernels need not know about memmap, and it keeps the mapping alive.
        return np.asarray(self._file[tensor.offset : tensor.offset + tensor.nbytes])
