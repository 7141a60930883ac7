"""What the exports of assistants have in common: a list of conversations in one JSON file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ondevice.importers.document import (
    ImportedChunk,
    ImportedDocument,
    Importer,
    ImportFile,
    ImportOptions,
    hash_of_text,
)
from ondevice.importers.json_stream import BrokenElement, elements

_LIST_OF_OBJECTS = re.compile(rb"(\xef\xbb\xbf)?\s*\[\s*\{")


def importer(
    assistant: str,
    *,
    holder: str,
    kind: type[list[Any]] | type[dict[str, Any]],
    title: str,
    identities: tuple[str, ...],
    chunks: Callable[[Mapping[str, Any], ImportOptions], Iterator[ImportedChunk]],
) -> Importer:
    """Return an importer for an assistant's `conversations.json`, alone or in its zip.

    Args:
        assistant: what people call it.
        holder: the name of the member that holds a conversation's messages.
        kind: what that member is.
        title: the name of the member that holds its title.
        identities: names of the members that identify it, the best first.
        chunks: yields the messages of one conversation.
    """
    opening = "{" if kind is dict else "["
    holds_messages = re.compile(rf'"{holder}"\s*:\s*\{opening}'.encode())

    def recognises(file: ImportFile, head: bytes) -> bool:
        begins_a_list = file.suffix == ".json" and _LIST_OF_OBJECTS.match(head) is not None
        return begins_a_list and holds_messages.search(head) is not None

    def documents(file: ImportFile, options: ImportOptions) -> Iterator[ImportedDocument]:
        seen: set[int] = set()  # hashes: of a large export the identities would need much memory
        for number, conversation in enumerate(elements(file, options.left_out)):
            place = f"conversation {number + 1}"
            if isinstance(conversation, BrokenElement):
                options.skip(f"{file.name}, {place}", f"{file}, {place}: {conversation.why}")
                continue
            if not isinstance(conversation, dict) or not isinstance(conversation.get(holder), kind):
                why = f"{file}, {place}: it has no messages that can be read."
                options.skip(f"{file.name}, {place}", why)
                continue
            if not (said := list(chunks(conversation, options))):
                continue
            found = next((conversation[name] for name in identities if conversation.get(name)), 0)
            identity = found if isinstance(found, str) else f"{file.name}-{number}"
            named = conversation.get(title)
            has_title = isinstance(named, str) and named.strip()
            yield ImportedDocument(
                name=f"{assistant}: {named}" if has_title else assistant,
                sha256=hash_of_text(identity, said),
                chunks=said,
                key=f"{assistant.lower()}:{identity}",
                is_another=hash(identity) in seen,
            )
            seen.add(hash(identity))

    return Importer(assistant.lower(), f"{assistant} export", recognises, documents, is_export=True)
