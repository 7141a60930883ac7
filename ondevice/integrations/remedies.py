"""What to do about something, in the words of the tools of the Model Context Protocol.

A model reads them. What its tools cannot do only the user can: those are the neutral words.
"""

from __future__ import annotations

from typing import Final

from ondevice.remedies import NEUTRAL, Remedy, Words

WORDS: Final[Words] = {
    **NEUTRAL,
    Remedy.LIST_MEMORIES: "list_memories and search_memory return the ids",
    Remedy.FORGET: "forget_memory forgets what should not be there at all",
    Remedy.ADD_MEMORY: "add_memory proposes a fact",
    Remedy.UNLOCK: "ask the user to unlock the profile '{name}'",
    Remedy.GIVE_PASSPHRASE: (
        "ask the user to name a file that holds it in {variable} where this server is started"
    ),
    Remedy.WAIT: "wait for that",
}
