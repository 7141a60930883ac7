"""Writes exports of any size, in every format that is imported, for benchmarks.

The words are made up of syllables; the same size gives the same bytes.

    python benchmarks/made_exports.py FORMAT MEGABYTES FILE
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

SYLLABLES = ["ka", "lo", "mi", "ren", "sta", "vor", "ü", "ñe", "th", "gar", "den", "ro", "se", "bi"]
START = 1_500_000_000  # seconds since 1970; a message a minute from there
MAILS_OF_OTHERS = 2  # for one of the person's own


class _Words:
    """Sentences of words that do not exist."""

    def __init__(self) -> None:
        self._chance = random.Random(7)
        choices = self._chance.choices
        words = ["".join(choices(SYLLABLES, k=self._chance.randint(1, 4))) for _ in range(5000)]
        self._pools = {
            length: [" ".join(choices(words, k=length)).capitalize() + "." for _ in range(500)]
            for length in (4, 12, 30, 60, 150)
        }

    def said(self) -> str:
        """Return what a person types: a few words, or some dozens."""
        return self.of(self._chance.choice((4, 12, 12, 30, 60)))

    def of(self, length: int) -> str:
        """Return a sentence of `length` words, one of those of the pools."""
        return self._chance.choice(self._pools[length])


def _chatgpt(words: _Words) -> Iterator[str]:
    """Yield conversations of 20 messages."""
    conversation = 0
    while True:
        tree: dict[str, Any] = {"root": {"id": "root", "message": None, "parent": None}}
        parent = "root"
        for number in range(20):
            own = number % 2 == 0
            tree[f"n{number}"] = {
                "id": f"n{number}",
                "parent": parent,
                "children": [],
                "message": {
                    "author": {"role": "user" if own else "assistant", "metadata": {}},
                    "create_time": START + 1000.0 * conversation + number,
                    "content": {
                        "content_type": "text",
                        "parts": [words.said() if own else words.of(150)],
                    },
                    "status": "finished_successfully",
                    "weight": 1.0,
                    "metadata": {"model_slug": "x", "timestamp_": "absolute"},
                    "recipient": "all",
                },
            }
            parent = f"n{number}"
        written = {
            "title": words.of(4),
            "mapping": tree,
            "current_node": parent,
            "conversation_id": f"c{conversation}",
        }
        yield (",\n" if conversation else "[") + json.dumps(written)
        conversation += 1


def _telegram(words: _Words) -> Iterator[str]:
    yield (
        '{"about": "Here is the data you requested.",\n "personal_information": {"user_id": 7},\n'
        ' "chats": {"about": "", "list": [{"name": "Ben", "type": "personal_chat", "id": 8,\n'
        '  "messages": [\n'
    )
    number = 0
    while True:
        own = number % 3 == 0
        text = words.said()
        message = {
            "id": number,
            "type": "message",
            "date": datetime.fromtimestamp(START + 60 * number, UTC).isoformat()[:19],
            "date_unixtime": str(START + 60 * number),
            "from": "Anna" if own else "Ben",
            "from_id": "user7" if own else "user8",
            "text": text if number % 5 else [text, {"type": "bold", "text": words.of(4)}],
            "text_entities": [{"type": "plain", "text": text}],
        }
        yield (",\n" if number else "") + json.dumps(message, ensure_ascii=False, indent=1)
        number += 1


def _mbox(words: _Words) -> Iterator[str]:
    number = 0
    while True:
        own = number % (MAILS_OF_OTHERS + 1) == 0
        date = format_datetime(datetime.fromtimestamp(START + 60 * number, UTC))
        attached = "QUJD" * 19 + "\n"
        yield (
            f"From anna@example.org Mon Jan  1 10:00:00 2024\n"
            f"From: {'Anna <anna@example.org>' if own else 'Ben <ben@example.org>'}\n"
            f"To: someone@example.org\nMessage-ID: <{number}@example.org>\nDate: {date}\n"
            f"Subject: {words.of(4)}\nMIME-Version: 1.0\n"
            "Content-Type: multipart/mixed; boundary=limit\n\n"
            "--limit\nContent-Type: text/plain; charset=utf-8\n"
            "Content-Transfer-Encoding: 8bit\n\n"
            f"{words.of(60)}\n\n{words.of(30)}\n\nOn Mon, Ben wrote:\n> {words.of(30)}\n\n"
            "--limit\nContent-Type: application/octet-stream\n"
            "Content-Disposition: attachment; filename=a.bin\n"
            f"Content-Transfer-Encoding: base64\n\n{attached * (40 if number % 4 == 0 else 0)}\n"
            "--limit--\n\n"
        )
        number += 1


def _whatsapp(words: _Words) -> Iterator[str]:
    number = 0
    while True:
        date = datetime.fromtimestamp(START + 60 * number, UTC).strftime("%d/%m/%Y, %H:%M")
        yield f"{date} - {'Anna' if number % 3 else 'Ben'}: {words.said()}\n"
        number += 1


def _jsonl(words: _Words) -> Iterator[str]:
    number = 0
    while True:
        message = {
            "role": ("user", "assistant")[number % 2],
            "content": words.said() if number % 2 == 0 else words.of(150),
            "time": START + 60 * number,
        }
        yield json.dumps(message, ensure_ascii=False) + "\n"
        number += 1


def _markdown(words: _Words) -> Iterator[str]:
    yield f"---\ndate: 2024-05-01\n---\n# {words.of(4)}\n\n"
    while True:
        yield f"## {words.of(4)}\n\n{words.of(60)} See [[{words.of(4)}|this]].\n\n"
        yield words.of(150) + "\n\n"


def _text(words: _Words) -> Iterator[str]:
    while True:
        yield words.of(150) + "\n\n"


# format -> (what it is made of, how it ends, what it is called)
FORMATS: dict[str, tuple[Callable[[_Words], Iterator[str]], str, str]] = {
    "chatgpt": (_chatgpt, "]", "conversations.json"),
    "telegram": (_telegram, "]}]}}", "result.json"),
    "mbox": (_mbox, "", "Mail.mbox"),
    "whatsapp": (_whatsapp, "", "WhatsApp Chat with Ben.txt"),
    "jsonl": (_jsonl, "", "chat.jsonl"),
    "markdown": (_markdown, "", "notes.md"),
    "text": (_text, "", "notes.txt"),
}


def write_export(kind: str, folder: Path, size: int) -> Path:
    """Write an export of about `size` bytes to `folder` and return its path."""
    pieces, end, name = FORMATS[kind]
    path = folder / name
    written = 0
    with path.open("w", encoding="utf-8", buffering=1 << 20) as file:
        for piece in pieces(_Words()):
            written += file.write(piece)
            if written >= size:
                break
        file.write(end)
    return path


if __name__ == "__main__":
    print(write_export(sys.argv[1], Path(sys.argv[3]), int(sys.argv[2]) * 1_000_000))
