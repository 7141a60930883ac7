"""Telegram Desktop's export as JSON: `result.json`, of one chat or of all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from ondevice.importers.document import (
    OWN,
    ImportedChunk,
    ImportedDocument,
    Importer,
    ImportFile,
    ImportOptions,
    hash_of_text,
    join_bursts,
    speaker_name,
)
from ondevice.importers.json_stream import events
from ondevice.remedies import Notice, Remedy

# Chats with one other person: whoever is not the other one is the owner of the export.
_PERSONAL = ("personal_chat", "bot_chat")


def _recognises(file: ImportFile, head: bytes) -> bool:
    return file.suffix == ".json" and bool(
        re.match(rb"(\xef\xbb\xbf)?\s*\{", head)
        and (
            (
                re.search(rb'"messages"\s*:\s*\[', head)
                and re.search(rb'"type"\s*:\s*"[a-z_]*(chat|group|channel|saved_messages)', head)
            )
            or (
                re.search(rb'"(personal_information|chats)"\s*:\s*\{', head)
                and re.search(rb'"about"|"list"', head)
            )
        )
    )


def documents(file: ImportFile, options: ImportOptions) -> Iterator[ImportedDocument]:
    """Yield the chats of an export.

    Raises:
        ImportSourceError: the file cannot be read, is cut off, or does not tell who the person is.
    """
    version = file.sha256()
    seen: Counter[str] = Counter()
    reader = _Reader(file, options)
    while (head := reader.next_chat()) is not None:
        name = head.get("name") if isinstance(head.get("name"), str) else "Saved Messages"
        key = f"telegram:{head.get('id', name)}"
        messages = reader.messages()
        yield ImportedDocument(
            name=f"Telegram: {name}",
            sha256=hash_of_text(version, key, seen[key]),
            chunks=join_bursts(_chunks(messages, head, reader.owner, file, options)),
            key=key,
            is_another=key in seen,
        )
        seen[key] += 1
        for _ in messages:  # nobody wanted them: go on to the next chat
            pass


class _Reader:
    """Walks the file's events once; chats and their messages in the order they stand."""

    def __init__(self, file: ImportFile, options: ImportOptions) -> None:
        self._events = events(file, "messages.item", options.left_out)
        self.owner: str | None = None  # "user1234" of the whole export
        self._list = ""  # the prefix of the messages of the current chat

    def next_chat(self) -> dict[str, Any] | None:
        """Go on to the list of messages of the next chat and return what stood before it."""
        head: dict[str, Any] = {}
        for prefix, event, value in self._events:
            if prefix == "personal_information.user_id" and isinstance(value, int):
                self.owner = f"user{value}"
            elif event == "start_map" and prefix.endswith("list.item"):
                head = {}
            elif event == "start_array" and prefix.split(".")[-1] == "messages":
                self._list = prefix
                return head
            elif event in ("string", "number") and prefix.count(".") in (0, 3):
                head[prefix.rsplit(".", 1)[-1]] = value
        return None

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield the messages of the current chat."""
        import ijson

        builder: Any = None
        base = f"{self._list}.item"
        for prefix, event, value in self._events:
            if builder is None:
                if event == "end_array" and prefix == self._list:
                    return
                if event != "start_map" or prefix != base:
                    continue  # only objects are messages
                builder = ijson.ObjectBuilder()
            builder.event(event, value)
            if event == "end_map" and prefix == base:
                yield builder.value
                builder = None


def _chunks(
    messages: Iterator[dict[str, Any]],
    head: Mapping[str, Any],
    owner: str | None,
    file: ImportFile,
    options: ImportOptions,
) -> Iterator[ImportedChunk]:
    mine_known = bool(options.me or owner) or head.get("type") in (*_PERSONAL, "saved_messages")
    asked = False
    for message in messages:
        if message.get("type") != "message":
            options.left_out["system lines"] += 1
            continue
        text = _text(message.get("text"))
        if not text:
            options.left_out["messages without text"] += 1
            continue
        if not mine_known and not asked:
            asked = True
            why = f"{file} does not tell who you are."
            options.need(str(file), Notice(why, Remedy.CHOOSE_PERSON(of_these="name or id")))
        sender, sender_id = message.get("from"), message.get("from_id")
        if forwarded := message.get("forwarded_from") or message.get("via_bot"):
            yield ImportedChunk(text, None, _time(message), speaker_name(forwarded))
        elif _is_mine(sender, sender_id, head, owner, options):
            yield ImportedChunk(text, OWN, _time(message))
        else:
            yield ImportedChunk(text, None, _time(message), speaker_name(sender))


def _is_mine(
    sender: Any,
    sender_id: Any,
    head: Mapping[str, Any],
    owner: str | None,
    options: ImportOptions,
) -> bool:
    name, identity = str(sender), str(sender_id)
    if head.get("type") == "saved_messages":  # what was forwarded there was told apart before
        return True
    if options.me:
        return options.is_me(name, identity, identity.removeprefix("user"))
    if owner is not None:
        return identity == owner
    if head.get("type") not in _PERSONAL:
        return False
    return identity != f"user{head.get('id')}" and name != head.get("name")


def _text(value: Any) -> str:
    """Return a text that is a string, or a list of strings and of objects with one."""
    parts = value if isinstance(value, list) else [value]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return "".join(text for text in texts if isinstance(text, str)).strip()


def _time(message: Mapping[str, Any]) -> float | None:
    value, date = message.get("date_unixtime"), message.get("date")
    try:
        if value is not None:
            return float(value) if 0 < float(value) < 1e11 else None
        return datetime.fromisoformat(str(date)).timestamp()  # older exports: local time
    except (TypeError, ValueError, OverflowError):
        return None


IMPORTER = Importer("telegram", "Telegram export", _recognises, documents, is_export=True)
