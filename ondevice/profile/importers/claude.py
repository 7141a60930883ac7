"""Claude's data export: `conversations.json`, alone or in its zip."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ondevice.profile.importers.document import (
    OWN,
    ImportedChunk,
    ImportedDocument,
    Importer,
    ImportFile,
    ImportOptions,
    hash_of_text,
)
from ondevice.profile.importers.json_stream import elements

_ROLES = {"human": OWN, "assistant": "assistant"}


def _recognises(file: ImportFile, head: bytes) -> bool:
    return file.suffix == ".json" and bool(
        re.match(rb"(\xef\xbb\xbf)?\s*\[\s*\{", head)
        and re.search(rb'"chat_messages"\s*:\s*\[', head)
    )


def documents(file: ImportFile, options: ImportOptions) -> Iterator[ImportedDocument]:
    """Yield the conversations of an export.

    Raises:
        ImportSourceError: the file cannot be read, is no JSON, or is cut off.
    """
    for number, conversation in enumerate(elements(file)):
        if not isinstance(conversation, dict):
            continue
        chunks = list(_chunks(conversation, options))
        if not chunks:
            continue
        identity = conversation.get("uuid")
        if not isinstance(identity, str):
            identity = f"{file.name}-{number}"
        title = conversation.get("name")
        yield ImportedDocument(
            name=f"Claude: {title}" if isinstance(title, str) and title.strip() else "Claude",
            sha256=hash_of_text(identity, chunks),
            chunks=chunks,
            key=f"claude:{identity}",
        )


def _chunks(conversation: Mapping[str, Any], options: ImportOptions) -> Iterator[ImportedChunk]:
    messages = conversation.get("chat_messages")
    for message in messages if isinstance(messages, list) else []:
        if not isinstance(message, dict):
            continue
        role = _ROLES.get(str(message.get("sender")))
        if attachments := message.get("attachments") or message.get("files"):
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


IMPORTER = Importer("claude", "Claude export", _recognises, documents, is_export=True)
