"""Tools for models that were not trained to call any: told in the prompt, held to by a grammar."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ondevice.engine.grammar import ANY_OBJECT, grammar_for_calls, grammar_for_schema
from ondevice.models.messages import Message
from ondevice.server.errors import ApiError
from ondevice.server.openai.requests import ChatMessage, ChatRequest, NamedTool, Tool

HEAD = (
    "You can ask for one of these functions to be called. To call one, answer with nothing but "
    'JSON: {"name": <the function>, "arguments": <its arguments>}. Otherwise answer in words.'
)


@dataclass(frozen=True)
class Constraint:
    """What the answer may be: a grammar, and whether it may or must be a call."""

    grammar: str | None = None
    tools: tuple[Tool, ...] = ()


def constraint_of(body: ChatRequest) -> Constraint:
    """Return what a request demands of its answer.

    Raises:
        ApiError: 400, the demands contradict each other or name a tool that is not there.
        EngineError: a schema cannot be made into a grammar.
    """
    wanted = body.response_format
    grammar = None
    if wanted is not None and wanted.type == "json_schema":
        if wanted.json_schema is None:
            raise ApiError(
                400, "'json_schema' is missing.", param="response_format", code="invalid_value"
            )
        grammar = grammar_for_schema(wanted.json_schema.schema_)
    elif wanted is not None and wanted.type == "json_object":
        grammar = grammar_for_schema(ANY_OBJECT)
    tools, choice = tuple(body.tools or ()), body.tool_choice
    if not tools:
        if choice not in (None, "none", "auto"):
            raise ApiError(
                400, "There are no tools to choose from.", param="tool_choice", code="invalid_value"
            )
        return Constraint(grammar)
    if choice == "none":
        return Constraint(grammar)
    if isinstance(choice, NamedTool):
        tools = tuple(tool for tool in tools if tool.function.name == choice.function.name)
        if not tools:
            raise ApiError(400, "There is no such tool.", param="tool_choice", code="invalid_value")
    free = choice in (None, "auto")
    if free and grammar is not None:
        raise ApiError(
            400,
            "A response format and a free choice of tools exclude each other; set 'tool_choice'.",
            param="response_format",
            code="invalid_value",
        )
    functions = [(tool.function.name, tool.function.parameters) for tool in tools]
    return Constraint(grammar_for_calls(functions, or_words=free), tools)


def call_in(answer: str, tools: Sequence[Tool]) -> tuple[str, str] | None:
    """Return the function and the arguments (JSON) that `answer` calls, None if it is words."""
    if not tools or not answer.startswith("{"):
        return None
    try:
        call = json.loads(answer)
        name, arguments = call["name"], call["arguments"]
    except (ValueError, TypeError, KeyError):  # cut at max_tokens
        return None
    return str(name), json.dumps(arguments, ensure_ascii=False)


def as_messages(messages: Sequence[ChatMessage], tools: Sequence[Tool]) -> list[Message]:
    """Return the conversation in the three roles that every chat template knows."""
    plain = []
    if tools:
        offered = [tool.function.model_dump(exclude_none=True) for tool in tools]
        lines = "\n".join(json.dumps(function, ensure_ascii=False) for function in offered)
        plain.append(Message("system", f"{HEAD}\n{lines}"))
    for message in messages:
        text = message.text
        if message.role == "developer":
            plain.append(Message("system", text))
        elif message.role == "tool":
            plain.append(Message("user", f"Result of the function: {text}"))
        elif message.role == "assistant":
            calls = [
                f'{{"name": {json.dumps(call.function.name)}, '
                f'"arguments": {call.function.arguments}}}'
                for call in message.tool_calls or ()
            ]
            plain.append(Message("assistant", "\n".join(filter(None, [text, *calls]))))
        else:
            plain.append(Message(message.role, text))
    return plain
