"""What a person can do about something, apart from how that is done in one program or another.

A sentence of the house tells a fact. What to do about it is a `Remedy`: the command line
words it as a command, the page as something to click, and Python, which has neither, by the
neutral words that stand here. A front end has one table of words and shows a sentence by `said`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Remedy(Enum):
    """Everything that can be advised; the values are the neutral words.

    What stands in braces is given when the remedy is: `Remedy.UNLOCK(name="anna")`.
    """

    # What was remembered and imported.
    CHOOSE_PERSON = "say which {of_these} is yours"
    CHOOSE_DATES = "say whether the day or the month comes first"
    LIST_FORMATS = "choose a file of another format"
    LIST_MEMORIES = "see the ids in the list of memories"
    LIST_REPLACED = "see the list of replaced facts"
    LIST_SOURCES = "see the list of imports and conversations"
    SHOW_RECORD = "look at the record {id}"
    FORGET = "forget what should not be there at all"
    WRITE_BETTER = "write a better answer for it instead"
    ADD_MEMORY = "tell it something about yourself"
    # Adapters and learning.
    LIST_ADAPTERS = "see the list of adapters"
    REMOVE_ADAPTER = "remove '{name}' as an adapter instead"
    EXPORT_GGUF = "export it as GGUF instead"
    LEAVE_OUT_ADAPTER = "use the model that it was made for, leave it out, or learn again"
    LEAVE_OUT_READER = "leave out the reader, or train one of your own"
    SWITCH_READER = "turn it on or off instead"
    TURN_READER_ON = "turn the reader on, or leave out both"
    LEARN_AGAIN = "learn again for a new one"
    ACTIVATE = "activate it yourself if you want it all the same"
    EVALUATE = "evaluate it to have it judged"
    JUDGE_ANSWERS = "judge answers in a chat as good or bad, or write better ones"
    START_OVER = "learn again from scratch, or for a shorter time"
    RUN_SCHEDULED = "let your own scheduler start the learning"
    CHOOSE_MULTILINGUAL = "use a multilingual base model"
    RAISE_LENGTH = "shorten it, or allow longer examples"
    LOWER_RANK = "use a smaller model, a lower rank, or fewer modules"
    LOWER_LENGTH = (
        "allow {length} tokens an example, which fits at rank {rank}, or use a smaller model"
    )
    METHOD_DPO = "choose the method dpo"
    # Base models.
    LIST_MODELS = "see the list of models"
    PULL_MODEL = "download '{name}', or put {file} from {where} into {folder}"
    PULL_EMBEDDER = "download the embedder '{name}'"
    REMOVE_MODEL = "remove '{name}' first to have it replaced"
    PULL_AGAIN = "remove the model and download it again"
    DEFAULT_MODEL = "choose the default model in the settings"
    TRY_MODEL = "have the file checked again if you think that it is sound"
    DIAGNOSE = "have the installation checked"
    DOWNLOAD_YOURSELF = "download it in a browser and give the path of the file"
    CHECK_REVISION = "check name, file and revision"
    LEAVE_OUT_REVISION = "leave the revision out"
    JOIN_PARTS = "choose a file that is whole, or join the parts"
    INSTALL_PIP = "install pip beside it, or download the model in a browser"
    INSTALL_EXTRA = "install ondevice with the extra '{name}'"
    KEYRING = "on a desktop install ondevice with the extra 'keyring', elsewhere use a passphrase"
    UNINSTALL = "uninstall the package {package}"
    # Settings and profiles.
    LIST_SETTINGS = "see the list of settings"
    CHANGE_SETTINGS = "correct the file, or change any setting, which leaves out what is wrong"
    LIST_PROFILES = "see the list of profiles"
    CHOOSE_PROFILE = "delete that file, or choose a profile to use"
    OTHER_PROFILE = "try another profile"
    WIPE_PROFILE = "or destroy what is left of '{name}'"
    UNLOCK = "unlock the profile '{name}'"
    SET_PASSPHRASE = "set a passphrase for '{name}' first"
    SHOW_KEYS = "see what opens the profile"
    GIVE_PASSPHRASE = "pass it on, or name a file that holds it in {variable}"
    CHOOSE_NAME = "choose another name"
    REPLACE_PROFILE = "choose to replace it, or import an export under another name"
    WAIT = "wait for that, or stop this"
    CHOOSE_ADDRESS = "choose another address"
    CHOOSE_PORT = "choose another port"

    def __call__(self, **about: object) -> Step:
        """Return the remedy with what it is about; the words have the names of that."""
        return Step(self, tuple(about.items()))


@dataclass(frozen=True, repr=False)
class Step:
    """A remedy for one case: with the name of the profile to unlock, for example."""

    remedy: Remedy
    about: tuple[tuple[str, object], ...] = ()

    def __repr__(self) -> str:
        """Return it as it is written in code."""
        about = ", ".join(f"{name}={value!r}" for name, value in self.about)
        return f"Remedy.{self.remedy.name}" + (f"({about})" if about else "")


Words = Mapping[Remedy, str]
NEUTRAL: Words = {remedy: remedy.value for remedy in Remedy}


class Notice(str):
    """A sentence, or a part of one, that knows what can be done about what it tells.

    As a string it says that in neutral words; `said` has those of a front end.

    Attributes:
        fact: without what to do.
        steps: what can be done.
    """

    __slots__ = ("fact", "steps")
    fact: str
    steps: tuple[Step, ...]

    def __new__(cls, fact: str, *remedies: Remedy | Step) -> Notice:
        """Tell `fact` and what can be done about it."""
        steps = tuple(Step(one) if isinstance(one, Remedy) else one for one in remedies)
        made = super().__new__(cls, joined(fact, steps, NEUTRAL))
        made.fact, made.steps = fact, steps
        return made


def said(told: str, words: Words) -> str:
    """Return what a front end shows for `told`: a `Notice` in its `words`, other text as it is."""
    return joined(told.fact, told.steps, words) if isinstance(told, Notice) else told


def within(before: str, told: str, after: str = "") -> Notice:
    """Return `told` between other words, with what can be done about it."""
    if not isinstance(told, Notice):
        return Notice(before + told + after)
    fact = told.fact.removesuffix(".") if after else told.fact
    return Notice(before + fact + after, *told.steps)


def all_said(value: Any, words: Words) -> Any:
    """Return `value`, of lists, dictionaries and what else JSON has, with every text as `said`."""
    if isinstance(value, str):
        return said(value, words)
    if isinstance(value, dict):
        return {all_said(key, words): all_said(part, words) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [all_said(part, words) for part in value]
    return value


def joined(fact: str, steps: Iterable[Step], words: Words) -> str:
    """Return `fact` with what to do about it behind it, in these `words`."""
    advice = "; ".join(words[step.remedy].format(**dict(step.about)) for step in steps)
    if not advice:
        return fact
    if fact.endswith("?"):  # "did you mean …?"
        return f"{fact} {advice[0].upper()}{advice[1:]}."
    return f"{fact.removesuffix('.')}; {advice}" + ("." if fact.endswith(".") else "")
