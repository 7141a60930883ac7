"""Every error is a sentence: it ends with a full stop, or with a command to copy."""

import ast
from pathlib import Path

import ondevice
from ondevice import errors

OURS = {name for name in vars(errors) if name.endswith("Error")}


def _messages():
    root = Path(ondevice.__file__).parent
    for file in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            call = node.exc if isinstance(node, ast.Raise) else None
            if isinstance(call, ast.Call) and call.args and ast.unparse(call.func) in OURS:
                message = call.args[0]
                parts = message.values if isinstance(message, ast.JoinedStr) else [message]
                if isinstance(parts[0], ast.Constant) or len(parts) > 1:
                    texts = [
                        part.value if isinstance(part, ast.Constant) else "*" for part in parts
                    ]
                    yield f"{file.relative_to(root)}:{node.lineno}", "".join(texts)


def test_every_error_is_a_sentence():
    messages = list(_messages())
    assert len(messages) > 200
    wrong = [
        f"{place}: {text}"
        for place, text in messages
        if "\n" in text or not (text.endswith((".", "*")) or ": pip " in text)
    ]
    assert wrong == []
