"""How fast this machine answers with a model: a short probe."""

from __future__ import annotations

import time

from ondevice.engine.llama import LlamaEngine
from ondevice.engine.protocol import ChatOptions
from ondevice.home import Home
from ondevice.models.base_model import BaseModel
from ondevice.models.messages import Message
from ondevice.settings import GenerationSettings, ModelSettings

_TOKENS = 32
_ROUNDS = 3
_SECONDS = 3.0  # after which no further round begins


def decoding_speed(model: BaseModel, home: Home) -> float:
    """Return how many tokens a second `model` answers here: the best of a few short answers.

    The best, because whatever else runs on the machine can only slow it.
    """
    options = ChatOptions.from_settings(GenerationSettings(temperature=0, max_tokens=_TOKENS))
    question = [Message("user", "Count from one to one hundred in words.")]
    best = 0.0
    with LlamaEngine(model, ModelSettings(n_ctx=512), home) as engine:
        began = time.monotonic()
        for number in range(_ROUNDS):
            if number and time.monotonic() - began > _SECONDS:
                break
            stream = engine.chat(question, options)
            for _ in stream:
                pass
            best = max(best, stream.timings.tokens_per_second)
    return best
