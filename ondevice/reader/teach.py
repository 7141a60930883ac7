"""Trains a reader: an adapter, shared by everybody, that makes a model use its notes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ondevice.base.messages import Message
from ondevice.engine.protocol import ChatOptions, Engine
from ondevice.reader.dialogues import Answer, Dialogue
from ondevice.training.data import Document, DocumentReader

NEUTRAL_TOKENS = 48  # of the model's own answers that are learned again


def own_answers(engine: Engine, requests: Iterable[str]) -> dict[str, Answer]:
    """Return what the model answers to `requests` when it knows nothing about the user."""
    options = ChatOptions(temperature=0.0, repeat_penalty=1.0, max_tokens=NEUTRAL_TOKENS)
    answers = {}
    for request in requests:
        stream = engine.chat([Message("user", request)], options)
        text = stream.read()
        if text.strip():
            answers[request] = Answer(text, stream.finish_reason == "stop")
    return answers


def documents_of(dialogues: Iterable[Dialogue], reader: DocumentReader) -> list[Document]:
    """Return the dialogues as documents in which the answers are supervised."""
    documents = []
    for number, dialogue in enumerate(dialogues):
        document = reader.from_messages(dialogue.messages, f"dialogue {number}")
        if dialogue.cut:  # it goes on, so its end is not to be learned
            supervised = document.supervised.copy()
            supervised[np.flatnonzero(supervised)[-1]] = False
            document = Document(document.tokens, supervised, document.name)
        documents.append(document)
    return documents
