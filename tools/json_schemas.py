"""What `--json` prints, as JSON Schema: one for each command, derived from its dataclasses.

`python tools/command_reference.py` writes them to docs/schemas. Tests hold outputs against them.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
TRUTH: Schema = {"type": "boolean"}
MAP: Schema = {"type": "object"}
IDS: Schema = {"type": "array", "items": TEXT}


def schemas() -> dict[str, Schema]:
    """Return the schema of every command that takes `--json`, by the command's full name."""
    from ondevice.cli.doctor import Finding

    return {
        "ask": _answer(),
        **_memories(),
        **_profiles(),
        **_sources(),
        **_models_and_adapters(),
        "evaluate": _evaluation(),
        "config show": listing(record(name=TEXT, value={}, default={})),
        "doctor": listing(of(Finding)),
        **_streams(),
    }


def record(**properties: Schema) -> Schema:
    """Return the schema of an object that has exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def extended(schema: Schema, **properties: Schema) -> Schema:
    """Return the object schema with more properties, all required; its own ones come first."""
    return record(**{**properties, **schema["properties"]})


def listing(item: Schema) -> Schema:
    """Return the schema of an array of `item`."""
    return {"type": "array", "items": item}


def maybe(schema: Schema) -> Schema:
    """Return the schema of a value that may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


def of(kind: type) -> Schema:
    """Return the schema of a dataclass as JSON, with the descriptions of its docstring."""
    hints = typing.get_type_hints(kind)
    told = _descriptions(kind)
    properties = {}
    for field in dataclasses.fields(kind):
        about = {"description": told[field.name]} if field.name in told else {}
        properties[field.name] = {**_of_type(hints[field.name]), **about}
    return record(**properties)


def _of_type(kind: Any) -> Schema:
    simple = {str: TEXT, int: WHOLE, float: NUMBER, bool: TRUTH, Path: TEXT, type(None): {}}
    if kind in simple:
        return dict(simple[kind])
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return of(kind)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        some = [_of_type(part) for part in inner if part is not type(None)]
        return {"anyOf": [*some, {"type": "null"}]} if type(None) in inner else {"anyOf": some}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (tuple, list, set, frozenset) or str(origin).endswith("Sequence'>"):
        items = inner[:1] if len(inner) < 2 or inner[1] is ... else ()
        return {"type": "array", **({"items": _of_type(items[0])} if items else {})}
    if origin in (dict, Counter, Mapping) or str(origin).endswith("Mapping'>"):
        return dict(MAP)
    return {}


def _descriptions(kind: type) -> dict[str, str]:
    """Return what the docstring's `Attributes:` say of each field."""
    _, _, attributes = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", attributes, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def _memories() -> dict[str, Schema]:
    from ondevice.importers import Preview
    from ondevice.memory.embedding import EmbeddingState
    from ondevice.memory.forming.reading import FormReport
    from ondevice.memory.ingest import IngestReport
    from ondevice.store.records import Fact, Passage, Turn

    fact = of(Fact)
    found = {"id": TEXT, "text": TEXT, "score": NUMBER}
    used = {"id": TEXT, "text": TEXT, "speaker": maybe(TEXT)}
    return {
        "memory add": record(**fact["properties"], replaced=listing(fact)),
        "memory list": listing(fact),
        "memory propose": listing(fact),
        "memory form": of(FormReport),
        "memory edit": {
            "anyOf": [fact, of(Passage), of(Turn)],
            "description": "The fact, or the text in the wording that holds now.",
        },
        "memory search": listing(record(**found, source=maybe(TEXT), time=NUMBER)),
        "memory show": _any_record(),
        "memory why": {
            "oneOf": [
                record(answer=maybe(TEXT), memories=listing(record(**used))),
                listing(record(**found, speaker=maybe(TEXT), reason=MAP)),
            ],
            "description": "The memories of an answer; with --query, what it would recall.",
        },
        "memory forget": _forgotten(),
        "memory certificate": record(
            valid=TRUTH, removed=WHOLE, usable_adapters=IDS, holds_text=maybe(TRUTH)
        ),
        "memory reindex": record(embedded_now=WHOLE, **of(EmbeddingState)["properties"]),
        "import": {
            "anyOf": [of(IngestReport), listing(of(Preview))],
            "description": "What was imported; with --preview, what would be, file by file.",
        },
    }


def _forgotten() -> Schema:
    return record(
        records=IDS, purged=TRUTH, adapters_stale=IDS, shredded=IDS, certificate=maybe(TEXT)
    )


def _profiles() -> dict[str, Schema]:
    from ondevice.memory.embedding import EmbeddingState
    from ondevice.settings import RetentionSettings
    from ondevice.store.exchange.transfer import Transfer
    from ondevice.store.records import Copy, Event

    return {
        "profile list": listing(record(name=TEXT, in_use=TRUTH, locked=TRUTH, path=TEXT)),
        "profile show": record(
            name=TEXT,
            path=TEXT,
            records=WHOLE,
            facts=WHOLE,
            sources=WHOLE,
            embedder=of(EmbeddingState),
        ),
        "profile export": {
            "anyOf": [of(Transfer), record(folder=TEXT, files=IDS)],
            "description": "Of the encrypted file; with --readable, the files in clear.",
        },
        "profile import": of(Transfer),
        "profile backup": of(Transfer),
        "profile restore": of(Transfer),
        "profile backups": listing(extended(of(Copy), there=TRUTH)),
        "profile passphrase": record(profile=TEXT, opened_by=IDS, recovery_code=maybe(TEXT)),
        "profile retention": of(RetentionSettings),
        "profile log": listing(of(Event)),
    }


def _sources() -> dict[str, Schema]:
    from ondevice.store.records import Source

    source = extended(of(Source), records=WHOLE)
    return {
        "source list": listing(source),
        "source show": extended(source, members=listing(MAP)),
        "source forget": _forgotten(),
    }


def _models_and_adapters() -> dict[str, Schema]:
    from ondevice.adapters.comparison import Comparison
    from ondevice.models.base_model import ListedModel
    from ondevice.models.origin import Origin
    from ondevice.models.suggestion import Machine, Suggestion
    from ondevice.store.records import AdapterRow

    adapter = of(AdapterRow)
    return {
        "adapter list": listing(adapter),
        "adapter show": adapter,
        "adapter diff": of(Comparison),
        "model list": listing(extended(of(ListedModel), trainable=TRUTH)),
        "model suggest": extended(of(Machine), models=listing(of(Suggestion))),
        "model pull": extended(of(Origin), name=TEXT, path=TEXT, fetched=TRUTH),
        "model check": record(
            name=TEXT, path=TEXT, sha256=TEXT, architecture=TEXT, tensors=WHOLE, size_bytes=WHOLE
        ),
        "score": record(
            tokens=WHOLE,
            nll=NUMBER,
            perplexity=NUMBER,
            per_document=listing(record(name=TEXT, tokens=WHOLE, nll=NUMBER)),
        ),
    }


def _any_record() -> Schema:
    from ondevice.store import records

    kinds = [
        kind
        for kind in vars(records).values()
        if dataclasses.is_dataclass(kind)
        and isinstance(kind, type)
        and "id" in {field.name for field in dataclasses.fields(kind)}
    ]
    return {
        "anyOf": [extended(of(kind), kind={"const": kind.__name__.lower()}) for kind in kinds],
        "description": "A record of any kind, with all its fields.",
    }


def _answer() -> Schema:
    return record(
        text=TEXT,
        model=TEXT,
        adapters=IDS,
        memories=listing(
            record(
                id=TEXT,
                text=TEXT,
                score=NUMBER,
                place={"enum": ["prefix", "turn", "earlier"]},
                speaker=maybe(TEXT),
            )
        ),
        saved=listing(record(id=TEXT, text=TEXT)),
        replaced=listing(record(id=TEXT, text=TEXT)),
        usage=record(prompt_tokens=WHOLE, cached_tokens=WHOLE, completion_tokens=WHOLE),
        timings=record(
            first_token_seconds=maybe(NUMBER),
            prompt_seconds=NUMBER,
            decode_seconds=NUMBER,
            tokens_per_second=NUMBER,
        ),
        finish_reason=maybe(TEXT),
    )


def _evaluation() -> Schema:
    figure = {"metric": TEXT, "value": NUMBER, "low": maybe(NUMBER), "high": maybe(NUMBER)}
    schema = record(
        format={"const": 1},
        profile=TEXT,
        base=record(name=TEXT, sha256=TEXT),
        adapter={},
        below=IDS,
        seconds=NUMBER,
        fast=TRUTH,
        items=MAP,
        notes=IDS,
        figures=listing(record(arm=TEXT, **figure, n=WHOLE)),
        gains=listing(record(arm=TEXT, against=TEXT, **figure, n=WHOLE)),
        decision={
            "type": "object",
            "required": ["arm", "status", "activate", "summary"],
            "properties": {"arm": TEXT, "status": TEXT, "activate": TRUTH, "summary": TEXT},
        },
    )
    # With --audits there is one more part, whose tables differ from audit to audit.
    return {**schema, "additionalProperties": True}


def _streams() -> dict[str, Schema]:
    """Return the schemas of one line of the commands that print a line for each event."""
    from ondevice.training.cost import Cost
    from ondevice.training.trainer import TrainingEvent

    training = of(TrainingEvent)
    event = {**training, "required": ["kind"], "description": "One line for each event."}
    answers = record(kind={"const": "answers"}, done=WHOLE, of=WHOLE)
    stage: Schema = {
        "type": "object",
        "required": ["stage"],
        "properties": {
            "stage": {
                "type": "string",
                "description": "The last line has the stage 'report', and what came of it.",
            },
            "done": NUMBER,
            "total": NUMBER,
            "text": TEXT,
        },
    }
    preview: Schema = {
        "type": "object",
        "required": ["examples", "records", "left_out", "too_little", "tokens"],
        "properties": {
            "examples": MAP,
            "records": WHOLE,
            "left_out": MAP,
            "too_little": maybe(TEXT),
            "begins": TEXT,
            "tokens": WHOLE,
            "seconds": maybe(NUMBER),
            "memory_bytes": maybe(NUMBER),
            "warnings": IDS,
        },
    }
    learn = {"anyOf": [stage, preview], "description": "A line an event; a preview (--dry-run)."}
    train = {"anyOf": [event, of(Cost)], "description": "A line an event; the cost (--dry-run)."}
    return {"train": train, "teach": {"anyOf": [event, answers]}, "learn": learn}
