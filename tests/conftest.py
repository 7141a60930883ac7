"""What every room's tests share: a private home, the default model, random adapters."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import gguf
import numpy as np
import pytest
from bare_llama import share_default_params
from kinds import Kinds
from quick import keep_bytecode, make_passphrases_cheap, share_sessions

from ondevice.engine.llama import LlamaEngine
from ondevice.home import Home
from ondevice.memory.embedders.e5 import E5
from ondevice.memory.embedders.minilm import MiniLM
from ondevice.memory.embedders.protocol import Embedder
from ondevice.models.base_model import BaseModel, resolve
from ondevice.settings import ModelSettings
from ondevice.store.profile import Profile

keep_bytecode(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")


def pytest_configure(config: pytest.Config) -> None:
    """Mark every test with its kind."""
    config.pluginmanager.register(Kinds())


@pytest.fixture(scope="session", autouse=True)
def bare_llama() -> None:
    """Tests that load models with llama-cpp-python's own class do so as the engine does."""
    share_default_params()


@pytest.fixture(scope="session", autouse=True)
def quick() -> Iterator[None]:
    """Keys are stretched cheaply, and what reads an embedding model reads it once."""
    with pytest.MonkeyPatch.context() as patch:
        make_passphrases_cheap(patch)
        share_sessions(patch)
        yield


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A fresh home for every test; ONDEVICE_HOME points there."""
    monkeypatch.setenv("ONDEVICE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ONDEVICE_PASSPHRASE_FILE", raising=False)
    return Home.below(tmp_path / "home")


@pytest.fixture
def profile(home: Home) -> Iterator[Profile]:
    """A new profile in the home, opened by its key file: deriving a key takes a while."""
    with Profile.create(home) as opened:
        yield opened


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home of the test run's own, where no `home` is used."""
    root = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONDEVICE_HOME", str(root))
        yield Home.below(root)


@pytest.fixture(scope="session")
def default_model(shared_home: Home) -> BaseModel:
    """The embedded default model, checked."""
    return resolve("default", shared_home)


@pytest.fixture(scope="session")
def shared_engine(default_model: BaseModel, shared_home: Home) -> Iterator[LlamaEngine]:
    """One loaded engine for tests that leave no trace in it; reset it, do not close it."""
    # One thread: with more, llama.cpp's threads wait for each other whenever the machine is busy.
    settings = ModelSettings(n_ctx=1024, n_threads=1)
    with LlamaEngine(default_model, settings, shared_home) as engine:
        yield engine


MakeAdapter = Callable[..., tuple[Path, str]]


@pytest.fixture(scope="session")
def make_adapter(default_model: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> MakeAdapter:
    """Write a random adapter for the default model with the gguf package."""
    folder = tmp_path_factory.mktemp("adapters")

    def write(
        seed: int,
        *,
        rank: int = 4,
        magnitude: float = 0.05,
        modules: Sequence[str] = ("attn_q", "attn_v"),
        b_value: float | None = None,
        name: str = "adapter",
    ) -> tuple[Path, str]:
        """Return the file and its SHA-256; `b_value` replaces every value of B."""
        path = folder / f"{name}-{seed}-{rank}-{magnitude}-{len(modules)}-{b_value}.gguf"
        if not path.exists():
            rng = np.random.default_rng(seed)
            writer = gguf.GGUFWriter(path, "llama")
            writer.add_type("adapter")
            writer.add_string("adapter.type", "lora")
            writer.add_float32("adapter.lora.alpha", 2.0 * rank)
            for layer in range(30):
                for module in modules:
                    tensor = f"blk.{layer}.{module}.weight"
                    n_in, n_out = default_model.header.tensors[tensor].shape
                    a = rng.standard_normal((rank, n_in)) / np.sqrt(n_in)
                    b = rng.standard_normal((n_out, rank)) * magnitude
                    if b_value is not None:
                        b[:] = b_value
                    writer.add_tensor(tensor + ".lora_a", a.astype(np.float32))
                    writer.add_tensor(tensor + ".lora_b", b.astype(np.float32))
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
        return path, hashlib.sha256(path.read_bytes()).hexdigest()

    return write


@pytest.fixture(scope="session")
def minilm() -> MiniLM:
    """The English embedder; it is loaded at its first use."""
    return MiniLM()


@pytest.fixture(scope="session")
def multilingual(shared_home: Home) -> E5:
    """The embedder for every language; its files are made at its first use."""
    return E5(shared_home)


@pytest.fixture(scope="session")
def embedder(minilm: MiniLM) -> Embedder:
    """A real embedder, shared by all tests that need one."""
    return minilm
