"""ChatGPT's data export: `conversations.json`, alone or in its zip.

A conversation is a tree of messages: an edited question starts a new branch.
The branch that the person saw last leads from `current_node` to the root.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ondevice.importers.assistant_export import importer
from ondevice.importers.document import OWN, ImportedChunk, ImportOptions

MAX_TURNS = 100_000


def _chunks(conversation: Mapping[str, Any], options: ImportOptions) -> Iterator[ImportedChunk]:
    for message in _branch(conversation, options.left_out):
        role = _member(message, "author").get("role")
        metadata = _member(message, "metadata")
        content = _member(message, "content")
        kind = content.get("content_type")
        if role not in (OWN, "assistant"):
            options.left_out["messages of the system and of tools"] += 1
        elif metadata.get("is_visually_hidden_from_conversation") or message.get("weight") == 0:
            options.left_out["hidden messages"] += 1
        elif kind not in ("text", "multimodal_text") or message.get("recipient", "all") != "all":
            options.left_out["messages for tools, and custom instructions"] += 1
        elif role == "assistant" and not options.answers:
            options.left_out["answers of the assistant"] += 1
        elif not (text := _text(content)):
            options.left_out["messages without text"] += 1
        else:
            time = message.get("create_time")
            moment = float(time) if isinstance(time, int | float) and 0 < time < 1e11 else None
            yield ImportedChunk(text, role, moment)


def _branch(conversation: Mapping[str, Any], left_out: Counter[str]) -> list[Mapping[str, Any]]:
    """Return the messages from the root to `current_node`."""
    mapping = _member(conversation, "mapping")
    node_id = conversation.get("current_node")
    if not isinstance(node_id, str) or node_id not in mapping:
        node_id = _newest_leaf(mapping)
    messages: list[Mapping[str, Any]] = []
    seen: set[str] = set()
    while isinstance(node_id, str) and node_id not in seen and len(seen) < MAX_TURNS:
        seen.add(node_id)  # a damaged export may go round in a circle
        node = _member(mapping, node_id)
        if isinstance(message := node.get("message"), dict):
            messages.append(message)
        node_id = node.get("parent")
    others = sum(
        isinstance(node, dict) and isinstance(node.get("message"), dict)
        for key, node in mapping.items()
        if key not in seen
    )
    if others:
        left_out["messages of branches that were given up"] += others
    return messages[::-1]


def _newest_leaf(mapping: Mapping[str, Any]) -> str | None:
    """Return the last node that has no children, where the export does not say which it is."""
    leaves = [
        k for k, node in mapping.items() if isinstance(node, dict) and not node.get("children")
    ]
    return leaves[-1] if leaves else None


def _text(content: Mapping[str, Any]) -> str:
    """Return the text of all parts: strings, or objects such as transcripts of speech."""
    parts = content.get("parts")
    if not isinstance(parts, list):
        parts = [content.get("text")]
    texts = []
    for part in parts:
        if isinstance(part, dict):
            part = part.get("text")
        if isinstance(part, str) and part.strip():
            texts.append(part.strip())
    return "\n\n".join(texts)


def _member(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object inside an object, or an empty one if it is something else."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


IMPORTER = importer(
    "ChatGPT",
    holder="mapping",
    kind=dict,
    title="title",
    identities=("conversation_id", "id"),
    chunks=_chunks,
)
