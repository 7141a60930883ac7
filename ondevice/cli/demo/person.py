"""Ottilie, who keeps a lock on a canal and does not exist: her notes, chats and facts.

Written for this project and given to the public domain (CC0), in
`data/ottilie.jsonl`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from importlib import resources
from typing import Any

from ondevice.memory.embedders.protocol import Embedder
from ondevice.memory.embedding import embedded
from ondevice.memory.facts import candidate_for
from ondevice.store.profile import Profile
from ondevice.store.records import NewPassage

NAME = "Ottilie, who keeps a lock on a canal"


def rows() -> list[dict[str, Any]]:
    """Return what she wrote and said, the oldest first."""
    text = (resources.files("ondevice.cli.demo") / "data" / "ottilie.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def store(
    profile: Profile, embedder: Embedder, progress: Callable[[int, int], None] | None = None
) -> int:
    """Store all of it in `profile`, as if it had come in over the year; return how many records."""
    everything = rows()
    notes = [row for row in everything if row["kind"] == "note"]
    source = profile.sources.add("import", "lock-keeper's log", time=_time(notes[0]))
    passages = [NewPassage(row["text"], time=_time(row)) for row in notes]
    profile.passages.add(source.id, passages, embedded(embedder, [p.text for p in passages]))
    n_records = len(passages)
    for row in everything:
        if progress is not None:
            progress(n_records, len(everything))
        if row["kind"] == "fact":
            found = candidate_for(row["text"])
            profile.facts.add(
                found.text,
                category=found.category,
                subject=found.subject,
                vector=embedded(embedder, [found.text]),
                time=_time(row),
            )
            n_records += 1
        elif row["kind"] == "chat":
            n_records += _store_chat(profile, embedder, row)
    return n_records


def _store_chat(profile: Profile, embedder: Embedder, row: dict[str, Any]) -> int:
    moment = _time(row)
    talk = profile.turns.new_conversation()
    question, answer = row["question"], row["answer"]
    profile.turns.add(talk, "user", question, time=moment, vector=embedded(embedder, [question]))
    turn = profile.turns.add(talk, "assistant", answer, time=moment)
    profile.feedback.add(turn.id, row["verdict"], row.get("wanted"), time=moment)
    return 3


def _time(row: dict[str, Any]) -> float:
    return datetime.fromisoformat(row["time"]).timestamp()
