"""Several answers at once, as parallel sequences of the KV cache.

What their prompts share is evaluated once, and one token of each of seven answers
takes a third of the time of seven tokens one after the other.

Only answers, not likelihoods: where in the cache a token stands changes sums by a
rounding error, which llama.cpp's quantized activations turn into some hundredths
of a nat. So each likelihood is measured at the same place (`score`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ondevice.engine.context import InferenceContext
from ondevice.engine.protocol import ChatOptions
from ondevice.engine.sampler import Sampler
from ondevice.engine.text_stream import TextStream
from ondevice.models.native import PROMPT_CHUNK


@dataclass
class _Answer:
    """One answer that is being written."""

    branch: int
    position: int  # of the next token
    sampler: Sampler
    text: TextStream
    pieces: list[str] = field(default_factory=list)
    count: int = 0
    token: int = -1
    open: bool = True


def answer_branches(
    context: InferenceContext, rests: Sequence[Sequence[int]], options: ChatOptions
) -> list[str]:
    """Return the answers to prompts that begin with the cached tokens and go on with `rests`.

    Args:
        context: holds what the prompts have in common.
        rests: of each prompt at least one token; at most `native.MAX_BRANCHES`.
        options: of all answers.
    """
    start = len(context.cached)
    answers: list[_Answer] = []
    context.fork(len(rests))
    try:
        for branch, rest in enumerate(rests):
            sampler = Sampler(context.vocab, options)
            answers.append(_Answer(branch, start + len(rest), sampler, TextStream(options.stop)))
        work = [
            (branch, start + offset, token, offset == len(rest) - 1)
            for branch, rest in enumerate(rests)
            for offset, token in enumerate(rest)
        ]
        for at in range(0, len(work), PROMPT_CHUNK):
            part = work[at : at + PROMPT_CHUNK]
            context.evaluate_branches([w[:3] for w in part], [w[3] for w in part])
            for row, (branch, _, _, is_last) in enumerate(part):
                if is_last:
                    _take(context, answers[branch], row, options.max_tokens)
        while writing := [answer for answer in answers if answer.open]:
            context.evaluate_branches(
                [(answer.branch, answer.position, answer.token) for answer in writing],
                [True] * len(writing),
            )
            for row, answer in enumerate(writing):
                answer.position += 1
                _take(context, answer, row, options.max_tokens)
    finally:
        context.join()
        for answer in answers:
            answer.sampler.close()
    return ["".join([*answer.pieces, answer.text.finish()]) for answer in answers]


def _take(context: InferenceContext, answer: _Answer, row: int, max_tokens: int) -> None:
    """Draw the answer's next token from the logits of `row`; see whether it is the last one."""
    token = answer.sampler.sample(context.pointer, row)
    if context.vocab.is_eog(token):
        answer.open = False
        return
    answer.token = token
    answer.count += 1
    answer.pieces.append(answer.text.add(context.vocab.piece(token)))
    answer.open = not answer.text.stopped and answer.count < max_tokens
