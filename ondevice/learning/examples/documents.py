"""Examples as the documents of tokens that the trainer reads.

What people wrote is tokenized without control tokens, so that "<|im_end|>" in a
note is only text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from ondevice.errors import BaseModelError
from ondevice.learning.examples.example import Example, Preference
from ondevice.models.messages import Message
from ondevice.training.data import Document, DocumentReader
from ondevice.training.preference_data import PreferencePair


def documents_of(examples: Sequence[Example], reader: DocumentReader) -> list[Document]:
    """Return the documents of `examples` in their order, exact duplicates only once.

    A document's name is the example's hash. Text that is too long is cut into several; a
    conversation that is too long loses what stands before what is learned, or is left out.
    What is replayed is not learned but an anchor: all of it is to stay as likely as it was.
    """
    documents: list[Document] = []
    seen: set[bytes] = set()
    for example in examples:
        for document in _documents(example, reader):
            if example.kind == "replay":
                document = Document.anchored(document.tokens, document.name)
            key = hashlib.sha256(document.tokens.tobytes() + document.supervised.tobytes()).digest()
            if document.n_supervised and key not in seen:
                seen.add(key)
                documents.append(document)
    return documents


def pairs_of(preferences: Sequence[Preference], reader: DocumentReader) -> list[PreferencePair]:
    """Return the documents of `preferences` in their order; those too long are left out."""
    pairs = []
    for preference in preferences:
        chosen, rejected = (
            _conversation(
                (*preference.prompt, Message("assistant", answer)),
                frozenset([len(preference.prompt)]),
                preference.key,
                reader,
            )
            for answer in (preference.chosen, preference.rejected)
        )
        if chosen is None or rejected is None:
            continue
        if max(len(chosen.tokens), len(rejected.tokens)) <= reader.max_length:
            pairs.append(PreferencePair(chosen, rejected))
    return pairs


def _documents(example: Example, reader: DocumentReader) -> Iterator[Document]:
    first = example.messages[0]
    if first.role == "text":
        yield from reader.from_text(first.content, example.key)
        return
    start = 0
    while True:
        messages = example.messages[start:]
        learned = frozenset(index - start for index in example.learned)
        document = _conversation(messages, learned, example.key, reader)
        if document is not None and len(document.tokens) <= reader.max_length:
            yield document
            return
        # Drop an exchange in front, as chat does; what is learned must keep its question.
        start += 2
        if start > min(example.learned) - (example.messages[min(example.learned)].role != "user"):
            break
    last = example.messages[-1]
    if example.kind in ("style", "write"):  # the person's own words: better without a frame
        yield from reader.from_text(last.content, example.key)


def _conversation(
    messages: Sequence[Message], learned: frozenset[int], name: str, reader: DocumentReader
) -> Document | None:
    """Render with the model's template; None if the template refuses such a conversation.

    Of a learned message its text is supervised and, if it is an answer, the token that ends it.
    """
    tokens = list(reader.prefix)
    supervised = [False] * len(tokens)
    done = ""
    for index, message in enumerate(messages):
        content = message.content.strip()
        so_far = [*messages[:index], Message(message.role, content)]
        try:
            after = reader.template.render(so_far, add_generation_prompt=False)
        except BaseModelError:
            return None
        place = after.rfind(content)
        if not after.startswith(done) or place < len(done):
            return None  # the template rewrites earlier turns
        head, tail = after[len(done) : place], after[place + len(content) :]
        for text, special in ((head, True), (content, False), (tail, True)):
            piece = reader.tokenizer.encode(text, special=special) if text else []
            n_learned = 0
            if index in learned and text is content:
                n_learned = len(piece)
            elif index in learned and text is tail and message.role == "assistant":
                ends = [i for i, token in enumerate(piece) if token in reader.tokenizer.eog]
                n_learned = ends[0] + 1 if ends else 0
            tokens += piece
            supervised += [True] * n_learned + [False] * (len(piece) - n_learned)
        done = after
    if reader.prefix and tokens[: 2 * len(reader.prefix)] == [*reader.prefix, *reader.prefix]:
        del tokens[: len(reader.prefix)], supervised[: len(reader.prefix)]  # the template's own
    if supervised:
        supervised[0] = False
    return Document(np.array(tokens, np.int32), np.array(supervised, np.bool_), name)
