"""The fields that requests of the management API have, checked before a handler sees them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0, le=10**12)]
Days = Annotated[int, Field(ge=0, le=100_000, description="0 keeps them until forgotten.")]


class Fields(BaseModel):
    """What a request says, in its path, query or JSON body; nothing else may stand there."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Nothing(Fields):
    """No field."""


class ShowChat(Fields):
    """Which conversation to show."""

    conversation: str | None = Field(None, description="The newest of this server if absent.")


class Words(Fields):
    """What to search for."""

    query: str = Field("", description="Beginnings of words, all of which must occur.")


class Say(Fields):
    """A message, or what to do with the last one."""

    text: str | None = Field(None, description="Needed unless `retry` is set.")
    retry: bool = Field(False, description="Answer the last message again.")
    edit: bool = Field(False, description="The message takes the place of the last one.")
    conversation: str | None = Field(
        None, description="That it belongs to; null begins one, absent goes on with the last."
    )


class NewChat(Fields):
    """What kind of conversation begins."""

    temporary: bool = Field(False, description="Nothing is recalled or kept.")


class Judge(Fields):
    """A verdict on an answer."""

    verdict: Literal["accept", "reject", "edit"]
    text: str | None = Field(None, description="What was wanted instead, of an edit.")
    turn_id: str


class Wanted(Words):
    """Which records are wanted; all conditions hold together. Empty ones do not count."""

    kind: Literal["", "fact", "passage", "turn"] | None = None
    category: str | None = None
    state: str | None = Field(None, description="Of facts: pending, active or superseded.")
    source: str | None = Field(None, description="The id of a source.")


class Browse(Wanted):
    """A part of the records that are wanted."""

    limit: Count = Field(100, description="At most 500 are sent.")
    offset: Count = 0


class AddMemory(Fields):
    """A statement about the person."""

    text: str
    category: str | None = Field(None, description="Found by rules if absent or empty.")
    pinned: bool = Field(False, description="Always stands in the prompt.")
    learn: bool = Field(True, description="Whether adapters may be trained on it.")


class EditMemory(Fields):
    """What is changed of a fact."""

    id: str
    text: str = ""
    category: str = ""
    learn: bool = True
    pinned: bool = False


class Ids(Fields):
    """Records."""

    ids: list[str] = Field(max_length=100_000)


class RecordId(Fields):
    """A record."""

    id: str


class Forget(Ids):
    """Records that are to be forgotten."""

    keep_turns: bool = Field(False, description="Keep the turns that facts were taken from.")


class FileName(Fields):
    """What a file is called; its content is the body."""

    name: str = Field(max_length=4000)


class ImportChoices(Fields):
    """What the person says about the files."""

    me: list[str] = Field([], max_length=1000, description="Names under which the person writes.")
    dates: Literal["", "dmy", "mdy"] | None = Field("", description="The order of dates.")
    answers: bool = Field(False, description="Take the answers of other assistants as context.")
    replace: bool = Field(True, description="A file replaces an earlier one of the same name.")


class Learn(Fields):
    """How to learn."""

    method: str = "both"
    minutes: float | None = Field(None, description="More than 0 and at most a day.")
    from_scratch: bool = False
    quick: bool = False


class Evaluate(Fields):
    """What is judged."""

    adapter: str | None = Field(None, description="The active one if absent.")
    fast: bool = False
    audits: bool = False


class AdapterName(Fields):
    """An adapter."""

    name: str


class UseAdapter(AdapterName):
    """An adapter and its strength."""

    scale: float | None = Field(None, description="The one that it had if absent.")


class Setting(Fields):
    """A setting and its value as text."""

    name: str
    value: str


class LogLimit(Fields):
    """How much of the log."""

    limit: Count = Field(500, description="At most 500.")


class Passphrase(Fields):
    """A passphrase."""

    passphrase: str


class Confirm(Fields):
    """The profile's name, typed to confirm."""

    confirm: str


class Keyring(Fields):
    """Whether the system's keyring opens the profile."""

    on: bool


class Retention(Fields):
    """How many days records are kept; what is absent stays as it is."""

    fact_days: Days | None = None
    sample_days: Days | None = None
    turn_days: Days | None = None
    feedback_days: Days | None = None
    confirm: bool = Field(False, description="Forget at once what is due.")
