"""Render a conversation with a model's own chat template, which is a stranger's program.

The template runs in Jinja's immutable sandbox, and this module bounds what the
sandbox does not: how long text and lists may become, how often loops may turn,
how long it may take, and which filters and methods there are. The template's
syntax tree is rewritten before compilation so that loops, concatenations and
literals go through those bounds (`template_sandbox`).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ondevice.errors import BaseModelError, InvalidModelError, UnsafeTemplateError
from ondevice.models.gguf_header import GgufHeader
from ondevice.models.messages import Message

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MAX_SOURCE = 1 << 18  # characters; the longest known templates have about 20,000


class ChatTemplate:
    """A chat template, compiled once; `render` may be called from any thread."""

    def __init__(self, source: str, bos_token: str, eos_token: str) -> None:
        """Compile the Jinja template `source`.

        Raises:
            UnsafeTemplateError: it uses what a chat template has no need of.
            InvalidModelError: it is not a Jinja template.
        """
        import jinja2
        from jinja2.exceptions import SecurityError

        from ondevice.models.template_sandbox import Sandbox

        if len(source) > MAX_SOURCE:
            raise UnsafeTemplateError(
                f"The chat template is {len(source)} characters long, which no honest one is; "
                "use another model file."
            )
        self.source = source
        self._tokens = {"bos_token": bos_token, "eos_token": eos_token}
        self._lock = threading.Lock()
        self._sandbox = Sandbox()
        try:
            self._template = self._sandbox.compile_checked(source)
        except jinja2.TemplateAssertionError as error:  # an unknown filter or test
            raise UnsafeTemplateError(
                f"The model's chat template uses what ours may not (line {error.lineno}: "
                f"{error.message}); use another model file."
            ) from error
        except jinja2.TemplateSyntaxError as error:
            raise InvalidModelError(
                f"The model's chat template is not valid Jinja (line {error.lineno}); "
                "use another model file."
            ) from error
        except SecurityError as error:
            raise UnsafeTemplateError(
                f"The model's chat template is unsafe: {error}; use another model file."
            ) from error
        except RecursionError as error:
            raise UnsafeTemplateError(
                "The chat template is nested too deeply; use another model file."
            ) from error

    @classmethod
    def from_header(cls, header: GgufHeader) -> ChatTemplate:
        """Return the template that the model file brings, or ChatML if it has none."""
        source = header.metadata.get("tokenizer.chat_template")
        tokens = header.metadata.get("tokenizer.ggml.tokens")
        vocabulary = tokens if isinstance(tokens, list) else []

        def text_of(key: str) -> str:
            token = header.metadata.get(f"tokenizer.ggml.{key}_token_id")
            if isinstance(token, int) and 0 <= token < len(vocabulary):
                return str(vocabulary[token])
            return ""

        return cls(
            source if isinstance(source, str) and source.strip() else CHATML,
            text_of("bos"),
            text_of("eos"),
        )

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool) -> str:
        """Return the conversation as the text that the model was trained on.

        Raises:
            UnsafeTemplateError: the template exceeded a bound or broke out of its sandbox.
            BaseModelError: the template refuses this order of roles.
        """
        import jinja2
        from jinja2.exceptions import SecurityError

        from ondevice.models.template_sandbox import TemplateRefusalError

        content = sum(len(m.content) + len(m.role) for m in messages)
        variables = {
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "add_generation_prompt": add_generation_prompt,
            **self._tokens,
        }
        with self._lock:
            budget = self._sandbox.new_budget(content, len(messages))
            pieces: list[str] = []
            try:
                for piece in self._template.generate(variables):
                    budget.spend_text(len(piece))
                    pieces.append(piece)
            except TemplateRefusalError as error:
                raise BaseModelError(
                    "The model's chat template refuses this order of roles; let user and "
                    "assistant take turns."
                ) from error
            except SecurityError as error:
                raise UnsafeTemplateError(
                    f"The model's chat template is unsafe: {error}; use another model file."
                ) from error
            except (MemoryError, RecursionError, OverflowError) as error:
                raise UnsafeTemplateError(
                    "The model's chat template asks for more than formatting text; use "
                    "another model file."
                ) from error
            except (jinja2.TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as e:
                raise InvalidModelError(
                    f"The model's chat template fails ({type(e).__name__}); use another model file."
                ) from e
        return "".join(pieces)
