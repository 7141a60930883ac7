"""The hash of the training code changes with what decides an adapter, and with nothing else."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import ondevice
from ondevice import _kernels
from ondevice.training.provenance import code_sha256, training_path

PACKAGE = Path(ondevice.__file__).parent
KERNELS = PACKAGE.parent / "kernels"
HASH = "0" * 64

Change = Callable[[str, str, str], str]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package's modules."""
    folder = tmp_path_factory.mktemp("code") / "ondevice"
    for path in PACKAGE.rglob("*.py"):
        target = folder / path.relative_to(PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return folder


@pytest.fixture
def change(copied: Path) -> Change:
    """Replace a text in one file of a copy of the package; gives the hash of that copy."""

    def changed(file: str, old: str, new: str) -> str:
        text = (copied / file).read_text(encoding="utf-8")
        assert old in text
        (copied / file).write_text(text.replace(old, new, 1), encoding="utf-8")
        try:
            return code_sha256.__wrapped__(copied, HASH)  # it remembers a folder's hash otherwise
        finally:
            (copied / file).write_text(text, encoding="utf-8")

    return changed


def test_an_unchanged_copy_is_the_same_code(copied: Path) -> None:
    assert code_sha256(copied, HASH) == code_sha256(PACKAGE, HASH)


def test_docstrings_comments_and_lines_do_not_count(change: Change) -> None:
    same = code_sha256(PACKAGE, HASH)
    decoder = "training/decoder.py"
    assert change(decoder, '"""A transformer decoder', '"""Something else') == same
    assert change(decoder, '"""A base model with adapters', '"""Something else') == same
    assert change(decoder, '        """Return the loss in nats', '        """Return it') == same
    assert (
        change(decoder, "        self.recompute = ", "        # new\n\n        self.recompute = ")
        == same
    )


def test_what_no_training_passes_through_does_not_count(change: Change) -> None:
    same = code_sha256(PACKAGE, HASH)
    for file in (
        "training/plot.py",
        "training/cost.py",
        "cli/train/commands.py",
        "store/profile.py",
    ):
        assert change(file, "\nfrom ondevice", "\nx = 1\nfrom ondevice") == same, file
    assert change("__init__.py", '__version__ = "', '__version__ = "9') == same


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("training/decoder.py", "x *= np.float32(", "x /= np.float32("),
        ("training/optimizer.py", "def learning_rate(", "def rate_of("),
        ("training/recipe.py", "0.999", "0.99"),
        ("adapters/gguf_lora.py", "\nfrom ondevice", "\nx = 1\nfrom ondevice"),
        ("models/chat_template.py", "\nfrom ondevice", "\nx = 1\nfrom ondevice"),
    ],
)
def test_a_statement_counts(change: Change, file: str, old: str, new: str) -> None:
    assert change(file, old, new) != code_sha256(PACKAGE, HASH)


def test_the_path_is_that_of_the_trainer() -> None:
    names = set(training_path())
    assert {f"ondevice.training.{n}" for n in ("trainer", "decoder", "recipe", "data")} <= names
    assert not names & {"ondevice", "ondevice.training.plot", "ondevice.training.files"}
    assert not {name for name in names if name.split(".")[1] in ("cli", "profile", "server")}


def source_sha256(folder: Path) -> str:
    spec = importlib.util.spec_from_file_location("kernel_hash", KERNELS / "source_sha256.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: str = module.source_sha256(folder)
    return found


def test_a_kernel_source_counts(tmp_path: Path) -> None:
    assert code_sha256() == code_sha256(PACKAGE, _kernels.source_sha256)
    assert code_sha256(PACKAGE, "1" * 64) != code_sha256(PACKAGE, HASH)
    copied = shutil.copytree(KERNELS, tmp_path / "kernels")
    assert source_sha256(copied) == source_sha256(KERNELS)
    adamw = copied / "adamw.cpp"
    adamw.write_bytes(adamw.read_bytes().replace(b"\n", b"\r\n"))
    assert source_sha256(copied) == source_sha256(KERNELS)
    adamw.write_bytes(adamw.read_bytes() + b"// another\n")
    assert source_sha256(copied) != source_sha256(KERNELS)


def test_the_kernels_in_use_were_built_from_these_sources() -> None:
    assert _kernels.source_sha256 == source_sha256(KERNELS), "build the kernels anew"
