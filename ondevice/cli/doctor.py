"""`ondevice doctor`: is this machine ready?"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

import click

from ondevice.cli.output import json_option, print_json, size
from ondevice.cli.remedies import told
from ondevice.errors import OndeviceError, explain

LIBRARIES = ("llama-cpp-python", "onnxruntime", "sqlcipher3", "cryptography", "numpy", "gguf")


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    name: str
    ok: bool
    text: str


@click.command("doctor")
@json_option
def command(as_json: bool) -> int:
    """Check this machine and this installation.

    Exit code 1 when something is missing; each line says what to do.
    """
    findings = []
    for name, check in CHECKS:
        finding = _run(name, check)
        findings.append(finding)
        if not as_json:
            mark = click.style("ok  ", fg="green") if finding.ok else click.style("FAIL", fg="red")
            click.echo(f"{mark} {finding.name:<14} {finding.text}")
    if as_json:
        print_json(findings)
    return 0 if all(finding.ok for finding in findings) else 1


def _run(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return Finding(name, False, f"{where}{explain(error)}.")
    except OndeviceError as error:
        return Finding(name, False, told(error.notice))
    except ImportError as error:
        return Finding(name, False, str(error))
    except Exception as error:  # noqa: BLE001 - the other checks are worth knowing all the same
        return Finding(name, False, f"An unforeseen {type(error).__name__}; reinstall ondevice.")


def _versions() -> str:
    found = [f"{name} {_version(name)}" for name in ("ondevice", *LIBRARIES)]
    return f"Python {platform.python_version()}, " + ", ".join(found)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise OndeviceError(f"{name} is missing; run: pip install {name}") from error


def _processor() -> str:
    from ondevice.ground import processor

    features = [name for name, there in processor.features().items() if there]
    kernels = processor.isa()
    compiled = ", ".join(processor.available_isas())
    return f"{os.cpu_count()} cores; kernels {kernels} (of {compiled}); {' '.join(features)}"


def _memory() -> str:
    from ondevice.ground.system_memory import available_memory, total_memory

    total, free = total_memory(), available_memory()
    if total is None or free is None:
        return "not told by this system"
    return f"{size(free)} free of {size(total)}"


def _folders() -> str:
    from ondevice.ground.files import private_folder
    from ondevice.home import Home

    home = Home.default()
    private_folder(home.data)
    if not os.access(home.data, os.W_OK):
        raise OndeviceError(f"{home.data} cannot be written; set ONDEVICE_HOME to another folder.")
    return f"{home.data} ({size(shutil.disk_usage(home.data).free)} free on that disk)"


def _keyring() -> str:
    from ondevice.store.access.keyring_store import SystemKeyring

    keyring = SystemKeyring.find()
    return (keyring and keyring.name) or (
        "none on this system: a passphrase or a key file protects the profile "
        "(pip install 'ondevice[keyring]' on a desktop)"
    )


def _telemetry() -> str:
    off = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE")
    missing = [name for name in off if os.environ.get(name) != "1"]
    if missing:
        raise OndeviceError(f"{', '.join(missing)} is not set; import ondevice before onnxruntime.")
    return "off: onnxruntime, Hugging Face"


def _compiler() -> str:
    found = next((name for name in ("c++", "g++", "clang++", "cl") if shutil.which(name)), None)
    if found is None:
        return "no C++ compiler; only needed to install again (Debian: apt install g++ cmake)"
    return found


def _model() -> str:
    from ondevice.home import Home
    from ondevice.models.base_model import resolve

    base = resolve("default", Home.default())
    return f"{base.name}, SHA-256 {base.sha256[:16]}… as promised"


def _settings() -> str:
    from ondevice.home import Home
    from ondevice.models.chosen import chosen
    from ondevice.settings import Settings, settings_path

    home = Home.default()
    settings = Settings.load(settings_path(home))
    base = chosen(settings.model.name, home)
    return f"{settings_path(home)}; base model {base.name}"


def _reader() -> str:
    from ondevice.adapters.builtin_reader import builtin_reader
    from ondevice.adapters.gguf_lora import read_adapter
    from ondevice.home import Home
    from ondevice.models.base_model import resolve

    base = resolve("default", Home.default())
    reader = builtin_reader(base)
    if reader is None:
        return f"none comes with {base.name}; train one with: ondevice teach"
    adapter = read_adapter(reader.read(), base.header)
    return f"rank {adapter.rank} for {base.name}, SHA-256 {reader.sha256[:16]}… as promised"


def _embedder() -> str:
    from ondevice.home import Home
    from ondevice.memory.embedders.choose import open_embedder, stand_in_notice
    from ondevice.settings import Settings, settings_path

    home = Home.default()
    settings, _ = Settings.read(settings_path(home))  # what is wrong with them is told elsewhere
    embedder = open_embedder(settings.recall.embedder, home)
    vectors = embedder.embed(["My dog likes long walks.", "The hound enjoys hiking.", "Tax law."])
    near, far = embedder.calibration.relevance(vectors[1:] @ vectors[0]).tolist()
    if near <= far:
        raise OndeviceError("The embedder's self-test failed; reinstall 'ondevice[models]'.")
    missing = stand_in_notice(settings.recall.embedder, home)
    figures = f"{embedder.name}: similar {near:.2f}, different {far:.2f}"
    return f"{figures}. {told(missing)}" if missing else figures


def _memories() -> str:
    from ondevice.cli.output import embedding_line
    from ondevice.errors import ProfileLockedError
    from ondevice.home import Home
    from ondevice.memory.service import Memory
    from ondevice.store.profiles import exists, profile_in_use

    home = Home.default()
    name = profile_in_use(home)
    if not exists(home, name):
        return "none yet"
    try:
        with Memory.open(profile=name, home=home) as memory:
            return f"profile {name}: {embedding_line(memory.recall.embedding.state())}"
    except ProfileLockedError:
        return f"the profile {name} is locked; once it is open, see: ondevice profile show"


def _encryption() -> str:
    import sqlcipher3

    with sqlcipher3.connect(":memory:") as connection:
        (version,) = connection.execute("PRAGMA cipher_version").fetchone()
    return f"SQLCipher {version}"


def _generation() -> str:
    from ondevice.engine.llama import LlamaEngine
    from ondevice.engine.protocol import ChatOptions
    from ondevice.home import Home
    from ondevice.models.base_model import resolve
    from ondevice.models.messages import Message
    from ondevice.settings import GenerationSettings, ModelSettings

    home = Home.default()
    started = time.perf_counter()
    with LlamaEngine(resolve("default", home), ModelSettings(n_ctx=512), home) as engine:
        loaded = time.perf_counter() - started
        options = ChatOptions.from_settings(GenerationSettings(temperature=0, max_tokens=32))
        stream = engine.chat([Message("user", "Count to ten.")], options)
        text = "".join(stream)
        speed = stream.timings.tokens_per_second
    if not text.strip():
        raise OndeviceError("The model answered nothing; reinstall llama-cpp-python.")
    return f"loaded in {loaded:.1f} s, {speed:.0f} tokens/s"


CHECKS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("versions", _versions),
    ("processor", _processor),
    ("memory", _memory),
    ("folders", _folders),
    ("settings", _settings),
    ("keyring", _keyring),
    ("telemetry", _telemetry),
    ("compiler", _compiler),
    ("encryption", _encryption),
    ("model", _model),
    ("reader", _reader),
    ("embedder", _embedder),
    ("memories", _memories),
    ("generation", _generation),
)
