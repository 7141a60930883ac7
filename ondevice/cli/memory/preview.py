"""What forgetting would delete, in lines for a person to read."""

from __future__ import annotations

from ondevice.cli.output import counted
from ondevice.store.records import (
    AdapterRow,
    AnyRecord,
    Fact,
    Feedback,
    ForgetPreview,
    Passage,
    Source,
    Turn,
)

LONGEST = 120  # characters of a record that are shown


def preview_lines(preview: ForgetPreview) -> list[str]:
    """Return `preview`, one line a record."""
    lines = [f"{type(r).__name__.lower():>8}  {r.id}  {_shown(r)}" for r in preview.records]
    texts = sum(isinstance(record, Fact | Passage | Turn) for record in preview.records)
    entries, vectors = counted(texts, "entry", "entries"), counted(preview.vectors, "vector")
    lines.append(f"With that go {entries} of the full-text index and {vectors}.")
    if preview.adapters_stale:
        lines.append(f"Adapters that go stale: {', '.join(preview.adapters_stale)}.")
    if preview.related_turns:
        lines.append("These turns stay, though they may say the same; forget them by id too:")
        lines += [f"{turn.role:>9}  {turn.id}  {_shown(turn)}" for turn in preview.related_turns]
    if preview.copies:
        lines.append("These copies still hold it; delete them, or make them again afterwards:")
        lines += [f"{copy.kind:>9}  {copy.path}" for copy in preview.copies]
    return lines


def _shown(record: AnyRecord) -> str:
    text = record.name if isinstance(record, Source | AdapterRow) else record.text or ""
    if isinstance(record, Feedback):
        text = f"{record.verdict}: {text}" if text else record.verdict
    text = " ".join(text.split())
    if isinstance(record, Passage | Turn) and record.state == "superseded":
        text = f"(a former wording) {text}"
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
