"""The memory as tools of the Model Context Protocol, over standard input and output.

No model is loaded: search, list, add and forget need the profile and the
embedder only.  What another program adds waits for the person's approval.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ondevice.errors import OndeviceError, RecordNotFoundError

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from ondevice.memory.service import Memory

INSTRUCTIONS = (
    "The user's private memory on their own machine. Search it before answering about the user. "
    "Add only what the user asked to remember; it waits for their approval. Forget only what the "
    "user asked to forget: it cannot be undone."
)
P = ParamSpec("P")
R = TypeVar("R")
MOST = 50  # memories returned at once


def serve(memory: Memory) -> None:
    """Answer a client on standard input and output until it closes them."""
    make_server(memory).run("stdio")


def make_server(memory: Memory) -> MCPServer:
    """Return a server with the four tools.

    Args:
        memory: only what belongs to its context, or to none, is seen.

    Raises:
        OndeviceError: the package `mcp` is not installed.
    """
    try:
        from mcp.server import MCPServer
        from mcp.types import ToolAnnotations
    except ImportError as error:
        raise OndeviceError(
            "The package `mcp` is not installed; run: pip install 'ondevice[mcp]'"
        ) from error

    from ondevice import __version__

    tools = _Tools(memory)
    server = MCPServer("ondevice", instructions=INSTRUCTIONS, version=__version__)
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    adds = ToolAnnotations(destructive_hint=False, open_world_hint=False)
    forgets = ToolAnnotations(destructive_hint=True, open_world_hint=False)
    server.tool(annotations=reads)(_telling(tools.search_memory))
    server.tool(annotations=reads)(_telling(tools.list_memories))
    server.tool(annotations=adds)(_telling(tools.add_memory))
    server.tool(annotations=forgets)(_telling(tools.forget_memory))
    return server


def _telling(tool: Callable[P, R]) -> Callable[P, R]:
    """Return a tool whose refusals reach the client as the sentence that they are.

    Of any other exception than its own the package tells the client nothing and logs a traceback.
    """
    from mcp.server.mcpserver.exceptions import ToolError

    @functools.wraps(tool)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return tool(*args, **kwargs)
        except OndeviceError as error:
            raise ToolError(str(error)) from error

    return call


class _Tools:
    """The tools; their docstrings are what a client's model reads."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def search_memory(self, query: str, limit: int = 5) -> list[dict[str, Any]]:
        """Find what the user said, wrote or imported that fits a question, best first.

        Args:
            query: the question or some words.
            limit: how many memories at most, up to 50.
        """
        found = self._memory.search(query, k=max(1, min(limit, MOST)))
        return [
            {
                "id": memory.id,
                "text": memory.text,
                "score": round(memory.score, 4),
                "source": memory.source,
                "time": memory.time,
            }
            for memory in found
        ]

    def list_memories(self, state: str = "active", limit: int = MOST) -> list[dict[str, Any]]:
        """List the facts that are remembered about the user, newest first.

        Args:
            state: "active" ones are used, "pending" ones wait for the user's approval.
            limit: how many at most, up to 50.
        """
        if state not in ("active", "pending"):
            raise OndeviceError("There is no state of that name; give 'active' or 'pending'.")
        facts = sorted(self._memory.list(state), key=lambda f: f.time, reverse=True)
        return [
            {"id": fact.id, "text": fact.text, "category": fact.category, "time": fact.time}
            for fact in facts[: max(1, min(limit, MOST))]
        ]

    def add_memory(self, text: str) -> dict[str, Any]:
        """Propose a fact about the user; it is not used before the user has approved it.

        The answer has the text as it will be kept, and the facts that it will replace.

        Args:
            text: one short statement, such as "The user's dog is called Biscuit."
        """
        if not text.strip() or len(text) > 1000:
            raise OndeviceError(
                "A memory is one statement of at most 1000 characters; write a shorter one."
            )
        kept = self._memory.suggest(text)
        return {
            "id": kept.fact.id,
            "text": kept.fact.text,
            "state": kept.fact.state,
            "will_replace": [{"id": other.id, "text": other.text} for other in kept.replaced],
        }

    def forget_memory(self, id: str) -> dict[str, Any]:
        """Delete one memory for good, with everything that was learned from it.

        Args:
            id: the whole id of a memory, as search_memory and list_memories return it.
        """
        from ondevice.store.ids import LENGTH

        if len(id) != LENGTH or not self._memory.profile.has(id):
            raise RecordNotFoundError("There is no memory with that id; search for it first.")
        report = self._memory.forget(id).report
        return {
            "forgotten": list(report.records),
            "adapters_stale": list(report.adapters_stale),
        }
