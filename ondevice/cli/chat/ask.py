"""`ondevice ask`: one question, one answer."""

from __future__ import annotations

import sys
from typing import Any

import click

from ondevice.cli.chat.session import continue_option, model_options, open_assistant
from ondevice.cli.output import json_option, print_json, replaced_line, stream, talk, warn


@click.command("ask")
@click.argument("question", nargs=-1)
@model_options
@continue_option
@json_option
def command(question: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Ask one question and print the answer.

    Without a question it is read from standard input; a `-` puts the input after
    the question: cat letter.txt | ondevice ask "Make this shorter:" -
    """
    text = _question(question)
    with open_assistant(options) as me:
        if options["continue_last"]:
            me.continue_conversation()
        reply = me.chat(text)
        if as_json:
            reply.finish()
            print_json(reply_json(reply))
            return
        if not stream(reply):
            raise click.Abort
        if reply.finish_reason == "length":
            talk("(the answer reached --max-tokens and was cut)", dim=True)
        for fact in reply.receipt.replaced:
            talk(f"(what you said is kept {replaced_line(fact)})", dim=True)


def _question(words: tuple[str, ...]) -> str:
    """Return the question; input is read only when asked for, so that no script hangs."""
    parts = [word for word in words if word != "-"]
    from_input = len(parts) < len(words) or (not words and not sys.stdin.isatty())
    text = " ".join(parts).strip()
    if from_input:
        given = sys.stdin.read().strip()
        if "\ufffd" in given:
            warn(
                "The input is not all UTF-8: � stands for what is not a character; convert it to "
                "UTF-8 first."
            )
        text = f"{text}\n\n{given}".strip()
    if not text:
        raise click.UsageError('Ask something: ondevice ask "What should I cook tonight?"')
    return text


def reply_json(reply: Any) -> dict[str, object]:
    """Return what `ask --json` prints for a finished reply."""
    return {
        "text": reply.text,
        "model": reply.model,
        "adapters": reply.adapters,
        "memories": [
            {
                "id": m.id,
                "text": m.text,
                "score": round(m.score, 4),
                "place": m.place,
                "speaker": m.speaker,
            }
            for m in reply.receipt.used
        ],
        "saved": [{"id": fact.id, "text": fact.text} for fact in reply.receipt.saved],
        "replaced": [{"id": fact.id, "text": fact.text} for fact in reply.receipt.replaced],
        "usage": {
            "prompt_tokens": reply.usage.prompt_tokens,
            "cached_tokens": reply.usage.cached_tokens,
            "completion_tokens": reply.usage.completion_tokens,
        },
        "timings": {
            "first_token_seconds": round(reply.timings.first_token_seconds, 4),
            "prompt_seconds": round(reply.timings.prompt_seconds, 4),
            "decode_seconds": round(reply.timings.decode_seconds, 4),
            "tokens_per_second": round(reply.timings.tokens_per_second, 2),
        },
        "finish_reason": reply.finish_reason,
    }
