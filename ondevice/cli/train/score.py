"""`ondevice score`: how well a model, with or without an adapter, predicts given text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ondevice.cli.chat.session import load_settings
from ondevice.cli.completion.complete import complete_files, complete_models
from ondevice.cli.output import json_option, print_json, print_table
from ondevice.cli.paths import UserPath
from ondevice.cli.train.progress import adapter_file

if TYPE_CHECKING:
    from ondevice.home import Home
    from ondevice.models.base_model import BaseModel
    from ondevice.training.data import Document
    from ondevice.training.scoring import Score


@click.command("score")
@click.option("--base", default="default", metavar="NAME|FILE", show_default=True,
              shell_complete=complete_models, help="The base model.")  # fmt: skip
@click.option("--adapter", "adapters", multiple=True, metavar="FILE[:SCALE]",
              shell_complete=complete_files, help="An adapter file; repeatable.")  # fmt: skip
@click.option("--reader/--no-reader", help="With the base model's reader, as in chats.")
@click.option("--data", multiple=True, required=True, type=UserPath(),
              help="Text, Markdown or JSONL chats; repeatable.")  # fmt: skip
@click.argument("more", nargs=-1, type=UserPath(), metavar="[FILE]...")
@click.option("--engine", type=click.Choice(["llama", "trainer"]), default="llama",
              show_default=True, help="llama answers chats, trainer trains.")  # fmt: skip
@click.option(
    "--completion-only", is_flag=True, help="In chats, score only what the assistant says."
)
@click.option("--max-length", type=click.IntRange(min=8), default=512, show_default=True,
              help="Longest document in tokens; longer texts are cut.")  # fmt: skip
@json_option
def command(
    base: str,
    adapters: tuple[str, ...],
    reader: bool,
    data: tuple[Path, ...],
    more: tuple[Path, ...],
    engine: str,
    completion_only: bool,
    max_length: int,
    as_json: bool,
) -> None:
    """Measure how well a model predicts text and chats."""
    from ondevice.adapters.builtin_reader import needed_reader
    from ondevice.home import Home
    from ondevice.models.base_model import resolve
    from ondevice.training.scoring import read_documents, score

    home = Home.default()
    model = resolve(base, home)
    documents = read_documents(
        model,
        [*data, *more],
        max_length=max_length,
        completion_only=completion_only,
    )
    files: list[tuple[Path | bytes, float]] = [*map(adapter_file, adapters)]
    if reader:
        files.insert(0, (needed_reader(model).read(), 1.0))
    if engine == "trainer":
        n_ctx = load_settings().model.n_ctx
        result = score(model, documents, adapters=files, n_ctx=n_ctx)
    else:
        result = _score_by_llama(model, documents, files, max_length, home)
    if as_json:
        print_json(result)
        return
    print_table(
        ["document", "tokens", "nll"],
        [
            *((d.name, d.tokens, f"{d.nll:.4f}") for d in result.per_document),
            ("all", result.tokens, f"{result.nll:.4f}"),
            ("perplexity", "", f"{result.perplexity:.2f}"),
        ],
        "",
    )


def _score_by_llama(
    model: BaseModel,
    documents: list[Document],
    files: list[tuple[Path | bytes, float]],
    max_length: int,
    home: Home,
) -> Score:
    from ondevice.adapters.gguf_lora import read_adapter
    from ondevice.engine.adapter_use import use_of_content
    from ondevice.engine.llama import LlamaEngine
    from ondevice.settings import ModelSettings
    from ondevice.training.scoring import score_with

    uses = []
    for source, scale in files:
        base_sha256 = read_adapter(source, model.header).provenance.get("base_sha256")
        content = source if isinstance(source, bytes) else source.read_bytes()
        name = "reader" if isinstance(source, bytes) else source.stem
        uses.append(use_of_content(name, content, base_sha256, scale))
    with LlamaEngine(model, ModelSettings(n_ctx=max_length + 8), home) as engine:
        engine.set_adapters(uses)
        return score_with(
            documents,
            lambda tokens: -engine.score(tokens[1:], context=tokens[:1]).log_likelihood,
        )
