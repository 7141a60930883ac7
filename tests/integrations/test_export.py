"""An exported adapter comes with what llama-server and Ollama need."""

from __future__ import annotations

import shlex

import numpy as np
import pytest

from ondevice.adapters.builtin_reader import builtin_reader
from ondevice.adapters.gguf_lora import LoraAdapter, LoraPair, write_adapter
from ondevice.adapters.registry import AdapterRegistry
from ondevice.cli import run
from ondevice.store.profile import Profile


def parsed_modelfile(text):
    """Parse a Modelfile by its documented grammar: an instruction a line, its argument after it."""
    known = {"FROM", "PARAMETER", "TEMPLATE", "SYSTEM", "ADAPTER", "LICENSE", "MESSAGE", "REQUIRES"}
    found = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        instruction, _, argument = line.partition(" ")
        assert instruction.upper() in known and argument == argument.strip() != ""
        assert not argument.startswith('"')  # that would begin a quoted argument
        assert found.setdefault(instruction.upper(), argument) == argument
    assert next(iter(found)) == "FROM"
    return found


@pytest.mark.parametrize("on_reader", [False, True])
def test_modelfile_and_command_line(home, default_model, tmp_path, capsys, on_reader):
    reader = builtin_reader(default_model)
    digests = {"base_sha256": default_model.sha256}
    if on_reader:
        digests["reader_sha256"] = reader.sha256
    pair = LoraPair(np.ones((4, 576), np.float32), np.ones((576, 4), np.float32))
    content = write_adapter(LoraAdapter("llama", 8.0, {"blk.0.attn_q.weight": pair}, digests))
    with Profile.open(home, create=True) as profile:
        AdapterRegistry(profile).add(content, default_model, name="mine")
    target, modelfile = tmp_path / "my adapter.gguf", tmp_path / "Modelfile"
    arguments = ["adapter", "export", "mine", "--gguf", str(target), "--modelfile", str(modelfile)]
    assert run(arguments) == 0
    printed = capsys.readouterr()
    words = shlex.split(printed.out)
    readers = ["--lora", str(reader.file)] if on_reader else []
    assert words == [
        "llama-server", "-m", str(default_model.path), *readers, "--lora", str(target),
    ]  # fmt: skip
    assert ("leaves out" in printed.err) == on_reader
    assert modelfile.read_text() == f"FROM {default_model.path}\nADAPTER {target}\n"
    parsed = parsed_modelfile(modelfile.read_text())
    assert parsed == {"FROM": str(default_model.path), "ADAPTER": str(target)}
    assert target.read_bytes() == content
    assert run(arguments) == 2  # neither file is overwritten
    target.unlink()
    assert run(arguments) == 2
    assert not target.exists()
