"""Trains a reader: an adapter, shared by everybody, that makes a model use its notes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ondevice import _kernels
from ondevice.adapters.gguf_lora import content_sha256, read_adapter, write_adapter
from ondevice.engine.llama import LlamaEngine
from ondevice.engine.protocol import ChatOptions, Engine
from ondevice.ground.files import write_atomic
from ondevice.home import Home
from ondevice.learning.reader.dialogues import Answer, Dialogue, DialogueMaker, DialogueSettings
from ondevice.learning.reader.own_texts import OPENINGS, own_texts
from ondevice.learning.reader.requests import NEUTRAL
from ondevice.memory.form import TAUGHT
from ondevice.models.base_model import BaseModel
from ondevice.models.messages import Message
from ondevice.models.tokenizer import Tokenizer
from ondevice.settings import ModelSettings
from ondevice.training import checkpoint
from ondevice.training.data import Document, DocumentReader
from ondevice.training.files import check_target
from ondevice.training.recipe import Recipe
from ondevice.training.trainer import Callback, Trainer, TrainingResult
from ondevice.training.weights import Weights

ANSWER_TOKENS = 48  # of the model's own answers that are learned again
_SPARE_TOKENS = 128  # by which a dialogue may be longer than was counted


def _default_recipe() -> Recipe:
    return Recipe(
        rank=16,
        alpha=64.0,
        modules="attn_q,attn_v",
        learning_rate=1.2e-3,
        epochs=1.0,
        tokens_per_step=512,
        max_length=768,
        held_out=0.03,
        evaluations=6,
        patience=0,
    )


@dataclass(frozen=True)
class TeachSettings:
    """How a reader is made: dialogues, how many tokens of them, own answers, and the recipe."""

    n_requests: int = len(NEUTRAL["train"])  # ordinary ones whose own answers are learned again
    n_tokens: int = 610_000
    # The model's own prose, which is to stay as likely as it was: so many texts, of so many tokens,
    # repeated to make up this share of the dialogues' tokens.
    n_texts: int = 256
    text_tokens: int = 160
    text_share: float = 0.15
    dialogues: DialogueSettings = field(default_factory=DialogueSettings)
    recipe: Recipe = field(default_factory=_default_recipe)
    # The finished adapter is applied at this part of the strength it was trained at; below 1 it
    # reads notes a little worse and changes other text less.
    strength: float = 1.0


@dataclass(frozen=True)
class OwnWords:
    """What the model itself says: answers to ordinary requests, and prose as tokens."""

    answers: dict[str, Answer]
    texts: list[list[int]] = field(default_factory=list)

    def json(self, identity: str) -> bytes:
        """Return all of it for a file; `identity` tells later whether it is the same again."""
        answers = {request: [one.text, one.whole] for request, one in self.answers.items()}
        return json.dumps({"identity": identity, "answers": answers, "texts": self.texts}).encode()


def teach(
    base: BaseModel,
    out: Path,
    *,
    settings: TeachSettings | None = None,
    home: Home | None = None,
    callback: Callback | None = None,
    answered: Callable[[int, int], None] | None = None,
    wrote: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    memory_budget: int | None = None,
    threads: int = 0,
) -> TrainingResult:
    """Train a reader for `base` and write it to `out`, with its card in `<out>.json`.

    An interrupted run leaves `<out>.checkpoint` and `<out>.answers`; the same call goes on.

    Args:
        base: a checked base model of a supported architecture.
        out: the adapter file to write.
        settings: None for the defaults.
        home: where things live; the platform's folders if None.
        callback: told of every step.
        answered: told how many of the model's own answers there are, of how many.
        wrote: told how many of its own texts there are, of how many.
        should_stop: asked after every step; True saves a checkpoint and returns.
        memory_budget: bytes; None for what the machine has available.
        threads: 0 for one per processor.

    Raises:
        TrainingError: the model is not supported, the memory does not suffice, or the loss
            diverges.
    """
    settings = settings or TeachSettings()
    check_target(out, "reader")
    weights = Weights(base.header)
    kept, unfinished = (out.with_name(out.name + end) for end in (".answers", ".checkpoint"))
    own = _read_own(kept, base, settings)
    if own is None:
        requests = NEUTRAL["train"][: settings.n_requests]
        own = OwnWords(
            _ask(base, requests, home or Home.default(), threads, answered),
            own_texts(base, settings.n_texts, settings.text_tokens, threads=threads, told=wrote),
        )
        write_atomic(kept, own.json(_identity(base, settings)))
    _kernels.set_threads(threads)
    trainer = Trainer(
        weights,
        documents(base, own, settings),
        settings.recipe,
        base_sha256=base.sha256,
        memory_budget=memory_budget,
        checkpoint_path=unfinished,
    )
    result = trainer.run(callback, should_stop)
    if result.content is not None:
        weakened = at_strength(result.content, base, settings.strength)
        result = dataclasses.replace(result, content=weakened)
        assert result.content is not None
        write_atomic(out, result.content)
        write_atomic(out.with_name(out.name + ".json"), card_json(base, out.name, result, settings))
        checkpoint.remove(unfinished)
        kept.unlink(missing_ok=True)
    return result


def at_strength(content: bytes, base: BaseModel, strength: float) -> bytes:
    """Return an adapter file for `base` whose products are `strength` times as large."""
    adapter = read_adapter(content, base.header)
    return write_adapter(dataclasses.replace(adapter, alpha=adapter.alpha * strength), "F16")


def documents(base: BaseModel, own: OwnWords, settings: TeachSettings) -> list[Document]:
    """Return what a reader for `base` learns from, and what it is held to.

    The same arguments give the same documents.
    """
    with Tokenizer(base) as tokenizer:
        maker = DialogueMaker(lambda t: len(tokenizer.encode(t)), own.answers, settings.dialogues)
        longest = settings.dialogues.max_tokens + _SPARE_TOKENS
        reader = DocumentReader(tokenizer, base.header, max_length=longest)
        learned = [_document(d, reader) for d in maker.dialogues(settings.n_tokens)]
    return learned + _anchors(own.texts, round(settings.text_share * settings.n_tokens))


def _anchors(texts: Sequence[list[int]], n_tokens: int) -> list[Document]:
    """Return `texts` again and again, until there are `n_tokens` tokens of them."""
    each = [
        Document.anchored(np.array(text, np.int32), "the model's own text")
        for text in texts
        if len(text) > 1
    ]
    found: list[Document] = []
    while each and n_tokens > 0:
        found.append(each[len(found) % len(each)])
        n_tokens -= found[-1].length
    return found


def own_answers(
    engine: Engine, requests: Iterable[str], told: Callable[[int], None] | None = None
) -> dict[str, Answer]:
    """Return what the model answers to `requests` when it knows nothing about the user."""
    options = ChatOptions(temperature=0.0, repeat_penalty=1.0, max_tokens=ANSWER_TOKENS)
    answers = {}
    for number, request in enumerate(requests, start=1):
        stream = engine.chat([Message("user", request)], options)
        text = stream.read()
        if text.strip():
            answers[request] = Answer(text, stream.finish_reason == "stop")
        if told is not None:
            told(number)
    return answers


def card_json(base: BaseModel, name: str, result: TrainingResult, settings: TeachSettings) -> bytes:
    """Return the model card of a new reader: what it is, for which base, and how it was made."""
    assert result.content is not None
    card: dict[str, Any] = {
        "file": name,
        "sha256": content_sha256(result.content),
        "bytes": len(result.content),
        "base": base.name,
        "base_sha256": base.sha256,
        "persona_version": TAUGHT.version,
        "purpose": "Makes the base model answer from the notes about its user.",
        "licence": "Apache-2.0; the dialogues it learned from are CC0 and made by a program",
        "training": {
            "dialogues": result.n_documents[0] + result.n_documents[1],
            "tokens": result.n_tokens,
            "steps": result.steps,
            "held_out_losses": [[step, round(loss, 4)] for step, loss in result.held_out_losses],
            "settings": dataclasses.asdict(settings),
        },
    }
    return (json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode()


def _document(dialogue: Dialogue, reader: DocumentReader) -> Document:
    """Return a dialogue in which the answers are supervised."""
    document = reader.from_messages(dialogue.messages, "a dialogue")
    if not dialogue.cut:
        return document
    supervised = document.supervised.copy()  # the answer goes on: its end is not to be learned
    supervised[np.flatnonzero(supervised)[-1]] = False
    return dataclasses.replace(document, supervised=supervised)


def _ask(
    base: BaseModel,
    requests: Sequence[str],
    home: Home,
    threads: int,
    answered: Callable[[int, int], None] | None,
) -> dict[str, Answer]:
    with LlamaEngine(base, ModelSettings(n_ctx=512, n_threads=threads), home) as engine:
        told = None if answered is None else (lambda n: answered(n, len(requests)))
        return own_answers(engine, requests, told)


def _identity(base: BaseModel, settings: TeachSettings) -> str:
    """Return a hash of all that the model's own words depend on."""
    numbers = (ANSWER_TOKENS, settings.n_requests, settings.n_texts, settings.text_tokens)
    parts = [base.sha256, *map(str, numbers), *NEUTRAL["train"], *OPENINGS]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _read_own(path: Path, base: BaseModel, settings: TeachSettings) -> OwnWords | None:
    """Return the words of an interrupted run, or None if there are none for this base."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["identity"] != _identity(base, settings):
            return None
        answers = {request: Answer(*row) for request, row in kept["answers"].items()}
        return OwnWords(answers, [[int(token) for token in text] for text in kept["texts"]])
    except (OSError, ValueError, KeyError, TypeError):
        return None
