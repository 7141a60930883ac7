"""Text to tokens and back, without loading the model's weights."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from ondevice.models import native
from ondevice.models.base_model import BaseModel


class Tokenizer:
    """The tokenizer of a base model; only the vocabulary is loaded.

    Attributes:
        n_vocab: number of tokens.
        bos: the token that begins a text, or -1.
        eos: the token that ends a text, or -1.
        eog: every token that ends a generation.
    """

    def __init__(self, model: BaseModel) -> None:
        """Load the vocabulary of `model`.

        Raises:
            InvalidModelError: llama.cpp refuses the file.
        """
        self._model = native.load_model(model.path, vocab_only=True)
        self._vocab = native.Vocab(self._model)
        self.n_vocab = self._vocab.n_vocab
        self.bos = self._vocab.bos
        self.eos = self._vocab.eos
        self.eog = frozenset(t for t in range(self.n_vocab) if self._vocab.is_eog(t))

    def encode(self, text: str, *, add_bos: bool = False, special: bool = False) -> list[int]:
        """Return the tokens of `text`.

        Args:
            text: any text.
            add_bos: put the model's first token in front, if the model wants one.
            special: text such as "<|im_end|>" becomes the control token it names.
        """
        return self._vocab.encode(text, add_bos=add_bos, special=special)

    def decode(self, tokens: list[int]) -> str:
        """Return the text of `tokens`; control tokens have none."""
        return self._vocab.decode(tokens)

    def close(self) -> None:
        """Free the vocabulary."""
        if self._model is not None:
            native.llama_cpp().llama_model_free(self._model)
            self._model = None

    def __enter__(self) -> Self:
        """Return the tokenizer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Free the vocabulary."""
        self.close()
