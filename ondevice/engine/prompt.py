"""Conversations to prompt tokens.

Three promises are kept here.

*Text stays text.* Control tokens come only from the chat template. Where a
message holds the text of one ("<|im_end|>"), a cut mark is put inside that
text; the rendered prompt is then tokenized piece by piece between the marks, so
no tokenizer sees the whole of it. Every other prompt is tokenized in one go,
exactly as llama.cpp itself would.

*Answers stay as they were sampled.* A model may write a text with other tokens
than the tokenizer would. Answers are remembered with their tokens, and these
are put in place of the text, so that the KV cache fits the next turn.

*Nothing is left out.* A prompt that is too long for the context is refused. What may go is for
the conversation to decide, which knows what stands in it, and to tell.
"""

from __future__ import annotations

import itertools
import re
from collections import OrderedDict
from collections.abc import Sequence

from ondevice.errors import ContextOverflowError, EngineError
from ondevice.models import native
from ondevice.models.chat_template import ChatTemplate
from ondevice.models.gguf_header import GgufHeader
from ondevice.models.messages import Message

# Unicode noncharacters: they are reserved for such uses and stand in no real text.
_CUT, _OPEN, _CLOSE = "\ufdd0", "\ufdd1", "\ufdd2"
_MARKS = re.compile(f"[{_CUT}{_OPEN}{_CLOSE}]")
_ANSWER = re.compile(f"{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}")
_REMEMBERED = 512  # answers whose tokens are kept
_USER_DEFINED = 4  # GGUF token type; these become tokens whatever the caller says


class ControlText:
    """The texts of a vocabulary's control tokens, and how to cut them."""

    def __init__(self, header: GgufHeader, vocab: native.Vocab, template: str) -> None:
        """Collect control tokens, and user-defined ones that the template gives a meaning."""
        texts, types = (
            header.metadata.get(f"tokenizer.ggml.{key}") for key in ("tokens", "token_type")
        )
        texts = texts if isinstance(texts, list) else []
        types = types if isinstance(types, list) else [1] * len(texts)
        found = set()
        for token, (text, kind) in enumerate(zip(texts, types, strict=False)):
            if kind == 1 and not (text.startswith("<") and text.endswith(">")):
                continue  # llama.cpp itself promotes some such tags to control tokens
            meant = kind == _USER_DEFINED and len(text) > 2 and text in template
            if text and (meant or vocab.is_control(token) or vocab.is_eog(token)):
                found.add(text)
        self.texts = found
        longest_first = sorted(found, key=len, reverse=True)
        # A look-ahead finds overlapping texts too.
        self._pattern = re.compile(f"(?=({'|'.join(map(re.escape, longest_first)) or '(?!)'}))")
        self._heads = {text[:i] for text in found for i in range(1, len(text))}
        self._tails = {text[i:] for text in found for i in range(1, len(text))}
        self._longest = max(map(len, found), default=0)

    def cut(self, content: str) -> str:
        """Return `content` with a cut mark inside each control text, and where one could arise."""
        places = {match.start() + 1 for match in self._pattern.finditer(content)}
        # At its edges the content could complete a control text together with the template's.
        for length in range(1, min(self._longest, len(content) + 1)):
            if content[:length] in self._tails:
                places.add(0)
            if content[-length:] in self._heads:
                places.add(len(content))
        if not places:
            return content
        parts, last = [], 0
        for place in sorted(places):
            parts.append(content[last:place])
            last = place
        return _CUT.join([*parts, content[last:]])


class PromptBuilder:
    """Turns conversations into prompt tokens for one loaded model."""

    def __init__(self, header: GgufHeader, template: ChatTemplate, vocab: native.Vocab) -> None:
        """Build prompts with `template` and `vocab`, both of the model with `header`."""
        self._template = template
        self._vocab = vocab
        self._control = ControlText(header, vocab, template.source)
        self._bos_text = vocab.text_of(vocab.bos)
        self._answers: OrderedDict[str, list[int]] = OrderedDict()
        # The newest prompt: a turn is counted first, then asked for.
        self._newest: tuple[tuple[Message, ...], list[int]] = ((), [])

    def use_vocab(self, vocab: native.Vocab) -> None:
        """Go on with the vocabulary of the same model, loaded again."""
        self._vocab = vocab

    def forget(self) -> None:
        """Forget all remembered answers."""
        self._answers.clear()
        self._newest = ((), [])

    def remember(self, text: str, tokens: Sequence[int]) -> None:
        """Keep the `tokens` that were sampled for the answer `text`, if they spell it."""
        kept, spelled, wanted = [], b"", text.encode("utf-8")
        for token in tokens:
            longer = spelled + self._vocab.piece(token)
            if not wanted.startswith(longer):
                break
            kept.append(token)
            spelled = longer
        if not kept:
            return
        rest = wanted[len(spelled) :].decode("utf-8", "ignore")
        if rest.encode("utf-8") != wanted[len(spelled) :]:
            return  # the cut would go through a character
        self._newest = ((), [])
        self._answers[text] = kept + (self._vocab.encode(rest) if rest else [])
        self._answers.move_to_end(text)
        while len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens of the prompt that asks for an answer to `messages`.

        Raises:
            EngineError: a role is not a plain word, or there is no message.
            BaseModelError: the chat template refuses the conversation.
        """
        if not messages:
            raise EngineError("There is no message to answer; give at least one.")
        if self._newest[0] == tuple(messages):
            return list(self._newest[1])
        for message in messages:
            if not re.fullmatch(r"[a-z][a-z_-]{0,31}", message.role):
                raise EngineError(
                    "A message's role is not a plain word; use 'system', 'user' or 'assistant'."
                )
        known = [m.role == "assistant" and m.content in self._answers for m in messages]
        tokens = self._encode(messages, known)
        if tokens is None:  # the template changes answers, so their tokens cannot be used
            tokens = self._encode(messages, [False] * len(messages))
        if tokens is None:
            raise EngineError(
                "The model's chat template does not keep the messages' text; use another "
                "model file."
            )
        self._newest = tuple(messages), list(tokens)
        return tokens

    def _encode(self, messages: Sequence[Message], known: Sequence[bool]) -> list[int] | None:
        marked, answers = [], []
        for message, is_known in zip(messages, known, strict=True):
            content = message.content
            if is_known:
                answers.append(content)
                content = f"{_OPEN}{content}{_CLOSE}"
            else:
                content = self._control.cut(_MARKS.sub("", content))
            marked.append(Message(message.role, content))
        rendered = self._template.render(marked, add_generation_prompt=True)
        stretches = _ANSWER.split(rendered)  # template, answer, template, answer, …
        if stretches[1::2] != answers or any(
            _OPEN in text or _CLOSE in text for text in stretches[::2]
        ):
            return None
        add_bos = self._vocab.adds_bos and not (
            self._bos_text and rendered.startswith(self._bos_text)
        )
        tokens: list[int] = []
        for number, stretch in enumerate(stretches):
            if number % 2:
                tokens.extend(self._answers[stretch])
                continue
            for piece in stretch.split(_CUT):
                if piece:
                    tokens.extend(self._vocab.encode(piece, add_bos=add_bos, special=True))
                    add_bos = False
        return tokens

    def fit(self, messages: Sequence[Message], room: int) -> list[int]:
        """Return the prompt's tokens, at most `room`.

        Raises:
            ContextOverflowError: there are more.
        """
        tokens = self.encode(messages)
        if len(tokens) > room:
            raise ContextOverflowError(
                f"The messages have {len(tokens)} tokens, but the context has room for {room} "
                "beside the answer; shorten them or raise n_ctx."
            )
        return tokens


def shared_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """Return with how many tokens all of `prompts` begin."""
    columns = zip(*prompts, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda tokens: len(set(tokens)) == 1, columns))
