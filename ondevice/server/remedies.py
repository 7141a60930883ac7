"""What to do about something, in the words of the page and of programs that use the API.

Where the page has a place for it, they name that; the rest are the neutral words.
"""

from __future__ import annotations

from typing import Final

from ondevice.remedies import NEUTRAL, Remedy, Words

WORDS: Final[Words] = {
    **NEUTRAL,
    Remedy.CHOOSE_PERSON: "choose who you are",
    Remedy.CHOOSE_DATES: "choose the order of its dates",
    Remedy.LIST_MEMORIES: "look for it under “About you”",
    Remedy.WRITE_BETTER: "say what it should have been with “Write it better”",
    Remedy.ADD_MEMORY: "tell it something under “About you”",
    Remedy.LIST_ADAPTERS: "see “Adapters” for those there are",
    Remedy.LEARN_AGAIN: "learn again for a new one, under “Learn”",
    Remedy.ACTIVATE: "“Use it all the same” activates it",
    Remedy.EVALUATE: "“Judge only” under “Learn” does it",
    Remedy.JUDGE_ANSWERS: "judge answers in the chat, or say there what would be better",
    Remedy.CHANGE_SETTINGS: (
        "correct the file, or change any setting under “Settings”, which leaves out what is wrong"
    ),
    Remedy.UNLOCK: "open it with its passphrase",
    Remedy.SHOW_KEYS: "see “Privacy” for what opens it",
    Remedy.GIVE_PASSPHRASE: (
        "start the server in a terminal, or name a file that holds it in {variable}"
    ),
}
