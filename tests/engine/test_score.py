import contextlib

import llama_cpp
import numpy as np
import pytest

from ondevice.engine.llama import LlamaEngine
from ondevice.engine.prompt import shared_prefix
from ondevice.engine.protocol import ChatOptions
from ondevice.errors import ContextOverflowError, EngineError
from ondevice.models.base_model import BaseModel
from ondevice.models.messages import Message
from ondevice.models.native import PROMPT_CHUNK

TEXT = "The fox said to the hen that the moon is made of old cheese. " * 12


def reference(model: BaseModel, parts: list[list[int]], tokens: list[int]) -> np.ndarray:
    """Log-likelihoods from llama-cpp-python's own logits, in plain float64.

    Batches of the same size as ours: llama.cpp rounds differently in others.
    """
    llama = llama_cpp.Llama(
        str(model.path),
        n_ctx=1024,
        n_batch=PROMPT_CHUNK,
        n_threads=1,
        n_threads_batch=1,
        logits_all=True,
        verbose=False,
        flash_attn=False,
    )
    with contextlib.closing(llama):
        for part in parts:
            llama.eval(part)
        logits = llama.scores[: llama.n_tokens].astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs[np.arange(-len(tokens), 0), tokens]


def test_equals_an_independent_computation(
    shared_engine: LlamaEngine, default_model: BaseModel
) -> None:
    before = shared_engine.tokenize("Once upon a time")
    scores = shared_engine.score(TEXT, context="Once upon a time")
    assert len(scores.tokens) > 150  # more than one batch
    assert scores.log_likelihood.dtype == np.float64
    parts = [before[:-1], [before[-1], *scores.tokens[:-1]]]
    expected = reference(default_model, parts, scores.tokens)
    np.testing.assert_allclose(scores.log_likelihood, expected, atol=1e-5)
    first = scores.tokens[:40]
    token_by_token = reference(default_model, [[t] for t in [*before, *first[:-1]]], first)
    assert scores.log_likelihood[:40].sum() == pytest.approx(token_by_token.sum(), rel=0.03)


def test_a_score_does_not_depend_on_what_ran_before(shared_engine: LlamaEngine) -> None:
    shared_engine.reset_cache()
    fresh = shared_engine.score(" Paris.", context="The capital of France is").log_likelihood
    prompt = shared_engine.encode_prompt([Message("user", "x")])
    shared_engine.score([5, 6, 7], context=prompt)
    shared_engine.score(TEXT)
    after = shared_engine.score(" Paris.", context="The capital of France is").log_likelihood
    again = shared_engine.score(" Paris.", context="The capital of France is").log_likelihood
    longer = shared_engine.score(" Paris.", context="The capital of France is and was")
    assert np.array_equal(fresh, after)
    assert np.array_equal(fresh, again)
    assert not np.array_equal(fresh, longer.log_likelihood)


def test_a_shared_beginning_is_reused_without_a_trace(shared_engine: LlamaEngine) -> None:
    head, tails = shared_engine.tokenize(TEXT)[:150], [[5, 6, 7, 8], [9, 10], list(range(11, 60))]
    contexts = [head + tail for tail in tails] + [head[:140], head[:129], head[:128]]
    fresh = []
    for context in contexts:
        shared_engine.reset_cache()
        fresh.append(shared_engine.score(" and so on.", context=context).log_likelihood)
    again = [shared_engine.score(" and so on.", context=c).log_likelihood for c in contexts]
    for one, other in zip(fresh, again, strict=True):
        assert np.array_equal(one, other)


def test_likelier_text_scores_higher(shared_engine: LlamaEngine) -> None:
    context = "The capital of France is"
    assert (
        shared_engine.score(" Paris", context=context).nats
        < shared_engine.score(" cheese", context=context).nats
    )
    assert np.isfinite(shared_engine.score("Alone").log_likelihood).all()
    assert shared_engine.score("").tokens == []


def test_too_long_or_foreign_tokens_are_refused(shared_engine: LlamaEngine) -> None:
    with pytest.raises(ContextOverflowError):
        shared_engine.score("word " * 2000)
    with pytest.raises(EngineError):
        shared_engine.score([49152])
    with pytest.raises(EngineError):
        shared_engine.score([-1])


NOTES = "Notes about the user:\n" + "".join(
    f"- The user has a {thing} called {name}.\n"
    for thing, name in [("cat", "Moss"), ("goat", "Ada"), ("boat", "Ida"), ("hen", "Lotte")] * 6
)
ASKED = [
    [Message("user", f"{NOTES}\nWhat is my {thing} called?")]
    for thing in ("cat", "goat", "boat", "hen", "lamp", "horse", "gate", "dog")
]


def test_options_score_as_each_alone_whatever_is_shared(shared_engine):
    prompts = [shared_engine.encode_prompt(messages) for messages in ASKED[:3]]
    shared = shared_prefix(prompts)
    assert 128 < shared < len(prompts[0]) - 1
    options = [shared_engine.tokenize(text) for text in (" Moss.", " I do not know that.")]
    alone = [[shared_engine.score(o, context=p).nats for o in options] for p in prompts]
    plain = [[s.nats for s in shared_engine.score_options(options, context=p)] for p in prompts]
    assert plain == alone

    def found(prompts):
        return [
            [s.nats for s in shared_engine.score_options(options, context=p, shared=shared)]
            for p in prompts
        ]

    first = found(prompts)
    np.testing.assert_allclose(first, alone, rtol=0.03)  # evaluated in other parts
    assert found(prompts[::-1]) == first[::-1]  # whatever came before
    shared_engine.reset_cache()
    assert found(prompts) == first


def alike(engine: LlamaEngine, prompt: list[int], one: str, other: str) -> bool:
    """Whether two greedy answers are the same, or part where the model cannot choose.

    Where in the cache a token stands changes sums by a rounding error, some hundredths of a nat:
    of two tokens that are nearer to each other than that either may come first.
    """
    if one == other:
        return True
    pair = [engine.tokenize(text) for text in (one, other)]
    same = next(n for n, (a, b) in enumerate(zip(*pair, strict=False)) if a != b)
    before = [*prompt, *pair[0][:same]]
    first, second = (engine.score([tokens[same]], context=before).nats for tokens in pair)
    return abs(first - second) < 0.1


def test_answers_together_are_those_of_chats(shared_engine):
    options = ChatOptions(temperature=0.0, max_tokens=12)
    alone = [shared_engine.chat(messages, options).read() for messages in ASKED]
    assert "Moss" in alone[0] or "cat" in alone[0]
    together = shared_engine.answers(ASKED, options)  # more than fit at once
    each = [shared_engine.answers([messages], options)[0] for messages in ASKED]
    assert together[:4] == alone[:4] == each[:4]  # what the notes tell leaves no doubt
    for number, messages in enumerate(ASKED):
        prompt = shared_engine.encode_prompt(messages)
        assert alike(shared_engine, prompt, together[number], alone[number])
        assert alike(shared_engine, prompt, each[number], alone[number])
    stopped = shared_engine.answers(ASKED[:2], ChatOptions(temperature=0.0, stop=(" is ",)))
    assert all(" is " not in answer for answer in stopped)
    # What was branched off is gone: a chat goes on as ever.
    assert shared_engine.chat(ASKED[1], options).read() == alone[1]
    with pytest.raises(ContextOverflowError):
        shared_engine.answers(ASKED, ChatOptions(max_tokens=shared_engine.n_ctx))
    assert shared_engine.answers([], options) == []
