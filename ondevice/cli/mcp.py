"""`ondevice mcp`: the memory as tools for other assistants."""

from __future__ import annotations

import click

from ondevice.cli.chat.session import open_memory, profile_option, scope_option


@click.command("mcp")
@profile_option
@scope_option
def command(profile: str | None, scope: str | None) -> None:
    """Serve the memory to other assistants (Model Context Protocol, stdio).

    The tools are search_memory, list_memories, add_memory (which waits for your
    approval) and forget_memory. A client starts this command itself; what it finds
    goes to that client, and to wherever that client sends it.
    """
    from ondevice.integrations.mcp_server import serve

    with open_memory(profile, scope) as memory:
        memory.reembedding.start()
        serve(memory)
