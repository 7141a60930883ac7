"""`ondevice adapter`: the low-rank adapters of a profile."""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ondevice.cli.chat.session import load_settings, open_profile, parse_adapter, profile_option
from ondevice.cli.completion.complete import (
    complete_adapters,
    complete_adapters_or_files,
    complete_models,
)
from ondevice.cli.output import (
    confirm,
    counted,
    day,
    json_option,
    print_json,
    print_table,
    say,
    talk,
    warn,
)
from ondevice.cli.paths import UserPath
from ondevice.ground.files import expanded

if TYPE_CHECKING:
    from ondevice.models.base_model import BaseModel
    from ondevice.store.profile import Profile
    from ondevice.store.records import AdapterRow

model_option = click.option(
    "-m", "--model", metavar="NAME|FILE", shell_complete=complete_models, help="The base model."
)


@click.group("adapter")
def command() -> None:
    """Manage the adapters of a profile."""


@command.command("list")
@profile_option
@json_option
def list_(profile: str | None, as_json: bool) -> None:
    """List the adapters and their states."""
    from ondevice.adapters.registry import AdapterRegistry

    with open_profile(profile) as store:
        rows = [*_reader_row(store), *AdapterRegistry(store).list()]
        if as_json:
            print_json([dataclasses.asdict(row) for row in rows])
            return
        print_table(
            ["name", "state", "scale", "rank", "base", "records", "learned", "gain", "added"],
            [
                (
                    row.name,
                    row.state,
                    f"{row.scale:g}",
                    row.rank,
                    row.base_sha256[:12],
                    len(row.records),
                    row.training.get("method", ""),
                    _gain(row),
                    day(row.created) if row.created else "built in",
                )
                for row in rows
            ],
            "There is no adapter yet; train one with: ondevice learn",
        )


def _gain(row: AdapterRow) -> str:
    """Return what the evaluation said of the person's own writing: `31.2 → 24.8`."""
    arms = row.training.get("metrics", {}).get("arms", {})
    before, after = arms.get("prompt/text"), arms.get("hybrid/text")
    if not before or not after or before[0] is None or after[0] is None:
        return ""
    return f"{before[0]:.1f} → {after[0]:.1f}"


def _reader_row(store: Profile) -> list[AdapterRow]:
    """Return a row for the reader of the base model in use, if there is one."""
    from ondevice.adapters.builtin_reader import READER, builtin_reader
    from ondevice.adapters.gguf_lora import read_adapter
    from ondevice.errors import BaseModelError
    from ondevice.home import Home
    from ondevice.models.base_model import resolve
    from ondevice.store.records import AdapterRow

    home = Home.default()
    try:
        name = load_settings().model.name
        reader = builtin_reader(resolve(name, home))
    except BaseModelError:  # the adapters of a profile can be listed without a model
        return []
    if reader is None:
        return []
    adapter, scale = read_adapter(reader.read(), None), store.adapters.reader_scale()
    return [
        AdapterRow(
            id=READER,
            name=READER,
            file_sha256=reader.sha256,
            base_sha256=reader.base_sha256,
            rank=adapter.rank,
            alpha=adapter.alpha,
            scale=scale,
            state="active" if scale else "off",
            records=(),
            created=0.0,
            scope=None,
            provenance=dict(adapter.provenance),
        )
    ]


@command.command("add")
@click.argument("file", type=UserPath(), metavar="FILE|FOLDER")
@click.option("--trust", is_flag=True, help="Do not ask about an adapter made elsewhere.")
@click.option("--name", help="[default: the file's name]")
@click.option("--use", "use_it", is_flag=True, help="Use it from now on.")
@click.option("--context", "scope", metavar="NAME", help="Use it only in this context.")
@profile_option
@model_option
def add(
    file: Path,
    trust: bool,
    name: str | None,
    use_it: bool,
    scope: str | None,
    profile: str | None,
    model: str | None,
) -> None:
    """Add a LoRA adapter; a checked and encrypted copy is kept.

    FILE is a GGUF; FOLDER holds an adapter of PEFT (safetensors).
    """
    from ondevice.adapters.registry import AdapterRegistry
    from ondevice.home import Home
    from ondevice.models.base_model import resolve

    base = resolve(model or "default", Home.default())
    source = _from_peft(file, base) if file.is_dir() else file
    _check_origin(source, base, trust)
    with open_profile(profile) as store:
        registry = AdapterRegistry(store)
        row = registry.add(source, base, name=name or file.stem, scope=scope)
        if use_it:
            registry.use(row.name, row.scale)
        talk(
            f"Added '{row.name}' (rank {row.rank}) for {base.name}"
            + (", in use." if use_it else f"; use it with: ondevice adapter use {row.name}")
        )


def _from_peft(folder: Path, base: BaseModel) -> bytes:
    from ondevice.adapters.gguf_lora import write_adapter
    from ondevice.adapters.peft import read_peft

    return write_adapter(read_peft(folder, base.header), "F32")


def _check_origin(source: Path | bytes, base: BaseModel, trust: bool) -> None:
    """Ask before an adapter of another program is added; say if a GGUF names no base.

    It cannot run anything, but it decides what the model says.
    """
    from ondevice.adapters.gguf_lora import read_adapter

    if trust or "base_sha256" in read_adapter(source, base.header).provenance:
        return
    if isinstance(source, Path):
        talk(f"{source.name} names no base model; only its shapes show that it is for {base.name}.")
        return
    confirm(
        "This adapter was made elsewhere: it can make the model say anything, and only its "
        f"shapes show that it is for {base.name}. Add it?",
        yes=False,
        option="--trust",
    )


@command.command("export")
@click.argument("adapter", metavar="NAME|FILE", shell_complete=complete_adapters_or_files)
@click.option("--peft", type=UserPath(), metavar="FOLDER",
              help="Write a folder for PEFT, transformers and vLLM.")  # fmt: skip
@click.option("--gguf", type=UserPath(), metavar="FILE",
              help="Write a file for llama.cpp.")  # fmt: skip
@click.option("--modelfile", type=UserPath(), metavar="FILE",
              help="Write an Ollama Modelfile beside --gguf.")  # fmt: skip
@click.option("--base-name", metavar="NAME", help="The base's Hugging Face name, for --peft.")
@profile_option
@model_option
def export(
    adapter: str,
    peft: Path | None,
    gguf: Path | None,
    modelfile: Path | None,
    base_name: str | None,
    profile: str | None,
    model: str | None,
) -> None:
    """Write an adapter, unencrypted, for other programs.

    It holds what it learned from you: whoever has it can get at some of that.
    """
    from ondevice.adapters.gguf_lora import read_adapter
    from ondevice.adapters.peft import write_peft
    from ondevice.adapters.registry import AdapterRegistry
    from ondevice.ground.files import write_atomic
    from ondevice.home import Home
    from ondevice.models.base_model import resolve

    if peft is None and gguf is None:
        raise click.UsageError("Say where to: --peft FOLDER or --gguf FILE.")
    if modelfile is not None and gguf is None:
        raise click.UsageError("A Modelfile names the adapter's file: add --gguf FILE.")
    for target in (gguf, modelfile):
        if target is not None and target.exists():
            raise click.UsageError(f"{target} is there already; give a new name.")
    base = resolve(model or "default", Home.default())
    file = expanded(Path(adapter))
    needs_reader = False
    if file.suffix.lower() == ".gguf":
        read_adapter(file, base.header)
        content = file.read_bytes()
    else:
        with open_profile(profile) as store:
            registry = AdapterRegistry(store)
            registry.verify(adapter, base)
            content = registry.read(adapter)
            needs_reader = "reader_sha256" in registry.get(adapter).provenance
    if peft is not None:
        parsed = read_adapter(content, base.header)
        write_peft(parsed, base.header, peft, base_name=base_name)
        talk(f"Wrote {peft}; load it with PEFT beside the model that {base.name} was made from.")
    if gguf is not None:
        write_atomic(gguf, content)
        talk(f"Wrote {gguf}. Run it with:")
        click.echo(_llama_server(base, gguf.resolve(), needs_reader))
    if modelfile is not None and gguf is not None:
        lines = [f"FROM {base.path}", f"ADAPTER {gguf.resolve()}", ""]
        write_atomic(modelfile, "\n".join(lines).encode())
        talk(f"Wrote {modelfile}; `ollama create NAME -f {modelfile}` makes a model of it.")
        if needs_reader:
            warn("It was trained on top of the reader, which the Modelfile leaves out.")


def _llama_server(base: BaseModel, adapter: Path, needs_reader: bool) -> str:
    """Return the command line for an exported adapter, with the reader that it was trained on."""
    from ondevice.adapters.builtin_reader import builtin_reader

    adapters = [adapter]
    reader = builtin_reader(base) if needs_reader else None
    if reader is not None:
        adapters.insert(0, Path(str(reader.file)))
    words = ["llama-server", "-m", str(base.path)]
    return shlex.join([*words, *(word for path in adapters for word in ("--lora", str(path)))])


@command.command("use")
@click.argument("adapter", metavar="NAME[:SCALE]", shell_complete=complete_adapters)
@profile_option
def use(adapter: str, profile: str | None) -> None:
    """Use an adapter from now on, in every chat; "reader" is the base model's own."""
    from ondevice.adapters.builtin_reader import READER
    from ondevice.adapters.registry import AdapterRegistry

    name, scale = parse_adapter(adapter)
    with open_profile(profile) as store:
        registry = AdapterRegistry(store)
        if scale is None:
            scale = 1.0 if name == READER else registry.get(name).scale
        registry.use(name, scale)
        talk(f"Using '{name}'{f' at {scale:g}' if scale != 1 else ''}.")


@command.command("off")
@click.argument("name", required=False, shell_complete=complete_adapters)
@profile_option
def off(name: str | None, profile: str | None) -> None:
    """Stop using an adapter, or all of the profile; "reader" only by its name."""
    from ondevice.adapters.registry import AdapterRegistry

    with open_profile(profile) as store:
        AdapterRegistry(store).off(name)
        talk(f"'{name}' is off." if name else "All adapters of the profile are off.")


@command.command("show")
@click.argument("name", shell_complete=complete_adapters)
@profile_option
@json_option
def show(name: str, profile: str | None, as_json: bool) -> None:
    """Show an adapter's base, rank, state, provenance and the records it was trained on."""
    from ondevice.adapters.registry import AdapterRegistry

    with open_profile(profile) as store:
        builtin = {row.name: row for row in _reader_row(store)}
        row = builtin[name] if name in builtin else AdapterRegistry(store).get(name)
        if as_json:
            print_json(dataclasses.asdict(row))
            return
        for key, value in _shown(row):
            say(f"{key:>16}  {value}")


def _shown(row: AdapterRow) -> Iterator[tuple[str, object]]:
    """Yield names and values for a person: lineage, recipe, metrics, state."""
    yield from [("name", row.name), ("id", row.id), ("state", row.state)]
    yield from [("scale", f"{row.scale:g}"), ("rank", row.rank), ("alpha", f"{row.alpha:g}")]
    yield from [("context", row.scope or "all"), ("created", day(row.created))]
    yield from [("base", row.base_sha256), ("file", row.file_sha256)]
    yield from row.provenance.items()
    training = row.training
    for key in ("method", "run", "from", "why", "token_budget", "persona_version"):
        if training.get(key) is not None:
            yield key.replace("_", " "), training[key]
    for stage in ("texts", "preferences"):
        if stage in training:
            part = training[stage]
            last = part["held_out_losses"][-1:] or [["", "unmeasured"]]
            yield (
                f"trained {stage}",
                f"{counted(part['steps'], 'step')}, {part['tokens']} tokens, "
                f"held-out loss {last[0][1]}",
            )
    if "recipe" in training:
        yield "recipe", " ".join(f"{k}={v}" for k, v in sorted(training["recipe"].items()))
    metrics = training.get("metrics", {})
    for arm, figure in sorted(metrics.get("arms", {}).items()):
        if figure[0] is not None:
            yield arm, _figure(*figure)
    for name, one in metrics.get("audits", {}).items():
        beyond = " EXCEEDED" if one["exceeded"] else ""
        yield f"audit {name}", f"{_figure(*one['change'])}, bound {one['bound']:g}{beyond}"
    if metrics:
        yield "decision", metrics["summary"]
    yield "records", f"{len(row.records)}: {', '.join(row.records)}"


def _figure(value: float, low: float | None, high: float | None, n: int) -> str:
    known = low is not None and high is not None and math.isfinite(high - low)
    return f"{value:.3f} {f'[{low:.3f}, {high:.3f}] ' if known else ''}n={n}"


@command.command("rollback")
@profile_option
def rollback(profile: str | None) -> None:
    """Undo the last change of which adapters are active; again goes further back."""
    with open_profile(profile) as store:
        active, lost = store.adapters.roll_back()
    names = ", ".join(f"{row.name}:{row.scale:g}" for row in active)
    talk(f"Active now: {names or 'none'}.")
    if lost:
        talk(f"{lost} that were active before are stale or gone, and stay off.")


@command.command("diff")
@click.argument("first", shell_complete=complete_adapters)
@click.argument("second", shell_complete=complete_adapters)
@profile_option
@json_option
def diff(first: str, second: str, profile: str | None, as_json: bool) -> None:
    """Compare two adapters: records, recipe, metrics, and how far apart their weights are."""
    from ondevice.adapters.comparison import compare
    from ondevice.adapters.registry import AdapterRegistry

    with open_profile(profile) as store:
        found = compare(AdapterRegistry(store), first, second)
    if as_json:
        print_json(found)
        return
    rows: list[tuple[object, ...]] = [
        ("records only there", len(found.only_first), len(found.only_second)),
        ("records in both", found.in_both, found.in_both),
        *((name, *pair) for name, pair in found.differences.items()),
    ]
    print_table(["", first, second], rows, "They are alike.")
    if found.cosine is None or found.distance is None:
        talk("Their weights cannot be compared: a file is gone, or they adapt other layers.")
    else:
        talk(
            f"Weights: cosine {found.cosine:.3f}, distance {found.distance:.3f} of the first "
            "one's length."
        )


@command.command("verify")
@click.argument("name", shell_complete=complete_adapters)
@profile_option
@model_option
def verify(name: str, profile: str | None, model: str | None) -> None:
    """Check an adapter's file, its base, and that the model really changes with it."""
    from ondevice.adapters.registry import AdapterRegistry
    from ondevice.engine.adapter_use import use_of_row
    from ondevice.engine.llama import LlamaEngine
    from ondevice.home import Home
    from ondevice.models.base_model import resolve
    from ondevice.settings import ModelSettings

    home = Home.default()
    base = resolve(model or "default", home)
    with open_profile(profile) as store:
        registry = AdapterRegistry(store)
        registry.verify(name, base)
        with LlamaEngine(base, ModelSettings(n_ctx=256), home) as engine:
            engine.set_adapters(
                [use_of_row(registry, registry.get(name), 1.0)]
            )  # runs the self-test
        talk(f"'{name}' is whole, made for {base.name}, and active when used.")


@command.command("remove")
@click.argument("name", shell_complete=complete_adapters)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@profile_option
def remove(name: str, yes: bool, profile: str | None) -> None:
    """Delete an adapter for good."""
    from ondevice.adapters.registry import AdapterRegistry

    with open_profile(profile) as store:
        registry = AdapterRegistry(store)
        registry.get(name)
        confirm(f"Delete the adapter '{name}' for good?", yes=yes)
        registry.remove(name)
        talk(f"'{name}' is gone.")
