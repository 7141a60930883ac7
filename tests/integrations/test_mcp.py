"""`ondevice mcp`, spoken to by the official client."""

from __future__ import annotations

import json
import os
import sys

import anyio
import pytest
from mcp import Client, StdioServerParameters

from ondevice.cli import run
from ondevice.errors import RecordNotFoundError
from ondevice.remedies import Remedy
from ondevice.store.profile import Profile

pytestmark = pytest.mark.model  # the server is a whole program

PROGRAM = "import sys; from ondevice.cli import run; sys.exit(run(['mcp']))"


def talk(conversation):
    """Start `ondevice mcp` as a client does and run `conversation` with it."""

    async def main():
        server = StdioServerParameters(
            command=sys.executable, args=["-c", PROGRAM], env=dict(os.environ)
        )
        async with Client(server) as client:

            async def call(tool, **arguments):
                answer = await client.call_tool(tool, arguments)
                text = [json.loads(c.text) if not answer.is_error else c.text
                        for c in answer.content]  # fmt: skip
                return answer.is_error, text

            await conversation(client, call)

    anyio.run(main)


def test_search_add_list_and_forget(home):
    with Profile.open(home, create=True):
        pass
    run(["memory", "add", "My dog is called Biscuit."])

    async def conversation(client, call):
        assert {tool.name for tool in (await client.list_tools()).tools} == {
            "search_memory", "list_memories", "add_memory", "forget_memory",
        }  # fmt: skip
        _, found = await call("search_memory", query="what is the dog called?")
        assert "Biscuit" in found[0]["text"]
        _, (added,) = await call("add_memory", text="My cat is called Mia.")
        assert added["state"] == "pending"
        assert (await call("add_memory", text="My cat is called Mia."))[1] == [added]
        _, found = await call("search_memory", query="what is the cat called?")
        assert all("Mia" not in memory["text"] for memory in found)  # nobody has approved it
        assert (await call("list_memories", state="pending"))[1][0]["id"] == added["id"]
        _, (dog,) = await call("list_memories")
        error, _ = await call("forget_memory", id=dog["id"])
        assert not error
        assert (await call("list_memories"))[1] == []
        for tool, arguments in (
            ("forget_memory", {"id": dog["id"]}),
            ("forget_memory", {"id": ""}),
            ("add_memory", {"text": " "}),
            ("list_memories", {"state": "all"}),
            ("search_memory", {}),
        ):
            error, text = await call(tool, **arguments)
            assert error and "Traceback" not in text[0]
        for tool, arguments, sentence in (
            ("forget_memory", {"id": "zzz"}, "There is no memory with that id"),
            ("add_memory", {"text": "x" * 1001}, "at most 1000 characters"),
            ("list_memories", {"state": "all"}, "'active' or 'pending'"),
        ):
            error, text = await call(tool, **arguments)
            assert error and sentence in text[0]

    talk(conversation)
    with Profile.open(home) as profile:
        assert [(f.state, "Mia" in f.text) for f in profile.facts.all()] == [("pending", True)]


def test_an_added_memory_is_shown_as_it_will_be_kept(home):
    with Profile.open(home, create=True):
        pass
    run(["memory", "add", "I am allergic to penicillin."])

    async def conversation(client, call):
        _, (added,) = await call("add_memory", text="The user is not allergic to penicillin.")
        assert added["text"] == "The user is not allergic to penicillin."
        assert [fact["text"] for fact in added["will_replace"]] == [
            "The user is allergic to penicillin."
        ]
        _, (other,) = await call("add_memory", text="The user is no longer a member there.")
        assert "no longer" in other["text"] and other["will_replace"] == []

    talk(conversation)
    with Profile.open(home) as profile:
        assert [fact.state for fact in profile.facts.all()] == ["active", "pending", "pending"]


def test_what_another_process_forgets_is_not_found(home):
    with Profile.open(home, create=True):
        pass
    run(["memory", "add", "My dog is called Biscuit."])

    async def conversation(client, call):
        assert (await call("search_memory", query="dog"))[1]
        with Profile.open(home) as profile:
            profile.forget([profile.facts.all()[0].id])
        assert (await call("search_memory", query="dog"))[1] == []

    talk(conversation)


def test_an_error_says_what_to_do_in_the_words_of_the_tools(home, monkeypatch):
    """A client's model reads it: it has tools, and no terminal."""
    from mcp.server import MCPServer

    from ondevice.integrations.mcp_server import make_server
    from ondevice.memory.service import Memory

    def gone(self, *ids):
        raise RecordNotFoundError("It has gone.", Remedy.LIST_MEMORIES)

    monkeypatch.setattr(Memory, "forget", gone)
    with Memory.open() as memory:
        kept = memory.remember("My dog is called Biscuit.")
        server: MCPServer = make_server(memory)

        async def main():
            async with Client(server) as client:
                return await client.call_tool("forget_memory", {"id": kept.id})

        answer = anyio.run(main)
    assert answer.is_error
    assert "It has gone; list_memories and search_memory return the ids." in answer.content[0].text


def test_without_the_package_there_is_one_sentence(home, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.setitem(sys.modules, "mcp.server", None)
    assert run(["mcp"]) == 1
    assert "ondevice[mcp]" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["mcp", "llm", "ijson"])
def test_the_command_line_starts_without_it(module):
    import subprocess

    code = f"import sys; from ondevice.cli import run; run(['--help']); assert {module!r} not in sys.modules"  # noqa: E501
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert done.returncode == 0, done.stderr
