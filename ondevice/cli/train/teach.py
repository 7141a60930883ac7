"""`ondevice teach`: a reader, the adapter that makes a model use its notes."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ondevice.cli.completion.complete import complete_models
from ondevice.cli.output import size, talk
from ondevice.cli.paths import UserPath
from ondevice.cli.train.progress import display, parse_size


@click.command("teach")
@click.option("--base", default="default", metavar="NAME|FILE", show_default=True,
              shell_complete=complete_models, help="The base model.")  # fmt: skip
@click.option("--out", required=True, type=UserPath(),
              help="The adapter file to write; its card goes beside it.")  # fmt: skip
@click.option("--tokens", type=click.IntRange(min=1000), default=None,
              help="Tokens of dialogues to learn from. [default: as shipped]")  # fmt: skip
@click.option(
    "--memory-budget", type=parse_size, metavar="SIZE", help="Use no more memory than this."
)
@click.option("--threads", type=click.IntRange(min=0), default=0, show_default=True,
              help="Threads; 0: one per processor.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each event.")
def command(
    base: str,
    out: Path,
    tokens: int | None,
    memory_budget: int | None,
    threads: int,
    as_json: bool,
) -> int:
    """Teach a base model to read the notes about its user.

    The default model comes with such a reader. For another one, train it here and use it with:
    ondevice adapter add FILE --use. An interrupted training goes on when the same command is given
    again.
    """
    import dataclasses

    from ondevice.cli.train.commands import stop_on_interrupt
    from ondevice.home import Home
    from ondevice.learning.reader.teach import TeachSettings, teach
    from ondevice.models.base_model import resolve

    settings = TeachSettings()
    if tokens is not None:
        settings = dataclasses.replace(settings, n_tokens=tokens)
    home = Home.default()
    model = resolve(base, home)

    def answered(done: int, of: int) -> None:
        if as_json:
            click.echo(json.dumps({"kind": "answers", "done": done, "of": of}))
        elif done in (1, of):
            talk(f"The model's own answers to ordinary requests: {done} of {of}.", dim=True)

    def wrote(done: int, of: int) -> None:
        if as_json:
            click.echo(json.dumps({"kind": "texts", "done": done, "of": of}))
        elif done == of:
            talk(f"The model's own prose, to be left as it is: {of} texts.", dim=True)

    with display(as_json) as callback, stop_on_interrupt() as should_stop:
        result = teach(
            model,
            out,
            settings=settings,
            home=home,
            callback=callback,
            answered=answered,
            wrote=wrote,
            should_stop=should_stop,
            memory_budget=memory_budget,
            threads=threads,
        )
    if result.content is None:
        talk(f"Stopped after step {result.steps}; the same command goes on from there.")
        return 130
    if not as_json:
        talk(
            f"{out}: rank {result.recipe.rank}, {size(len(result.content))}, {result.steps} steps "
            f"over {result.n_tokens} tokens in {result.n_documents[0]} dialogues."
        )
    return 0
