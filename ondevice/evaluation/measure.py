"""Measuring items with an engine: likelihoods, choices, answers. No judge but the text itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ondevice.engine.protocol import ChatOptions
from ondevice.evaluation.split import words_of

if TYPE_CHECKING:
    from ondevice.engine.protocol import Engine
    from ondevice.evaluation.likelihood import Scorer
    from ondevice.models.messages import Message

ANSWER_TOKENS = 24  # of an answer in a few words
AT_ONCE = 7  # answers that are written together
_ARTICLES = frozenset({"a", "an", "the"})


def nats_of(scorer: Scorer, text: list[int], prompt: list[int], shared: int = 0) -> float:
    """Return the negative log-likelihood of the tokens `text` after `prompt`, in nats.

    The first `shared` tokens of the prompt are those of the next ones too.
    """
    return scorer.score_options([text], context=prompt, shared=shared)[0].nats


def option_scores(
    scorer: Scorer, options: Sequence[list[int]], prompt: list[int], shared: int = 0
) -> list[float]:
    """Return the mean log-likelihood per token of each option after `prompt`.

    The mean, because the options differ in length.
    """
    scores = scorer.score_options(options, context=prompt, shared=shared)
    return [-score.nats / max(len(score.tokens), 1) for score in scores]


def is_right(scores: Sequence[float]) -> float:
    """Return 1 if the first option has the highest score; of ties, its share."""
    best = max(scores)
    return 1.0 / scores.count(best) if scores[0] == best else 0.0


def short_answers(
    engine: Engine, conversations: Sequence[Sequence[Message]], shared: int = 0
) -> list[str]:
    """Return the likeliest answers, at most `ANSWER_TOKENS` tokens, up to their first line end."""
    options = ChatOptions(temperature=0.0, repeat_penalty=1.0, max_tokens=ANSWER_TOKENS)
    found = engine.answers(conversations, options, shared=shared)
    return [answer.strip().split("\n", 1)[0] for answer in found]


def exact_match(answer: str, right: str) -> float:
    """Return 1 if both say the same in the same words, articles and punctuation aside.

    As in Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of
    Text", 2016, section 6.1.
    """
    return float(_content(answer) == _content(right))


def token_f1(answer: str, right: str) -> float:
    """Return the harmonic mean of precision and recall of words (SQuAD, as above)."""
    given, wanted = _content(answer), _content(right)
    common = sum((Counter(given) & Counter(wanted)).values())
    return 2 * common / (len(given) + len(wanted)) if common else 0.0


def _content(text: str) -> list[str]:
    return [word for word in words_of(re.sub(r"['’]s\b", "", text)) if word not in _ARTICLES]
