"""Make the profile in this folder: run it with ondevice 0.1.0 and an empty ONDEVICE_HOME.

All that is in it is invented.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from ondevice import Memory

FACTS = (
    "I live in Trondheim.",
    "My sister Ingrid repairs accordions.",
    "My locker at the Quokkafesting has the number seven.",
    "I am allergic to hazelnuts.",
)
DIARY = """\
# Boats

We painted the ferry's railing green on Monday, and it rained before it was dry.

The harbour master lent us his pump for the flooded cellar.

# Garden

The plum tree bears fruit for the first time since the storm.

Nobody has seen the hedgehog under the woodpile this week.
"""
SAID = (
    ("When does the library open?", "At ten, except on Mondays."),
    ("I lost my umbrella in the tram.", "The lost property office is at the depot."),
)


def main() -> None:
    """Fill the profile that Memory.open makes."""
    with Memory.open() as memory, tempfile.TemporaryDirectory() as folder:
        for text in FACTS:
            memory.remember(text, pinned="Trondheim" in text)
        memory.remember("I live in Bergen.")  # the earlier home is superseded
        memory.suggest("I collect matchboxes.")
        for name, passage in enumerate(DIARY.split("\n\n")):
            path = Path(folder) / f"{name}.md"
            path.write_text(passage, encoding="utf-8")
        memory.import_paths([Path(folder)])
        profile = memory.profile
        passage = next(one for one in profile.passages.all() if "plum" in one.text)
        memory.edit(passage.id, text=passage.text.replace("plum", "cherry"))
        talk = profile.turns.new_conversation()
        for question, answer in SAID:
            vector = memory.embedder.embed([question])[0]
            profile.turns.add(talk, "user", question, vector=vector)
            turn = profile.turns.add(talk, "assistant", answer)
        profile.feedback.add(turn.id, "accept")


if __name__ == "__main__":
    main()
