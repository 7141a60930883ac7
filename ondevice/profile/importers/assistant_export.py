"""What the exports of assistants have in common: a list of conversations in one JSON file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ondevice.profile.importers.document import (
    ImportedChunk,
    ImportedDocument,
    ImportFile,
    ImportOptions,
    hash_of_text,
)
from ondevice.profile.importers.json_stream import elements

_LIST_OF_OBJECTS = re.compile(rb"(\xef\xbb\xbf)?\s*\[\s*\{")


def begins_a_list(file: ImportFile, head: bytes) -> bool:
    """Whether a JSON file begins as a list of objects."""
    return file.suffix == ".json" and _LIST_OF_OBJECTS.match(head) is not None


def conversations(
    file: ImportFile,
    options: ImportOptions,
    *,
    assistant: str,
    title: str,
    identities: tuple[str, ...],
    chunks: Callable[[Mapping[str, Any], ImportOptions], Iterator[ImportedChunk]],
) -> Iterator[ImportedDocument]:
    """Yield the conversations of an export that hold something.

    Args:
        file: a JSON list of conversations.
        options: what to take.
        assistant: what people call the assistant.
        title: the name of the member that holds a conversation's title.
        identities: names of the members that identify it, the best first.
        chunks: yields the messages of one conversation.

    Raises:
        ImportSourceError: the file cannot be read, is no JSON, or is cut off.
    """
    for number, conversation in enumerate(elements(file)):
        if not isinstance(conversation, dict):
            continue
        if not (said := list(chunks(conversation, options))):
            continue
        found = next((conversation[name] for name in identities if conversation.get(name)), None)
        identity = found if isinstance(found, str) else f"{file.name}-{number}"
        named = conversation.get(title)
        yield ImportedDocument(
            name=f"{assistant}: {named}" if isinstance(named, str) and named.strip() else assistant,
            sha256=hash_of_text(identity, said),
            chunks=said,
            key=f"{assistant.lower()}:{identity}",
        )
