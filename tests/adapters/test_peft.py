"""PEFT folders: what they say is what llama.cpp computes, and nothing else gets past the reader.

The reference is PEFT's forward pass in numpy: y = W x + s · B (A x). Whether PEFT itself agrees is
measured by `benchmarks/peft_round_trip.py`, which needs torch.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ondevice.adapters.gguf_lora import LoraAdapter, LoraPair, read_adapter, write_adapter
from ondevice.adapters.peft import CONFIG, WEIGHTS, read_peft, write_peft
from ondevice.adapters.safetensors import read_safetensors, write_safetensors
from ondevice.cli import run
from ondevice.errors import AdapterError
from ondevice.models.base_model import BaseModel
from ondevice.models.gguf_header import GgufHeader, TensorInfo

Float32 = NDArray[np.float32]

HEADS, GROUPS, D, WIDTH, FF, BLOCKS = 4, 2, 6, 20, 28, 2
ROWS = {"q": HEADS * D, "k": GROUPS * D, "v": GROUPS * D, "gate": FF, "up": FF}
SEPARATE = {"attn_q": "q", "attn_k": "k", "attn_v": "v", "ffn_gate": "gate", "ffn_up": "up"}
LAYOUTS: dict[str, tuple[str, bool, bool]] = {  # architecture, fused qkv, fused gate and up
    "llama": ("llama", False, False),
    "llama with one qkv": ("llama", True, False),
    "granite": ("granite", False, False),
    "smollm3": ("smollm3", False, False),
    "qwen2": ("qwen2", False, False),
    "qwen3": ("qwen3", False, False),
    "qwen3 with one qkv": ("qwen3", True, False),
    "gemma3": ("gemma3", False, False),
    "phi3": ("phi3", True, True),
    "phi3 apart": ("phi3", False, True),
}


def shapes(fused_qkv: bool, fused_gate_up: bool) -> dict[str, tuple[int, int]]:
    """(in, out) of each matrix of a block in a GGUF."""
    qkv = ("attn_q", "attn_k", "attn_v")
    found = {name: (WIDTH, ROWS[part]) for name, part in SEPARATE.items()}
    if fused_qkv:
        found = {name: shape for name, shape in found.items() if name not in qkv}
        found["attn_qkv"] = (WIDTH, sum(ROWS[part] for part in "qkv"))
    if fused_gate_up:
        del found["ffn_gate"]
        found["ffn_up"] = (WIDTH, 2 * FF)
    return {**found, "attn_output": (HEADS * D, WIDTH), "ffn_down": (FF, WIDTH)}


def base_of(layout: str) -> GgufHeader:
    architecture, fused_qkv, fused_gate_up = LAYOUTS[layout]
    tensors = {}
    for i in range(BLOCKS):
        for name, shape in shapes(fused_qkv, fused_gate_up).items():
            full = f"blk.{i}.{name}.weight"
            tensors[full] = TensorInfo(full, shape, "F32", 0, 4 * shape[0] * shape[1])
    metadata = {
        "general.architecture": architecture,
        f"{architecture}.attention.head_count": HEADS,
        f"{architecture}.attention.head_count_kv": GROUPS,
    }
    return GgufHeader(Path("base.gguf"), 3, metadata, tensors, 32, 0)


def random_adapter(base: GgufHeader, ranks: tuple[int, ...] = (3,)) -> LoraAdapter:
    random = np.random.default_rng(4)
    tensors = {}
    for index, (name, info) in enumerate(base.tensors.items()):
        n_in, n_out = info.shape
        rank = ranks[index % len(ranks)]
        a, b = random.standard_normal((rank, n_in)), random.standard_normal((n_out, rank))
        tensors[name] = LoraPair(a.astype(np.float32), b.astype(np.float32))
    return LoraAdapter(base.architecture, 5.0, tensors)


def gguf_deltas(adapter: LoraAdapter) -> dict[str, Float32]:
    """What llama.cpp adds to each matrix."""
    return {n: p.b @ p.a * np.float32(adapter.alpha / p.rank) for n, p in adapter.tensors.items()}


def peft_deltas(folder: Path) -> dict[str, Float32]:
    """What PEFT adds to each matrix, by module."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    tensors = read_safetensors(folder / WEIGHTS)
    deltas = {}
    for key, a in tensors.items():
        if ".lora_A." not in key:
            continue
        module = key.removeprefix("base_model.model.model.").removesuffix(".lora_A.weight")
        b = tensors[key.replace("lora_A", "lora_B")]
        rank = config["rank_pattern"].get(module, config["r"])
        alpha = config["alpha_pattern"].get(module, config["lora_alpha"])
        assert a.shape[0] == rank
        scale = alpha / math.sqrt(rank) if config["use_rslora"] else alpha / rank
        deltas[module] = b @ a * np.float32(scale)
    return deltas


def parts_of_gguf(base: GgufHeader, deltas: dict[str, Float32]) -> dict[str, Float32]:
    """The deltas of the seven layers, with rows as in Hugging Face's models."""
    found = {}
    for i in range(BLOCKS):
        block = {
            name.split(".")[2]: delta
            for name, delta in deltas.items()
            if name.startswith(f"blk.{i}.")
        }
        if "attn_qkv" in block:
            ends = np.cumsum([ROWS["q"], ROWS["k"]])
            block |= dict(
                zip(("attn_q", "attn_k", "attn_v"), np.split(block.pop("attn_qkv"), ends),
                    strict=True)
            )  # fmt: skip
        if "ffn_up" in block and len(block["ffn_up"]) == 2 * FF:
            block["ffn_gate"], block["ffn_up"] = np.split(block["ffn_up"], 2)
        if base.architecture in ("llama", "granite", "smollm3"):
            for name, heads in (("attn_q", HEADS), ("attn_k", GROUPS)):
                moved = block[name].copy()
                for head in range(heads):
                    for pair in range(D // 2):  # neighbours there, half a head apart here
                        start = head * D
                        moved[start + pair] = block[name][start + 2 * pair]
                        moved[start + D // 2 + pair] = block[name][start + 2 * pair + 1]
                block[name] = moved
        found |= {f"layers.{i}.{name}": delta for name, delta in block.items()}
    return found


def parts_of_peft(deltas: dict[str, Float32]) -> dict[str, Float32]:
    names = {
        "q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output",
        "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down",
    }  # fmt: skip
    found = {}
    for module, delta in deltas.items():
        layers, i, _, leaf = module.split(".")
        if leaf == "qkv_proj":
            q, k, v = np.split(delta, np.cumsum([ROWS["q"], ROWS["k"]]))
            pieces = {"attn_q": q, "attn_k": k, "attn_v": v}
        elif leaf == "gate_up_proj":
            pieces = dict(zip(("ffn_gate", "ffn_up"), np.split(delta, 2), strict=True))
        else:
            pieces = {names[leaf]: delta}
        found |= {f"{layers}.{i}.{name}": piece for name, piece in pieces.items()}
    return found


def assert_same(one: dict[str, Float32], other: dict[str, Float32]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("ranks", [(3,), (3, 2, 4)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_export_and_import(tmp_path: Path, layout: str, ranks: tuple[int, ...]) -> None:
    base = base_of(layout)
    adapter = random_adapter(base, ranks)
    write_peft(adapter, base, tmp_path / "out", base_name="some/model")
    expected = gguf_deltas(adapter)
    exported = parts_of_peft(peft_deltas(tmp_path / "out"))
    assert_same(exported, parts_of_gguf(base, expected))
    back = read_peft(tmp_path / "out", base)
    assert_same(gguf_deltas(back), expected)
    assert back.tensors.keys() == adapter.tensors.keys()
    if layout != "phi3 apart":  # there, three pairs became one, whose rank is the sum
        assert {n: p.rank for n, p in back.tensors.items()} == {
            n: p.rank for n, p in adapter.tensors.items()
        }
    assert read_adapter(write_adapter(back, "F32"), base).alpha == back.alpha
    config = json.loads((tmp_path / "out" / CONFIG).read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == "some/model" and config["peft_type"] == "LORA"


def foreign(
    folder: Path, config: dict[str, Any] | None = None, tensors: dict[str, Any] | None = None
) -> Path:
    """Write a small PEFT adapter as somebody else would; `None` values leave a key out."""
    random = np.random.default_rng(1)
    full: dict[str, Any] = {
        "peft_type": "LORA", "r": 2, "lora_alpha": 3, "target_modules": ["q_proj"],
        "rank_pattern": {}, "alpha_pattern": {}, "bias": "none", "use_rslora": False,
    } | (config or {})  # fmt: skip
    prefix = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
    values: dict[str, Any] = {
        f"{prefix}A.weight": random.standard_normal((2, WIDTH)),
        f"{prefix}B.weight": random.standard_normal((ROWS["q"], 2)),
    } | (tensors or {})
    values = {k: np.asarray(v, np.float32) for k, v in values.items() if v is not None}
    folder.mkdir()
    (folder / CONFIG).write_text(json.dumps(full), encoding="utf-8")
    (folder / WEIGHTS).write_bytes(write_safetensors(values, {}))
    return folder


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({}, 3 / 2),
        ({"use_rslora": True}, 3 / math.sqrt(2)),
        ({"lora_alpha": 7, "alpha_pattern": {"q_proj": 3.5}}, 3.5 / 2),
        ({"r": 9, "rank_pattern": {"layers.0.self_attn.q_proj": 2}}, 3 / 2),
        ({"r": 9, "rank_pattern": {r"^model\.layers\.0\.self_attn\.q_proj$": 2}}, 3 / 2),
        ({"alpha_pattern": {"layers.1.self_attn.q_proj": 100, "k_proj": 50}}, 3 / 2),
    ],
)
def test_the_scale_is_pefts(tmp_path: Path, config: dict[str, Any], scale: float) -> None:
    base, folder = base_of("qwen3"), foreign(tmp_path / "in", config)
    (delta,) = gguf_deltas(read_peft(folder, base)).values()
    tensors = read_safetensors(folder / WEIGHTS)
    b, a = tensors[max(tensors)], tensors[min(tensors)]
    np.testing.assert_allclose(delta, b @ a * scale, rtol=1e-5)


def test_separate_layers_are_joined_for_a_fused_tensor(tmp_path: Path) -> None:
    """Ranks add up, each layer's scale is kept, and a layer that is not adapted gets zeros."""
    random = np.random.default_rng(2)
    prefix = "base_model.model.model.language_model.layers.1.self_attn."
    tensors = {
        f"{prefix}q_proj.lora_A.weight": random.standard_normal((2, WIDTH)),
        f"{prefix}q_proj.lora_B.weight": random.standard_normal((ROWS["q"], 2)),
        f"{prefix}v_proj.lora_A.default.weight": random.standard_normal((3, WIDTH)),
        f"{prefix}v_proj.lora_B.default.weight": random.standard_normal((ROWS["v"], 3)),
    }
    folder = foreign(tmp_path / "in", {"rank_pattern": {"v_proj": 3}}, tensors)
    adapter = read_peft(folder, base_of("qwen3 with one qkv"))
    pair = adapter.tensors["blk.1.attn_qkv.weight"]
    assert pair.rank == 5
    delta = gguf_deltas(adapter)["blk.1.attn_qkv.weight"]
    q, k, v = np.split(delta, np.cumsum([ROWS["q"], ROWS["k"]]))
    values = [np.asarray(value) for value in tensors.values()]
    np.testing.assert_allclose(q, values[1] @ values[0] * 3 / 2, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(v, values[3] @ values[2] * 3 / 3, rtol=1e-4, atol=1e-5)
    assert not k.any()


Q = "base_model.model.model.layers.0.self_attn.q_proj.lora_"


@pytest.mark.parametrize(
    ("config", "tensors", "words"),
    [
        ({"peft_type": "IA3"}, {}, "'peft_type'"),
        ({"use_dora": True}, {}, "'use_dora'"),
        ({"bias": "all"}, {}, "'bias'"),
        ({"modules_to_save": ["lm_head"]}, {}, "'modules_to_save'"),
        ({"init_lora_weights": "pissa"}, {}, "'init_lora_weights'"),
        ({"r": 3}, {}, "has rank 2, but the configuration says 3"),
        ({"lora_alpha": "x"}, {}, "no usable rank or alpha"),
        ({"lora_alpha": 0}, {}, "no usable rank or alpha"),
        ({"alpha_pattern": {"(a+)+b": 3}}, {}, "is not the name"),
        ({}, {f"{Q}A.weight": np.full((2, WIDTH), np.nan)}, "NaN"),
        ({}, {f"{Q}B.weight": None}, "lacks one half"),
        ({}, {f"{Q}B.weight": np.zeros((ROWS["q"], 3))}, "do not fit together"),
        ({}, {f"{Q}B.weight": np.zeros((ROWS["q"] + 1, 2))}, "outputs"),
        ({}, {f"{Q}A.weight": np.zeros((2, WIDTH + 1))}, "has shape"),
        ({}, {f"{Q}magnitude_vector": np.zeros((4, 4))}, "not a linear"),
        (
            {},
            {"base_model.model.lm_head.lora_A.weight": np.zeros((2, WIDTH))},
            "not a linear",
        ),
        (
            {},
            {
                Q.replace("layers.0", "layers.9") + "A.weight": np.zeros((2, WIDTH)),
                Q.replace("layers.0", "layers.9") + "B.weight": np.zeros((ROWS["q"], 2)),
            },
            "does not have",
        ),
        ({}, {f"{Q}A.weight": None, f"{Q}B.weight": None}, "holds no tensors"),
    ],
)
def test_what_is_no_plain_lora_is_refused(
    tmp_path: Path, config: dict[str, Any], tensors: dict[str, Any], words: str
) -> None:
    folder = foreign(tmp_path / "in", config, tensors)
    with pytest.raises(AdapterError, match=words) as raised:
        read_peft(folder, base_of("qwen3"))
    assert str(folder) in str(raised.value) or "outputs" in words
    assert "\n" not in str(raised.value)


def test_bfloat16_is_read(tmp_path: Path) -> None:
    values = np.array([[1.5, -2.0, 0.15625]], np.float32)
    bits = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    header = {"x": {"dtype": "BF16", "shape": [1, 3], "data_offsets": [0, 6]}}
    text = json.dumps(header).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bits)
    assert np.array_equal(read_safetensors(path)["x"], values)


ENTRY: dict[str, Any] = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        (5).to_bytes(8, "little") + b"[1,2]",
        (9).to_bytes(8, "little") + b"{not json",
        (1 << 40).to_bytes(8, "little") + b"{}",
        {**ENTRY, "shape": [3]},
        {**ENTRY, "shape": [-2]},
        {**ENTRY, "shape": [1 << 50, 1 << 50]},
        {**ENTRY, "data_offsets": [0, 80]},
        {**ENTRY, "data_offsets": [8, 0]},
        {**ENTRY, "data_offsets": [0]},
        {**ENTRY, "data_offsets": ["0", "8"]},
        {**ENTRY, "dtype": "I64"},
        {**ENTRY, "dtype": ["F32"]},
        7,
        {"x": ENTRY, "y": ENTRY},  # a small file could so hold as many tensors as it likes
        {**ENTRY, "shape": [1, 1, 1, 1, 2]},
        {"x": ENTRY, "__metadata__": {"format": 1}},
        (200_000).to_bytes(8, "little") + b"[" * 200_000,
        ((16 << 20) + 1).to_bytes(8, "little") + b"{}",
        {**ENTRY, "dtype": "F16", "shape": [1], "data_offsets": [0, 2]},  # not the whole file
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "a.safetensors"
    if not isinstance(content, bytes):
        entries = content if isinstance(content, dict) and "x" in content else {"x": content}
        text = json.dumps(entries).encode()
        content = len(text).to_bytes(8, "little") + text + bytes(8)
    path.write_bytes(content)
    with pytest.raises(AdapterError, match=r"a\.safetensors") as raised:
        read_safetensors(path)
    assert "\n" not in str(raised.value)


def test_what_a_damaged_file_says_never_reaches_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for entry in ({**ENTRY, "data_offsets": [8, 0]}, {**ENTRY, "dtype": "I64", "shape": [1]}):
        text = json.dumps({"\x1b[31mred\nline": entry}).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
        with pytest.raises(AdapterError) as raised:
            read_safetensors(path)
        assert "red" not in str(raised.value) and str(raised.value).isprintable()


def test_not_a_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for value in (np.nan, np.inf):
        path.write_bytes(write_safetensors({"x": np.array([1, value], np.float32)}, {}))
        with pytest.raises(AdapterError, match="NaN or infinity"):
            read_safetensors(path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    base = base_of("qwen3")
    with pytest.raises(AdapterError, match="adapter_config"):
        read_peft(tmp_path, base)
    folder = foreign(tmp_path / "in")
    (folder / WEIGHTS).rename(folder / "adapter_model.bin")
    with pytest.raises(AdapterError, match="pickle"):
        read_peft(folder, base)
    with pytest.raises(AdapterError, match="new folder"):
        write_peft(random_adapter(base), base, folder)


def test_commands(
    default_model: BaseModel, make_adapter: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Out to PEFT and in again: the same adapter, after it was said to be trusted."""
    monkeypatch.setenv("ONDEVICE_HOME", str(tmp_path / "home"))
    path, _ = make_adapter(3)
    folder = tmp_path / "peft"
    assert run(["adapter", "export", str(path), "--peft", str(folder)]) == 0
    assert sorted(p.name for p in folder.iterdir()) == [CONFIG, WEIGHTS]
    assert run(["adapter", "add", str(folder), "--name", "back"]) == 2
    assert "--trust" in capfd.readouterr().err
    assert run(["adapter", "add", str(folder), "--name", "back", "--trust"]) == 0
    out = tmp_path / "back.gguf"
    assert run(["adapter", "export", "back", "--gguf", str(out)]) == 0
    assert run(["adapter", "export", "back", "--gguf", str(out)]) == 2
    assert run(["adapter", "export", "back"]) == 2
    before, after = (read_adapter(p, default_model.header) for p in (path, out))
    assert before.tensors.keys() == after.tensors.keys()
    ours, theirs = gguf_deltas(before), gguf_deltas(after)
    assert all(np.allclose(ours[name], theirs[name], atol=1e-6) for name in ours)
