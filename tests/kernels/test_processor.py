import os
import subprocess
import sys

import pytest

from ondevice import _kernels
from ondevice.ground import processor


def run_with_isa(name: str) -> subprocess.CompletedProcess[str]:
    code = (
        "from ondevice.ground import processor\n"
        "from ondevice.errors import SettingsError\n"
        "try: print(processor.isa())\n"
        "except SettingsError as error: print('refused:', error)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"ONDEVICE_ISA": name},
        capture_output=True,
        text=True,
        check=True,
    )


def test_portable_is_always_there_and_the_best_is_chosen() -> None:
    assert processor.available_isas()[0] == "portable"
    assert run_with_isa("").stdout.strip() == processor.available_isas()[-1]


def test_environment_forces_an_instruction_set() -> None:
    for name in processor.available_isas():
        assert run_with_isa(name).stdout.strip() == name


def test_unknown_instruction_set_is_one_clear_sentence() -> None:
    out = run_with_isa("sse9").stdout.strip()
    assert out.startswith("refused: ONDEVICE_ISA is 'sse9', but must be one of: portable")
    assert "\n" not in out


def test_instruction_set_that_the_machine_lacks_is_refused() -> None:
    for name in {"avx2", "avx512bf16", "amx", "neon"} - set(processor.available_isas()):
        out = run_with_isa(name).stdout
        assert f"asks for '{name}', which this machine or this build lacks" in out
        with pytest.raises(ValueError, match="lacks"):
            _kernels.use_isa(name)


def test_features_agree_with_the_sets_offered() -> None:
    found = processor.features()
    assert ("avx2" in processor.available_isas()) <= (found["avx2"] and found["fma"])
    assert ("avx512bf16" in processor.available_isas()) <= found["avx512bf16"]
    assert ("amx" in processor.available_isas()) <= (found["amx_tile"] and found["amx_bf16"])
    assert ("neon" in processor.available_isas()) <= found["neon"]
