"""ggml through ctypes: it quantizes, and its `out_prod` is the peer of our input gradient.

As a program it measures both on one matrix and prints JSON, for `training.py`:

    python benchmarks/ggml_peer.py [--type Q4_K] [--n 2048] [--k 2048] [--tokens 512]
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from ondevice import _kernels


class _InitParams(ctypes.Structure):
    _fields_ = (
        ("mem_size", ctypes.c_size_t),
        ("mem_buffer", ctypes.c_void_p),
        ("no_alloc", ctypes.c_bool),
    )


def _library(name: str) -> ctypes.CDLL:
    """Open one of the shared libraries that llama-cpp-python brings along."""
    package = find_spec("llama_cpp")
    assert package is not None and package.origin is not None
    return ctypes.CDLL(str(next(Path(package.origin).parent.glob(f"lib/*{name}.*"))))


def _function(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments
    return function


_POINTER, _INT, _LONG = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64


def quantize(kind: str, values: np.ndarray) -> np.ndarray:
    """Return the float32 rows (n, k) as bytes (n, row bytes) of the tensor type `kind`."""
    n, k = values.shape
    ggml_type = gguf.GGMLQuantizationType[kind]
    block, block_bytes = gguf.GGML_QUANT_SIZES[ggml_type]
    data = np.zeros((n, k // block * block_bytes), np.uint8)
    importance = np.ones(k, np.float32)
    call = _function(
        _library("ggml-base"), "ggml_quantize_chunk", ctypes.c_size_t,
        _INT, _POINTER, _POINTER, _LONG, _LONG, _LONG, _POINTER,
    )  # fmt: skip
    call(ggml_type.value, values.ctypes.data, data.ctypes.data, 0, n, k, importance.ctypes.data)
    return data


class OutProd:
    """dX (tokens, k) = dY (tokens, n) · W (n, k), as a graph of ggml's with one node."""

    def __init__(self, kind: str, weight: np.ndarray, k: int, dy: np.ndarray) -> None:
        """Copy the operands into ggml's memory."""
        base, cpu = _library("ggml-base"), _library("ggml-cpu")
        _function(cpu, "ggml_cpu_init", None)()
        tensor = _function(base, "ggml_new_tensor_2d", _POINTER, _POINTER, _INT, _LONG, _LONG)
        data = _function(base, "ggml_get_data", _POINTER, _POINTER)
        self._compute = _function(
            cpu, "ggml_graph_compute_with_ctx", _INT, _POINTER, _POINTER, _INT
        )
        n, (self.tokens, self.k) = len(weight), (len(dy), k)
        room = 2 * (weight.nbytes + dy.nbytes + 4 * self.tokens * k) + (64 << 20)
        init = _function(base, "ggml_init", _POINTER, _InitParams)
        self._context = init(_InitParams(room, None, False))
        w = tensor(self._context, gguf.GGMLQuantizationType[kind].value, k, n)
        g = tensor(self._context, gguf.GGMLQuantizationType.F32.value, n, self.tokens)
        ctypes.memmove(data(w), weight.ctypes.data, weight.nbytes)
        ctypes.memmove(data(g), dy.ctypes.data, dy.nbytes)
        turned = _function(base, "ggml_transpose", _POINTER, _POINTER, _POINTER)(self._context, g)
        node = _function(base, "ggml_out_prod", _POINTER, _POINTER, _POINTER, _POINTER)(
            self._context, w, turned
        )
        self._graph = _function(base, "ggml_new_graph", _POINTER, _POINTER)(self._context)
        _function(base, "ggml_build_forward_expand", None, _POINTER, _POINTER)(self._graph, node)
        self._result = data(node)
        self._data = data
        self._node = node

    def __call__(self, threads: int) -> np.ndarray:
        """Compute and return dX."""
        status = self._compute(self._context, self._graph, threads)
        assert status == 0, f"ggml_graph_compute_with_ctx returned {status}"
        values = (ctypes.c_float * (self.tokens * self.k)).from_address(self._data(self._node))
        return np.frombuffer(values, np.float32).reshape(self.tokens, self.k)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--type", default="Q4_K")
    parser.add_argument("--n", type=int, default=2048)
    parser.add_argument("--k", type=int, default=2048)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()

    random = np.random.default_rng(0)
    n, k = options.n, options.k
    rows = quantize(options.type, random.standard_normal((n, k), np.float32))
    dy = random.standard_normal((options.tokens, n), np.float32)
    weight = _kernels.Weight(rows.reshape(-1), options.type, n, k)
    ours = np.empty((options.tokens, k), np.float32)
    theirs = OutProd(options.type, rows, k, dy)
    threads = os.cpu_count() or 1
    seconds: dict[str, float] = {"ours": np.inf, "out_prod": np.inf}
    for _ in range(options.runs + 1):
        began = time.perf_counter()
        _kernels.linear_backward(dy, weight, ours)
        between = time.perf_counter()
        result = theirs(threads)
        ended = time.perf_counter()
        seconds["ours"] = min(seconds["ours"], between - began)
        seconds["out_prod"] = min(seconds["out_prod"], ended - between)
    difference = float(np.linalg.norm(ours - result) / np.linalg.norm(result))
    assert difference < 0.02, f"the two products differ by {difference:.3f}"
    work = 2e-9 * options.tokens * n * k
    print(json.dumps({name: round(work / value, 1) for name, value in seconds.items()}))


if __name__ == "__main__":
    main()
