"""Every route of the management API: what it is for, what it takes and what it answers.

`route` checks requests against this, and the OpenAPI document is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ondevice.server.manage import answers as a
from ondevice.server.manage import fields as f


@dataclass(frozen=True)
class Operation:
    """One method of one path.

    Attributes:
        summary: what it does.
        takes: its fields: in the path, in the query of GET, otherwise in the JSON body.
        answers: its answer, or one event of it; of several models one.
        form: "json", "events" (server-sent) or "file" (a download).
        upload: whether the body is a file, and the fields stand in the query.
    """

    summary: str
    answers: Any = a.Empty
    takes: type[f.Fields] = f.Nothing
    form: Literal["json", "events", "file"] = "json"
    upload: bool = False


_EVENTS: Any = a.Progress | a.Failed
_CHAT: Any = a.Piece | a.Said | a.Failed

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/links"): Operation("Make a link that opens the page once.", a.Path),
    ("POST", "/leave"): Operation("End the session.", a.Left),
    ("GET", "/state"): Operation("What is served, and what is under way.", a.State),
    ("GET", "/chat"): Operation("Show a conversation.", a.Conversation, f.ShowChat),
    ("GET", "/conversations"): Operation("List conversations.", a.Conversations, f.Words),
    ("POST", "/chat"): Operation("Answer a message.", _CHAT, f.Say, "events"),
    ("POST", "/chat/stop"): Operation("Stop the answer that is being given."),
    ("POST", "/chat/new"): Operation("Begin a conversation.", a.Begun, f.NewChat),
    ("POST", "/feedback"): Operation("Judge an answer.", a.Judged, f.Judge),
    ("GET", "/memories"): Operation("Look through records.", a.Memories, f.Browse),
    ("GET", "/memories/ids"): Operation("List the ids of records.", a.IdList, f.Wanted),
    ("GET", "/sources"): Operation("List imports and conversations.", a.Sources),
    ("POST", "/memories"): Operation("Remember a fact.", a.KeptFact, f.AddMemory),
    ("POST", "/memories/approve"): Operation("Approve pending facts.", a.Approved, f.Ids),
    ("POST", "/memories/restore"): Operation(
        "Use a fact again that was replaced.", a.FactRecord, f.RecordId
    ),
    ("POST", "/memories/forget/preview"): Operation(
        "Show what would be forgotten.", a.ForgetPreview, f.Forget
    ),
    ("POST", "/memories/forget"): Operation("Forget records for good.", a.Forgotten, f.Forget),
    ("PATCH", "/memories/{id}"): Operation("Change a fact.", a.FactRecord, f.EditMemory),
    ("POST", "/imports/file"): Operation(
        "Send a file to import.", a.Received, f.FileName, upload=True
    ),
    ("POST", "/imports/preview"): Operation(
        "Show what is in the files.", _EVENTS, f.ImportChoices, "events"
    ),
    ("POST", "/imports"): Operation("Import the files.", a.Files, f.ImportChoices),
    ("GET", "/imports/events"): Operation("Follow the import.", _EVENTS, form="events"),
    ("POST", "/imports/stop"): Operation("Stop the import; what was read is kept."),
    ("POST", "/imports/cancel"): Operation("Let the files go."),
    ("POST", "/learn/estimate"): Operation("What learning would do.", a.Estimate, f.Learn),
    ("POST", "/learn"): Operation("Learn.", a.Started, f.Learn),
    ("GET", "/learn/events"): Operation("Follow the learning.", _EVENTS, form="events"),
    ("POST", "/learn/stop"): Operation("Stop learning; a checkpoint is kept."),
    ("POST", "/evaluate"): Operation("Judge memory and adapter.", a.Started, f.Evaluate),
    ("GET", "/evaluate/events"): Operation("Follow the judging.", _EVENTS, form="events"),
    ("POST", "/evaluate/stop"): Operation("Stop judging."),
    ("GET", "/adapters"): Operation("List adapters.", a.Adapters),
    ("GET", "/adapters/{name}"): Operation("Show an adapter.", a.Lineage, f.AdapterName),
    ("POST", "/adapters/use"): Operation("Use an adapter.", a.Adapters, f.UseAdapter),
    ("POST", "/adapters/off"): Operation("Use an adapter no more.", a.Adapters, f.AdapterName),
    ("POST", "/adapters/rollback"): Operation("Go back to the one before.", a.RolledBack),
    ("POST", "/adapters/remove"): Operation("Remove an adapter.", a.Adapters, f.AdapterName),
    ("GET", "/settings"): Operation("List settings.", a.Settings),
    ("POST", "/settings"): Operation("Change a setting.", a.SettingChanged, f.Setting),
    ("GET", "/privacy"): Operation("How the profile is kept.", a.Privacy),
    ("GET", "/privacy/log"): Operation("What was done, without texts.", a.Log, f.LogLimit),
    ("POST", "/privacy/export"): Operation(
        "Download the profile under a passphrase.", takes=f.Passphrase, form="file"
    ),
    ("POST", "/privacy/backup"): Operation("Download an encrypted backup.", form="file"),
    ("POST", "/privacy/lock"): Operation("Lock the profile.", a.Locked),
    ("POST", "/privacy/unlock"): Operation(
        "Open the locked profile with its passphrase or recovery code.", a.Unlocked, f.Passphrase
    ),
    ("POST", "/privacy/wipe"): Operation("Destroy the profile.", a.Wiped, f.Confirm),
    ("GET", "/privacy/keys"): Operation("What opens the profile.", a.Keys),
    ("POST", "/privacy/passphrase"): Operation("Set a passphrase.", a.Keys, f.Passphrase),
    ("POST", "/privacy/passphrase/remove"): Operation("Remove the passphrase.", a.KeysWarned),
    ("POST", "/privacy/recovery"): Operation("Make a recovery code.", a.RecoveryCode),
    ("POST", "/privacy/recovery/remove"): Operation("Remove the recovery code.", a.Keys),
    ("POST", "/privacy/keyring"): Operation("Use the keyring or not.", a.Keys, f.Keyring),
    ("GET", "/privacy/retention"): Operation("How long records are kept.", a.RetentionShown),
    ("POST", "/privacy/retention"): Operation(
        "Say how long records are kept.", a.RetentionKept, f.Retention
    ),
}
