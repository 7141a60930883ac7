"""Everything about a person as files that anybody can read: JSON for programs, Markdown for people.

The files are *not* encrypted.  They hold what the profile holds, except vectors and adapters'
weights, which say nothing to a reader.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ondevice.errors import ProfileExistsError
from ondevice.ground.dates import to_the_minute
from ondevice.ground.files import atomic_writer, expanded, private_folder
from ondevice.store.leftovers import held
from ondevice.store.records import Fact, Passage, Source, Turn

if TYPE_CHECKING:
    from ondevice.store.profile import Profile
    from ondevice.store.records import Record

WARNING = (
    "These files hold everything that the profile knows about you, and they are not encrypted. "
    "Whoever can read the folder can read it all. Delete it when you no longer need it."
)

MOST_NAME_BYTES = 120  # of a source, in the name of its files


def export_readable(profile: Profile, folder: Path) -> list[Path]:
    """Write everything in `profile` to the new folder `folder`, in clear.

    Returns:
        The files that were written.

    Raises:
        ProfileExistsError: `folder` exists and is not empty.
        OSError: it cannot be written; nothing is left there.
    """
    folder = expanded(folder).absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ProfileExistsError(f"{folder} exists already; choose a new folder.")
    private_folder(folder.parent)
    # Not hidden: if the process dies, the person sees what it left there, in clear.
    draft = Path(tempfile.mkdtemp(prefix=f"{folder.name}-unfinished-", dir=folder.parent))
    try:
        with held(draft):
            profile.copies.begin("readable", draft)
            names = [_write(draft / name, content) for name, content in _contents(profile)]
            if folder.exists():
                folder.rmdir()
            profile.copies.note("readable", str(folder))  # while it can still be taken back
            draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return [folder / path.relative_to(draft) for path in names]


def _contents(profile: Profile) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield the name and the pieces of each file."""
    facts = profile.facts.all()
    yield "README.md", [f"# What ondevice knows about you\n\n**{WARNING}**\n\n", *_guide(profile)]
    yield "facts.json", [_json([dataclasses.asdict(fact) for fact in facts])]
    yield "facts.md", ["# Facts\n\n", *(_fact_line(fact) for fact in facts)]
    sources = profile.sources.all()
    yield "sources.json", [_json([dataclasses.asdict(source) for source in sources])]
    for source in sources:
        kind = "conversations" if source.kind == "conversation" else "imports"
        name = f"{kind}/{source.id}-{_file_name(source.name)}"
        yield f"{name}.md", _pages(source, profile.sources.members(source.id))
        yield (
            f"{name}.json",
            [_json([_plain(record) for record in profile.sources.members(source.id)])],
        )
    yield "feedback.json", [_json([dataclasses.asdict(given) for given in profile.feedback.all()])]
    yield "adapters.json", [_json([dataclasses.asdict(row) for row in profile.adapters.all()])]
    settings = {
        "retention": dataclasses.asdict(profile.retention.days()),
        "reader_scale": profile.adapters.reader_scale(),
    }
    yield "settings.json", [_json(settings)]
    yield "log.json", [_json([dataclasses.asdict(event) for event in profile.journal.events()])]


def _guide(profile: Profile) -> Iterator[str]:
    yield f"The profile '{profile.name}', {_day(None)}.\n\n"
    for name, what in (
        ("facts", "statements about you"),
        ("conversations", "what you and the model said"),
        ("imports", "texts that you imported"),
        ("feedback", "your verdicts on answers"),
        ("adapters", "what was trained, and on which records (not the weights)"),
        ("settings", "how long what is kept"),
        ("log", "what was imported, learned and forgotten, without texts"),
    ):
        yield f"- `{name}`: {what}\n"


def _fact_line(fact: Fact) -> str:
    marks = ", ".join([fact.category, fact.state, *(["pinned"] if fact.pinned else [])])
    return f"- {_day(fact.time)} {' '.join(fact.text.split())} ({marks})\n"


def _pages(source: Source, records: list[Record]) -> Iterator[str]:
    yield f"# {' '.join(source.name.split())}\n\n{_day(source.time)}\n\n"
    for record in records:
        who = record.role if isinstance(record, Turn) else getattr(record, "speaker", None)
        yield f"**{who}**, {_day(record.time)}:\n\n" if who else ""
        if record.state == "superseded" and not isinstance(record, Fact):
            yield "*A former wording, corrected since:*\n\n"
        yield f"{record.text}\n\n"


def _plain(record: Record) -> dict[str, Any]:
    kind = {Fact: "fact", Passage: "passage", Turn: "turn"}[type(record)]
    return {"kind": kind, **dataclasses.asdict(record)}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _day(seconds: float | None) -> str:
    return to_the_minute(time.time() if seconds is None else seconds)


def _file_name(name: str) -> str:
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.")
    # A name may have 255 bytes, and a letter up to four.
    return plain.encode()[:MOST_NAME_BYTES].decode(errors="ignore") or "unnamed"


def _write(path: Path, pieces: Iterable[str]) -> Path:
    with atomic_writer(path) as file:
        for piece in pieces:
            file.write(piece.encode())
    return path
