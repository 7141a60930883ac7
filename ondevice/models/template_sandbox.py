"""Jinja's immutable sandbox, with bounds on time and size.

Jinja's own sandbox stops templates from reaching Python's internals, but
`{{ 'A' * 10**9 }}` still fills the memory. Here every operation that can make
something big is checked before it is done, and every loop turn, call and
output is paid from a budget.
"""

from __future__ import annotations

import datetime
import json
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any, cast

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import loopcontrols
from jinja2.runtime import Context, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

MAX_SECONDS = 1.0
MAX_ITEMS = 20_000  # of any list, counted as a tree
MAX_INTEGER = 1 << 62
BASE_TEXT = 1 << 20  # characters that a template may make beside the messages' own
BASE_STEPS = 50_000

FILTERS = frozenset(
    {"abs", "bool", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first"}
    | {"float", "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min"}
    | {"reject", "rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr"}
    | {"sort", "string", "title", "tojson", "trim", "unique", "upper"}
)
STRING_METHODS = frozenset(
    {"capitalize", "count", "endswith", "find", "index", "isalnum", "isalpha", "isdigit"}
    | {"islower", "isspace", "isupper", "join", "lower", "lstrip", "partition", "removeprefix"}
    | {"removesuffix", "replace", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "split"}
    | {"splitlines", "startswith", "strip", "title", "upper"}
)
COLLECTION_METHODS = frozenset(["get", "items", "keys", "values", "index", "count"])


class TemplateRefusalError(jinja2.TemplateError):
    """The template itself called `raise_exception`."""


class Budget:
    """What one rendering may still do."""

    def __init__(self, content: int, messages: int) -> None:
        """Set the bounds for `messages` messages of `content` characters together."""
        self.largest = BASE_TEXT + 4 * content
        self.text = BASE_TEXT + 16 * content
        self.steps = BASE_STEPS + 500 * messages
        self.deadline = time.monotonic() + MAX_SECONDS + content / 5e6

    def spend_text(self, length: int) -> None:
        """Pay for `length` characters."""
        self.text -= length
        if self.text < 0:
            raise SecurityError("it writes too much text")
        self.spend_step()

    def spend_step(self) -> None:
        """Pay for one loop turn, call or output."""
        self.steps -= 1
        if self.steps < 0:
            raise SecurityError("it loops too often")
        if time.monotonic() > self.deadline:
            raise SecurityError("it takes too long")

    def check_length(self, length: int) -> None:
        """Refuse a text of `length` characters if that is too long."""
        if length > self.largest:
            raise SecurityError("it makes a text that is too long")


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment that chat templates are compiled and run in."""

    intercepted_binops = frozenset(["+", "-", "*", "/", "//", "%", "**"])

    def __init__(self) -> None:
        """Make an environment with only what chat templates use."""
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,  # nothing of a stranger's template runs at compile time
            cache_size=0,
            extensions=[loopcontrols],
            finalize=self._output,
        )
        self.budget = Budget(0, 0)
        self.filters = {name: self.filters[name] for name in FILTERS if name in self.filters}
        self.filters.update(
            tojson=_tojson, join=self._join, replace=self._replace, string=self._text
        )
        self.globals = {
            "range": self._range,
            "dict": dict,
            "namespace": self.globals["namespace"],
            "raise_exception": _refuse,
            "strftime_now": _strftime_now,
            "_bounded_loop": self._loop,
            "_bounded_text": self._concatenate,
            "_bounded_value": self._bounded,
        }

    def new_budget(self, content: int, messages: int) -> Budget:
        """Start a rendering: return its fresh budget."""
        self.budget = Budget(content, messages)
        return self.budget

    def compile_checked(self, source: str) -> jinja2.Template:
        """Compile `source`, with loops, literals and concatenations bounded."""
        tree = self.parse(source)
        for name in tree.find_all(nodes.Name):
            if name.name.startswith("_"):
                raise jinja2.TemplateSyntaxError("a name begins with '_'", name.lineno)
        self.macro_text = sum(_text_in(macro) for macro in tree.find_all(nodes.Macro))
        tree = _Rewriter().visit(tree)
        tree.set_environment(self)
        code: Any = self.compile(tree)
        return jinja2.Template.from_code(self, code, self.make_globals(None))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Allow only known methods of text and collections."""
        if not super().is_safe_attribute(obj, attr, value):
            return False
        if isinstance(obj, str):
            return attr in STRING_METHODS
        if isinstance(obj, dict | list | tuple):
            return attr in COLLECTION_METHODS
        return not isinstance(obj, bytes | int | float)

    def wrap_str_format(self, value: Any) -> None:
        """Refuse `str.format`, whose padding makes any length; jinja asks for all attributes."""
        if getattr(value, "__name__", "") in ("format", "format_map") and isinstance(
            getattr(value, "__self__", None), str
        ):
            raise SecurityError("it formats text with 'format'")

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """Refuse at once, not only when the value is used."""
        raise SecurityError(f"it asks for the attribute '{attribute[:40]}'")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Do an arithmetic operation if its result cannot become big."""
        self.budget.spend_step()
        if operator == "**":
            numbers = isinstance(left, int | float) and isinstance(right, int | float)
            if not numbers or abs(right) > 64 or abs(left) > 1 << 16:
                raise SecurityError("it computes a power that is too large")
        if operator == "%" and isinstance(left, str):
            raise SecurityError("it formats text with '%'")
        if operator == "*":
            self._check_product(left, right)
        elif operator == "+" and isinstance(left, str) and isinstance(right, str):
            self.budget.check_length(len(left) + len(right))
        elif operator == "+" and isinstance(left, list | tuple):
            return self._bounded(super().call_binop(context, operator, left, right))
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, int) and abs(result) > MAX_INTEGER:
            raise SecurityError("it computes a number that is too large")
        return result

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call what the template calls, if its result cannot become big."""
        # Jinja passes keyword arguments on, hence the mangled names.
        self, context, obj = __self, __context, __obj
        self.budget.spend_step()
        owner, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        if isinstance(obj, Macro):
            self.budget.spend_text(self.macro_text)
        elif isinstance(owner, str):
            if name == "replace":
                return self._replace(owner, *args, **kwargs)
            if name == "join":
                return self._join(args[0], owner)
        return self._bounded(super().call(context, obj, *args, **kwargs))

    def _check_product(self, left: Any, right: Any) -> None:
        for value, times in ((left, right), (right, left)):
            if isinstance(value, str) and isinstance(times, int):
                self.budget.check_length(len(value) * max(times, 0))
            if isinstance(value, list | tuple) and isinstance(times, int):
                if len(value) * max(times, 0) > MAX_ITEMS:
                    raise SecurityError("it makes a list that is too long")
                self._count([value] * 1, times=max(times, 1))

    def _bounded(self, value: Any) -> Any:
        """Return `value` unless it is too long or too deeply shared to be handled quickly."""
        if isinstance(value, str):
            self.budget.check_length(len(value))
        elif isinstance(value, dict | list | tuple):
            self._count([value], times=1)
        return value

    def _count(self, waiting: list[Any], times: int) -> None:
        count = 0
        while waiting:
            value = waiting.pop()
            if isinstance(value, str):
                count += len(value) // 1000
            elif isinstance(value, dict):
                count += len(value)
                waiting.extend(value.values())
            elif isinstance(value, list | tuple):
                count += len(value)
                waiting.extend(value)
            if count * times > MAX_ITEMS + self.budget.largest // 100:
                raise SecurityError("it makes a list that is too long")

    def _output(self, value: Any) -> Any:
        if isinstance(value, str):
            self.budget.spend_text(len(value))
            return value
        if value is None or isinstance(value, bool | int | float | Undefined):
            self.budget.spend_text(24)
            return value
        return self._text(value)

    def _text(self, value: Any) -> str:
        """Return `value` as text, if it is of a kind whose text is short."""
        if isinstance(value, dict | list | tuple):
            self._count([value], times=1)
        elif not (
            value is None
            or isinstance(value, str | bool | int | float | Undefined)
            or hasattr(value, "__html__")
        ):
            raise SecurityError(f"it writes a {type(value).__name__} as text")
        text = str(value)
        self.budget.check_length(len(text))
        self.budget.spend_text(len(text))
        return text

    def _concatenate(self, *values: Any) -> str:
        texts = [self._text(value) for value in values]
        self.budget.check_length(sum(map(len, texts)))
        return "".join(texts)

    def _join(self, values: Iterable[Any], d: str = "", attribute: Any = None) -> str:
        if attribute is not None:
            raise SecurityError("it joins by attribute")
        texts = [self._text(value) for value in self._loop(values, 0)]
        self.budget.check_length(sum(map(len, texts)) + len(str(d)) * len(texts))
        return str(d).join(texts)

    def _replace(self, s: str, old: str, new: str, count: int | None = None) -> str:
        s, old, new = str(s), str(old), str(new)
        times = s.count(old) if count is None or count < 0 else min(s.count(old), count)
        self.budget.check_length(len(s) + times * max(len(new) - len(old), 0))
        return s.replace(old, new, times)

    def _range(self, *args: int) -> range:
        numbers = range(*args)
        if len(numbers) > MAX_ITEMS:
            raise SecurityError("it makes a range that is too long")
        return numbers

    def _loop(self, values: Iterable[Any], text: int) -> Iterator[Any]:
        """Yield `values`, paying for each turn and for the `text` characters it may write."""
        for value in values:
            self.budget.spend_text(text)
            yield value


class _Rewriter(NodeTransformer):
    """Sends loops, concatenations and literals through the sandbox's bounds."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if node.recursive:
            raise SecurityError("it uses a recursive loop")
        text = nodes.Const(_text_in(node))
        self.generic_visit(node)
        node.iter = _call("_bounded_loop", [cast(nodes.Expr, node.iter), text], node)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _call("_bounded_text", node.nodes, node)

    def visit_List(self, node: nodes.List) -> nodes.Node:
        self.generic_visit(node)
        return _call("_bounded_value", [node], node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        self.generic_visit(node)
        return _call("_bounded_value", [node], node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        self.generic_visit(node)
        return _call("_bounded_value", [node], node) if node.ctx == "load" else node

    def _refuse_loading(self, node: nodes.Node) -> nodes.Node:
        raise SecurityError("it loads other templates")

    visit_Include = visit_Import = visit_FromImport = visit_Extends = _refuse_loading


def _call(name: str, arguments: list[nodes.Expr], at: nodes.Node) -> nodes.Call:
    call = nodes.Call(nodes.Name(name, "load"), arguments, [], None, None)
    call.set_lineno(at.lineno)
    return call


def _text_in(node: nodes.Node) -> int:
    return sum(len(data.data) for data in node.find_all(nodes.TemplateData))


def _refuse(message: str = "") -> None:
    raise TemplateRefusalError("the template refuses the conversation")


def _strftime_now(form: str) -> str:
    if not re.fullmatch(r"[A-Za-z%,:/. -]{1,40}", form):
        raise SecurityError("it asks for an unusual date")
    return datetime.datetime.now().strftime(form)


def _tojson(value: Any, indent: int | None = None, **options: Any) -> str:
    if not isinstance(value, dict | list | tuple | str | int | float | None):
        raise SecurityError("it writes an object as JSON")
    width = None if indent is None else max(0, min(int(indent), 8))
    return json.dumps(value, indent=width, ensure_ascii=False)
