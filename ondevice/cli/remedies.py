"""What to do about something, in the words of the command line: its commands and options."""

from __future__ import annotations

from typing import Final

from ondevice.remedies import Remedy, Words, said

WORDS: Final[Words] = {
    # What was remembered and imported.
    Remedy.CHOOSE_PERSON: (
        "say which {of_these} is yours with --as (`ondevice import --preview` lists them)"
    ),
    Remedy.CHOOSE_DATES: "say which with --dates dmy or --dates mdy",
    Remedy.LIST_FORMATS: "`ondevice import --help` lists them",
    Remedy.LIST_MEMORIES: "`ondevice memory list` shows the ids",
    Remedy.LIST_REPLACED: "see `ondevice memory list --state superseded`",
    Remedy.LIST_SOURCES: "`ondevice source list` shows those there are",
    Remedy.SHOW_RECORD: "see `ondevice memory show {id}`",
    Remedy.FORGET: "`ondevice memory forget` forgets what should not be there at all",
    Remedy.WRITE_BETTER: "say what it should have been with /edit in a chat",
    Remedy.ADD_MEMORY: "tell it something with `ondevice memory add`",
    # Adapters and learning.
    Remedy.LIST_ADAPTERS: "`ondevice adapter list` shows those there are",
    Remedy.REMOVE_ADAPTER: "`ondevice adapter remove {name}` removes it",
    Remedy.EXPORT_GGUF: "export it with --gguf instead",
    Remedy.LEAVE_OUT_ADAPTER: (
        "use the model that it was made for, leave it out (--no-adapter), or learn again"
    ),
    Remedy.LEAVE_OUT_READER: (
        "leave out --reader, or make one (`ondevice teach`) and put it below with --on or --adapter"
    ),
    Remedy.SWITCH_READER: "only `ondevice adapter use`, `off` and `show` take it",
    Remedy.TURN_READER_ON: (
        "turn it on (`ondevice adapter use reader`) or leave out both (--no-adapter --no-reader)"
    ),
    Remedy.LEARN_AGAIN: "run `ondevice learn` for a new one",
    Remedy.ACTIVATE: "`ondevice adapter use` activates it all the same",
    Remedy.EVALUATE: "`ondevice evaluate` does it",
    Remedy.JUDGE_ANSWERS: "judge answers with /good, /bad and /edit in a chat",
    Remedy.START_OVER: "run it again with --scratch, or with a shorter --time-budget",
    Remedy.RUN_SCHEDULED: "start `ondevice learn --scheduled` with your own scheduler",
    Remedy.CHOOSE_MULTILINGUAL: "use a multilingual base with --model",
    Remedy.RAISE_LENGTH: "shorten it or raise --max-length",
    Remedy.LOWER_RANK: "use a smaller model, a lower --rank, or fewer --modules",
    Remedy.LOWER_LENGTH: (
        "use a --max-length of {length}, which fits at rank {rank}, or a smaller model"
    ),
    Remedy.METHOD_DPO: "add --method dpo",
    # Base models.
    Remedy.LIST_MODELS: "`ondevice model list` shows those there are",
    Remedy.PULL_MODEL: (
        "get it with `ondevice model pull {name}`, or put {file} from {where} into {folder}"
    ),
    Remedy.PULL_EMBEDDER: "get it with `ondevice model pull {name}`",
    Remedy.REMOVE_MODEL: "to replace it, run `ondevice model remove {name}` first",
    Remedy.PULL_AGAIN: "remove the model with `ondevice model remove` and pull it again",
    Remedy.DEFAULT_MODEL: "`ondevice config set model.name default` goes back to the default",
    Remedy.TRY_MODEL: "`ondevice model check FILE` tries it again",
    Remedy.DIAGNOSE: "`ondevice doctor` says more",
    Remedy.DOWNLOAD_YOURSELF: "download it in a browser and give its path with --model",
    Remedy.CHECK_REVISION: "check name, file and --revision",
    Remedy.LEAVE_OUT_REVISION: "leave out --revision",
    Remedy.JOIN_PARTS: (
        "choose one that is whole, or join the parts with `llama-gguf-split --merge`"
    ),
    Remedy.INSTALL_PIP: (
        "install it (`python -m ensurepip`, or `uv pip install pip`), or download the model in a "
        "browser"
    ),
    Remedy.INSTALL_EXTRA: "install it with `pip install 'ondevice[{name}]'`",
    Remedy.KEYRING: (
        "on a desktop install its client (`pip install 'ondevice[keyring]'`), elsewhere use a "
        "passphrase"
    ),
    Remedy.UNINSTALL: "remove it with `pip uninstall {package}`",
    # Settings and profiles.
    Remedy.LIST_SETTINGS: "`ondevice config show` lists them all",
    Remedy.CHANGE_SETTINGS: (
        "correct the file, or change any setting with `ondevice config set`, which leaves out "
        "what is wrong"
    ),
    Remedy.LIST_PROFILES: "`ondevice profile list` shows those there are",
    Remedy.CHOOSE_PROFILE: "delete that file, or choose one with `ondevice profile use NAME`",
    Remedy.OTHER_PROFILE: "try another one with --profile",
    Remedy.WIPE_PROFILE: "or destroy what is left with `ondevice profile wipe {name}`",
    Remedy.UNLOCK: "`ondevice profile unlock {name}` opens it",
    Remedy.SET_PASSPHRASE: "set one first with `ondevice profile passphrase -p {name}`",
    Remedy.SHOW_KEYS: "see `ondevice profile passphrase --show`",
    Remedy.GIVE_PASSPHRASE: "run this in a terminal or name a file that holds it in {variable}",
    Remedy.CHOOSE_NAME: "choose another name with --name",
    Remedy.REPLACE_PROFILE: (
        "give --replace to destroy it, or use `ondevice profile import FILE --name NAME` to have "
        "both"
    ),
    Remedy.WAIT: "Ctrl-C ends the waiting",
    Remedy.CHOOSE_ADDRESS: "choose another with --host",
    Remedy.CHOOSE_PORT: "choose another with --port",
}


def told(text: str) -> str:
    """Return a sentence, or a part of one, with what to do about it in these words."""
    return said(text, WORDS)
