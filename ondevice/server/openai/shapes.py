"""The JSON that answers are made of."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ondevice.chat.reply import Reply
from ondevice.engine.protocol import TokenLikelihood, Usage

DONE = b"data: [DONE]\n\n"


def event(value: dict[str, Any]) -> bytes:
    """Return `value` as a server-sent event."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


@dataclass(frozen=True)
class Envelope:
    """What stands in every chunk and answer of one request."""

    prefix: str
    kind: str
    model: str
    fingerprint: str
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))

    def wrap(self, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        """Return an object with `choices`."""
        return {
            "id": f"{self.prefix}-{self.id}",
            "object": self.kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": choices,
            **more,
        }


def usage_json(usage: Usage) -> dict[str, Any]:
    """Return token counts."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def receipt_json(reply: Reply) -> dict[str, Any]:
    """Return what was used and saved for a reply."""
    receipt = reply.receipt
    return {
        "used": [
            {
                "id": memory.id,
                "text": memory.text,
                "score": round(memory.score, 4),
                "place": memory.place,
                "source": memory.source,
            }
            for memory in receipt.used
        ],
        "saved": [
            {"id": fact.id, "text": fact.text, "category": fact.category} for fact in receipt.saved
        ],
        "replaced": [{"id": fact.id, "text": fact.text} for fact in receipt.replaced],
        "adapters": reply.adapters,
        "user_turn_id": receipt.user_turn_id,
        "assistant_turn_id": receipt.assistant_turn_id,
        "dropped_exchanges": receipt.dropped_exchanges,
        "forgotten_meanwhile": receipt.forgotten_meanwhile,
    }


def chat_logprobs(likelihoods: Sequence[TokenLikelihood]) -> dict[str, Any]:
    """Return likelihoods in the shape of chats."""

    def one(content: bytes, value: float) -> dict[str, Any]:
        return {
            "token": content.decode("utf-8", "replace"),
            "logprob": value,
            "bytes": list(content),
        }

    return {
        "content": [
            {**one(t.content, t.log_probability), "top_logprobs": [one(*o) for o in t.others]}
            for t in likelihoods
        ],
        "refusal": None,
    }


def text_logprobs(likelihoods: Sequence[TokenLikelihood], offset: int) -> dict[str, Any]:
    """Return likelihoods in the shape of plain completions; `offset` is where the text begins."""
    tokens = [t.content.decode("utf-8", "replace") for t in likelihoods]
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token)
    return {
        "tokens": tokens,
        "token_logprobs": [t.log_probability for t in likelihoods],
        "top_logprobs": [
            {content.decode("utf-8", "replace"): value for content, value in t.others}
            for t in likelihoods
        ],
        "text_offset": offsets,
    }
