"""Every error that ondevice raises on purpose.

    OndeviceError
    ├── SettingsError            a setting or an environment variable is wrong
    ├── BaseModelError
    │   ├── ModelNotFoundError       no such name or file
    │   ├── InvalidModelError        not a GGUF, damaged, or its header lies
    │   ├── ModelHashError           the file is not the one that was promised
    │   ├── DownloadError            a model could not be pulled
    │   └── UnsafeTemplateError      the chat template tries more than formatting text
    ├── ProfileError
    │   ├── ProfileNotFoundError
    │   ├── ProfileExistsError
    │   ├── ProfileLockedError       no key, or the wrong one
    │   │   └── WrongPassphraseError     what was typed does not open it
    │   ├── ProfileDamagedError      the database fails its integrity check
    │   └── RecordNotFoundError
    ├── ImportSourceError        a file to import cannot be read
    │   └── ImportStoppedError       somebody stopped the import
    ├── RecallError              the embedder is missing or broken
    ├── AdapterError
    │   ├── AdapterNotFoundError
    │   ├── InvalidAdapterError      damaged, wrong shapes, NaN
    │   ├── AdapterBaseMismatchError made for another base model
    │   ├── AdapterStaleError        trained on something that was forgotten
    │   └── AdapterSelfTestError     loaded, but does not do what an adapter does
    ├── EngineError
    │   └── ContextOverflowError     the prompt does not fit the context
    ├── TrainingError
    │   └── DivergedError            the loss is no longer a number, or grows without end
    └── LearningError            the profile cannot be learned from now

Messages are one sentence: what happened, which file, what to do. They never quote personal
text. What to do is part of the sentence where it is the same for everybody ("free some space");
where it is a command, an option or a button, it is a `Remedy`, which each front end words.
`explain` gives such words for what the operating system says.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterable, Iterator

from ondevice.remedies import Notice, Remedy, Step, Words, said

# what happened; what to do. By number, because the texts of the systems differ.
_SYSTEM = {
    errno.ENOSPC: "the disk is full; free some space and try again",
    errno.EDQUOT: "your share of the disk is used up; free some space and try again",
    errno.EFBIG: "the disk takes no file of that size; choose another place",
    errno.EACCES: "permission denied; check who may use it",
    errno.EPERM: "permission denied; check who may use it",
    errno.EROFS: "the disk can only be read; choose another place",
    errno.ENOENT: "there is no such file or folder; check the path",
    errno.ENOTDIR: "a part of the path is not a folder; check the path",
    errno.EISDIR: "it is a folder; give a file",
    errno.EEXIST: "it exists already; choose another name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EMFILE: "too many files are open; close some programs and try again",
    errno.ENFILE: "too many files are open; close some programs and try again",
    errno.EBUSY: "another program uses it; close that and try again",
    errno.EIO: "the disk reports an error; check the disk",
}


def explain(error: OSError) -> str:
    """Return what the system could not do, and what to do about it, without a full stop."""
    known = _SYSTEM.get(error.errno or 0)
    return known or f"{error.strerror or type(error).__name__}; check it and try again"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'? " if one of the `known` names is much like `name`, else ""."""
    from difflib import get_close_matches  # slow to import, and seldom needed

    close = get_close_matches(name, list(known), 1)
    return f"did you mean '{close[0]}'? " if close else ""


def or_meant(fact: str, name: str, known: Iterable[str]) -> str:
    """Return the sentence `fact`, and what `name` was perhaps meant to be."""
    close = did_you_mean(name, known).rstrip()
    return f"{fact}; {close}" if close else f"{fact}."


@contextlib.contextmanager
def ending_with(clean_up: Callable[[], None]) -> Iterator[None]:
    """Call `clean_up` when the block has ended; an error of the block is not hidden by its own."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OndeviceError, OSError):
            clean_up()
        raise
    clean_up()


class OndeviceError(Exception):
    """Base of every error that ondevice raises on purpose.

    `str` of it says what happened and, in neutral words, what to do.

    Attributes:
        notice: the same; `notice.fact` is what happened, `notice.steps` what can be done.
    """

    def __init__(self, fact: str | Notice, *remedies: Remedy | Step) -> None:
        """Tell `fact`, one sentence without a command, and what can be done about it."""
        self.notice = fact if isinstance(fact, Notice) else Notice(fact, *remedies)
        super().__init__(self.notice.fact, *self.notice.steps)  # what `repr` shows

    def __str__(self) -> str:
        """Return what happened and what to do, in neutral words."""
        return str(self.notice)

    def said(self, words: Words) -> str:
        """Return what happened and what to do, in the words of a front end."""
        return said(self.notice, words)


class SettingsError(OndeviceError):
    """A setting or an environment variable has a value that cannot be used."""


class BaseModelError(OndeviceError):
    """Something is wrong with a base model."""


class ModelNotFoundError(BaseModelError):
    """There is no base model of that name or at that path."""


class InvalidModelError(BaseModelError):
    """The file is not a GGUF model, is damaged, or its header lies."""


class ModelHashError(BaseModelError):
    """The file's SHA-256 is not the one that was promised."""


class DownloadError(BaseModelError):
    """A model could not be pulled; what came of it is kept where that is safe."""


class UnsafeTemplateError(BaseModelError):
    """The model's chat template tries more than formatting text."""


class ProfileError(OndeviceError):
    """Something is wrong with a profile."""


class ProfileNotFoundError(ProfileError):
    """There is no profile of that name."""


class ProfileExistsError(ProfileError):
    """A profile of that name is there already."""


class ProfileLockedError(ProfileError):
    """The profile cannot be opened: no key, or the wrong one."""


class WrongPassphraseError(ProfileLockedError):
    """The passphrase, or recovery code, does not open the profile or file."""


class ProfileDamagedError(ProfileError):
    """The profile's database fails its integrity check."""


class RecordNotFoundError(ProfileError):
    """There is no record with that id."""


class ImportSourceError(OndeviceError):
    """A file to import cannot be read."""


class ImportStoppedError(ImportSourceError):
    """Somebody stopped the import: nothing else is read, and what was read is kept."""


class RecallError(OndeviceError):
    """The embedder is missing or broken."""


class AdapterError(OndeviceError):
    """Something is wrong with an adapter."""


class AdapterNotFoundError(AdapterError):
    """There is no adapter of that name."""


class InvalidAdapterError(AdapterError):
    """The adapter file is damaged, has wrong shapes, or holds NaN."""


class AdapterBaseMismatchError(AdapterError):
    """The adapter was made for another base model."""


class AdapterStaleError(AdapterError):
    """The adapter was trained on something that was forgotten or changed since."""


class AdapterSelfTestError(AdapterError):
    """The adapter was loaded but does not behave as an adapter must."""


class EngineError(OndeviceError):
    """The inference engine failed."""


class ContextOverflowError(EngineError):
    """The prompt does not fit the model's context."""


class TrainingError(OndeviceError):
    """Training cannot start or cannot go on."""


class DivergedError(TrainingError):
    """The loss of a training is no longer a number, or grows without end.

    Attributes:
        happened: the beginning of the sentence, without what to do, which depends on who trains.
    """

    def __init__(self, fact: str, happened: str) -> None:
        """Tell what happened and what to do; see the class for `happened`."""
        super().__init__(fact)
        self.happened = happened


class LearningError(OndeviceError):
    """The profile cannot be learned from now."""
