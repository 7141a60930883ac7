"""The rules of the house, read from the code itself.

An exception stands here by name with its reason; one that is no longer needed has to go.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sources import nodes_of, written

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "ondevice" / "server" / "static"
MODULE_LINES, MODULE_GOAL = 500, 400
FUNCTION_LINES, FUNCTION_GOAL = 80, 60
COLUMNS = 100
CHAIN = 2

# Modules that are still too long, and how long they may be meanwhile.

# Private members of others that are used: (file, expression) and why.
PRIVATE = {
    ("ondevice/store/database.py", "copy._open"): "another connection of the same class",
    ("ondevice/store/database.py", "copy._translated"): "another connection of the same class",
}

# Private names of other modules of ours that are imported.
COMPILED = "_kernels"  # the extension; its name says that it is no public interface

# Families in which a longer chain is no tower of behaviour: what stands at their root.
FAMILIES = {
    "ondevice.errors.OndeviceError": "a handler may catch one error or its whole family",
    "ondevice.server.routing.Answer": "shapes of the API: a level only adds fields",
    "ondevice.server.routing.Fields": "shapes of the API: a level only adds fields",
}

HIDING = ("union-attr", "attr-defined", "arg-type", "index")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@functools.cache
def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


# --- whose members are used --------------------------------------------------------------


def _others_private(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Yield each use of another object's private member."""
    for node in nodes_of(path):
        match node:
            case ast.Attribute(value, member) if _is_private(member):
                owner = written(value)
            case ast.Call(func, [value, ast.Constant(str(member)), *_]) if _is_private(
                member
            ) and written(func).endswith(("getattr", "setattr")):
                owner = written(value)
            case ast.ImportFrom(str(owner), names) if owner.startswith("ondevice"):
                member = next((n.name for n in names if _is_private(n.name)), COMPILED)
            case _:
                continue
        if owner not in ("self", "cls", "super()") and member != COMPILED:
            yield f"{owner}.{member}", node


def test_no_class_touches_another_ones_private_members() -> None:
    used = {(_name(p), text) for p in _files("ondevice") for text, _ in _others_private(p)}
    assert used == set(PRIVATE)


def _has_comment(path: Path, node: ast.AST) -> bool:
    """Whether a comment stands beside the use, or right above it."""
    above, *own = _lines(path)[max(0, node.lineno - 2) : node.end_lineno]
    return above.strip().startswith("#") or any("  # " in line for line in own)


def test_a_test_that_touches_private_members_says_why() -> None:
    silent = sorted(
        f"{_name(path)}:{node.lineno}: {text}"
        for path in _files("tests")
        for text, node in _others_private(path)
        if not _has_comment(path, node)
    )
    assert silent == []


# --- how classes stand above each other --------------------------------------------------


def _module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _bases() -> dict[str, list[str]]:
    """Return each class of ours, with the full names of those that it inherits from."""
    found = {}
    for path in _files("ondevice"):
        module, names = _module_of(path), {}
        classes = [node for node in nodes_of(path) if isinstance(node, ast.ClassDef)]
        for node in nodes_of(path):
            if isinstance(node, ast.ImportFrom):
                names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
            elif isinstance(node, ast.Import):
                names |= {a.asname or a.name: a.name for a in node.names}
        names |= {node.name: f"{module}.{node.name}" for node in classes}
        for node in classes:
            plain = [b.value if isinstance(b, ast.Subscript) else b for b in node.bases]
            parts = [written(base).partition(".") for base in plain]
            found[f"{module}.{node.name}"] = [
                names.get(first, first) + dot + rest for first, dot, rest in parts
            ]
    return found


def _chains(name: str, bases: dict[str, list[str]]) -> Iterator[list[str]]:
    own = [base for base in bases[name] if base in bases]
    for base in own:
        for chain in _chains(base, bases):
            yield [name, *chain]
    if not own:
        yield [name]


def test_no_chain_of_more_than_two_classes() -> None:
    bases = _bases()
    assert set(bases) >= set(FAMILIES)
    long = [
        " < ".join(chain)
        for name in bases
        for chain in _chains(name, bases)
        if len(chain) > CHAIN and chain[-1] not in FAMILIES
    ]
    assert long == []


# --- how long things are ------------------------------------------------------------------


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in nodes_of(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{_name(path)}: {node.name}", node.end_lineno - node.lineno + 1


def test_modules_and_functions_are_short() -> None:
    modules = {_name(p): len(_lines(p)) for p in _files("ondevice")}
    functions = dict(f for path in _files("ondevice") for f in _functions(path))
    for name, lines in sorted(modules.items()):
        if lines > MODULE_GOAL:
            print(f"{lines} lines in {name}; the goal is {MODULE_GOAL}")
    for name, lines in sorted(functions.items()):
        if lines > FUNCTION_GOAL:
            print(f"{lines} lines in {name}; the goal is {FUNCTION_GOAL}")
    long = {n: lines for n, lines in modules.items() if lines > MODULE_LINES}
    assert long == {}
    assert {n: lines for n, lines in functions.items() if lines > FUNCTION_LINES} == {}


@pytest.mark.parametrize("path", sorted(PAGE.glob("*.[jc]s*")), ids=lambda path: path.name)
def test_lines_of_the_page_are_short(path: Path) -> None:
    lines = _lines(path)
    assert [line for line in lines if len(line) > COLUMNS] == []


# --- what may not be hidden ---------------------------------------------------------------


def test_no_type_check_is_switched_off_that_would_show_a_fault() -> None:
    ignored = re.compile(r"#\s*type:\s*ignore(?!\[)|#\s*type:\s*ignore\[([^\]]*)\]")
    for path in _files("ondevice"):
        for line in _lines(path):
            for found in ignored.finditer(line):
                assert found[1] is not None, f"{_name(path)}: say which check: {line.strip()}"
                assert not set(found[1].split(", ")) & set(HIDING), f"{_name(path)}: {line.strip()}"


# --- the tests ----------------------------------------------------------------------------


def _asserts(path: Path) -> bool:
    for node in nodes_of(path):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = written(node.func).rpartition(".")[2]
            if called == "raises" or called.startswith("assert_"):
                return True
    return False


def test_every_test_file_asserts_something() -> None:
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    assert len(files) > 100
    assert [_name(path) for path in files if not _asserts(path)] == []
