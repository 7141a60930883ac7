"""Claude's data export: `conversations.json`, alone or in its zip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ondevice.importers.assistant_export import importer
from ondevice.importers.document import OWN, ImportedChunk, ImportOptions

_ROLES = {"human": OWN, "assistant": "assistant"}


def _chunks(conversation: Mapping[str, Any], options: ImportOptions) -> Iterator[ImportedChunk]:
    messages = conversation.get("chat_messages")
    for message in messages if isinstance(messages, list) else []:
        if not isinstance(message, dict):
            continue
        role = _ROLES.get(str(message.get("sender")))
        attachments = message.get("attachments") or message.get("files")
        if isinstance(attachments, list):
            options.left_out["attached files"] += len(attachments)
        if role is None:
            options.left_out["messages of the system and of tools"] += 1
        elif role == "assistant" and not options.answers:
            options.left_out["answers of the assistant"] += 1
        elif not (text := _text(message)):
            options.left_out["messages without text"] += 1
        else:
            yield ImportedChunk(text, role, _time(message.get("created_at")))


def _text(message: Mapping[str, Any]) -> str:
    """Return the text parts; older exports have only the whole as `text`."""
    content = message.get("content")
    parts = [
        part["text"].strip()
        for part in (content if isinstance(content, list) else [])
        if isinstance(part, dict)
        and part.get("type") == "text"
        and isinstance(part.get("text"), str)
    ]
    text = "\n\n".join(part for part in parts if part)
    whole = message.get("text")
    return text or (whole.strip() if isinstance(whole, str) else "")


def _time(value: object) -> float | None:
    try:
        moment = datetime.fromisoformat(str(value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


IMPORTER = importer(
    "Claude",
    holder="chat_messages",
    kind=list,
    title="name",
    identities=("uuid",),
    chunks=_chunks,
)
