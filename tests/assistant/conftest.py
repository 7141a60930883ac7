import pytest

from ondevice.home import Home


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A fresh home for every test."""
    monkeypatch.setenv("ONDEVICE_HOME", str(tmp_path / "home"))
    return Home.below(tmp_path / "home")


@pytest.fixture
def default_model(home):
    """The embedded default model."""
    from ondevice.base.models import resolve

    return resolve("default", home)


@pytest.fixture
def make_adapter(tmp_path, default_model):
    """Write a small random adapter for the default model."""
    import numpy as np

    from ondevice.adapters.gguf_lora import LoraAdapter, LoraPair, write_adapter

    def write(seed):
        rng = np.random.default_rng(seed)
        tensors = {}
        for layer in range(2):
            name = f"blk.{layer}.attn_q.weight"
            n_in, n_out = default_model.header.tensors[name].shape
            tensors[name] = LoraPair(
                rng.standard_normal((4, n_in), np.float32),
                rng.standard_normal((n_out, 4), np.float32),
            )
        path = tmp_path / f"adapter-{seed}.gguf"
        path.write_bytes(write_adapter(LoraAdapter("llama", 8.0, tensors, {})))
        return path, ""

    return write
