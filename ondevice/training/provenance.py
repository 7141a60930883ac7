"""Which code made an adapter: a hash that stands in its file.

It covers the Python modules that the trainer imports, directly or through others, as far as they
are ours, and the sources of the compiled kernels. Of a module its syntax tree counts without
docstrings, so that another comment, docstring or line break is the same code, and what no training
passes through (pictures, the command line, the profile) does not count at all. What does count may
be more than decides a number, such as the words of an error: rather another hash than the same one
for other adapters. Versions of other people's packages are not part of it.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

from ondevice import _kernels

START = "ondevice.training.trainer"
_PACKAGE = Path(__file__).parents[1]
_WITH_DOCSTRING = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def code_sha256(package: Path = _PACKAGE, kernels: str = _kernels.source_sha256) -> str:
    """Return the hash of the code that decides what an adapter becomes.

    Args:
        package: the folder of this package.
        kernels: hash of the kernels' sources; by default that of the ones in use.
    """
    digest = hashlib.sha256(kernels.encode())
    for name, tree in sorted(training_path(package).items()):
        digest.update(f"\n{name} {''.join(_shape(tree))}".encode())
    return digest.hexdigest()


def training_path(package: Path = _PACKAGE) -> dict[str, ast.Module]:
    """Return the modules that a training runs through, by name, as syntax trees."""
    found: dict[str, ast.Module] = {}
    due = [START]
    while due:
        name = due.pop()
        path = _file(package, name)
        if path is not None and name not in found:
            found[name] = ast.parse(path.read_bytes())
            due += _imported(package, found[name])
    return found


def _file(package: Path, name: str) -> Path | None:
    """Return the file of one of our modules; None for others, and for the compiled one."""
    if name.partition(".")[0] != package.name:
        return None
    path = package.parent.joinpath(*name.split("."))
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _imported(package: Path, node: ast.AST) -> Iterator[str]:
    """Yield what is imported when the code runs, which leaves out what only types need.

    Of `from package import module` that is the module, not the package.
    """
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module is not None:
        for alias in node.names:
            module = f"{node.module}.{alias.name}"
            yield module if _is_module(package, module) else node.module
    elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
        for child in ast.iter_child_nodes(node):
            yield from _imported(package, child)


def _is_module(package: Path, name: str) -> bool:
    return _file(package, name) is not None or name == _kernels.__name__


def _shape(value: object) -> Iterator[str]:
    """Yield a text of a syntax tree that all versions of Python agree on.

    `ast.dump` writes empty fields in some versions and not in others, and new versions have new
    ones, which are empty in old code.
    """
    if isinstance(value, ast.AST):
        yield type(value).__name__ + "("
        for field, inner in ast.iter_fields(value):
            if field == "body" and isinstance(value, _WITH_DOCSTRING):
                inner = inner[1:] if ast.get_docstring(value) is not None else inner
            if inner is not None and inner != []:
                yield field + "="
                yield from _shape(inner)
        yield ")"
    elif isinstance(value, list):
        yield "["
        for one in value:
            yield from _shape(one)
            yield ","
        yield "]"
    else:
        yield repr(value)
