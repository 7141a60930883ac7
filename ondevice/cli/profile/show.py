"""`ondevice profile show`: what is in a profile, and how far it is embedded."""

from __future__ import annotations

import click

from ondevice.cli.chat.session import open_memory
from ondevice.cli.completion.complete import complete_profiles
from ondevice.cli.output import counted, embedding_line, json_option, print_json, say


@click.command("show")
@click.argument("name", required=False, shell_complete=complete_profiles)
@json_option
def show_command(name: str | None, as_json: bool) -> None:
    """Show what is in a profile, and which embedder it is searched by."""
    with open_memory(name) as memory:
        profile = memory.profile
        state = memory.recall.embedding.state()
        facts = len(profile.facts.all(state="active"))
        records, sources = profile.sources.count_records(), len(profile.sources.all())
        if as_json:
            print_json(
                {
                    "name": profile.name,
                    "path": str(profile.folder),
                    "records": records,
                    "facts": facts,
                    "sources": sources,
                    "embedder": vars(state),
                }
            )
            return
        say(f"Profile {profile.name} in {profile.folder}")
        say(f"Records: {records}, among them {counted(facts, 'fact')} in use")
        say(f"Sources: {sources} imports and conversations")
        say(f"Embedder: {embedding_line(state)}")
