"""What the documents say of the program is there: paths, names, options, rooms, tables."""

from __future__ import annotations

import ast
import functools
import itertools
import re
import tomllib
from pathlib import Path

import pytest
import sqlcipher3
from command_reference import leaves
from sources import tree_of

from ondevice.cli import COMMANDS
from ondevice.settings import Settings
from ondevice.settings_file import flat
from ondevice.store.migrations import MIGRATIONS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ondevice"
OWN = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(path for path in sorted((ROOT / "docs").glob("*.md")) if path.name != "commands.md"),
]
ABOUT_CODE = [ROOT / "docs/architecture.md", ROOT / "docs/formats.md", ROOT / "CONTRIBUTING.md"]

PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
CLASS = re.compile(r"[A-Z][A-Za-z]*[a-z][A-Za-z]*")
PLACEHOLDER = re.compile(r"(?<![A-Za-z])[A-Z]{2,}(?![A-Za-z])")  # such as NAME or ID
FOLDERS = {entry.name for entry in ROOT.iterdir() if entry.is_dir()} | {
    entry.name for entry in PACKAGE.iterdir() if entry.is_dir()
}


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def code_in(document: Path) -> list[str]:
    """Return the inline code of a document."""
    without_blocks = re.sub(r"(?ms)^```.*?^```", "", text_of(document))
    return re.findall(r"`([^`\n]+)`", without_blocks)


@functools.cache
def names() -> tuple[set[tuple[str, str]], set[str]]:
    """Return what is defined in which module, package or class, and the names of all classes."""
    pairs: set[tuple[str, str]] = set()
    classes: set[str] = set()
    for file in (*PACKAGE.rglob("*.py"), *(ROOT / "tests/support").glob("*.py")):
        module = file.parent.name if file.stem == "__init__" else file.stem
        pairs.add((file.parent.name, file.stem))
        for node in tree_of(file).body:
            pairs.update((module, name) for name in _defined(node))
            if isinstance(node, ast.ClassDef):
                classes.add(node.name)
                pairs.update((node.name, name) for part in node.body for name in _defined(part))
    return pairs, classes


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
    return [target.id for target in targets if isinstance(target, ast.Name)]


COMPILED = {("ondevice", "_kernels")}  # not there where nothing was built
SOURCE = "\n".join(file.read_text(encoding="utf-8") for file in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("document", ABOUT_CODE, ids=lambda path: path.name)
def test_paths_are_there(document):
    looked_at = 0
    for code in code_in(document):
        if not PATH.fullmatch(code) or PLACEHOLDER.search(code) or "/" not in code.strip("/"):
            continue
        if code.split("/")[0] not in FOLDERS or code.startswith("adapters/"):  # of a profile
            continue
        looked_at += 1
        assert any((place / code).exists() for place in (ROOT, PACKAGE)), code
    assert looked_at or document.name == "formats.md"


@pytest.mark.parametrize("document", ABOUT_CODE, ids=lambda path: path.name)
def test_names_are_there(document):
    for code in code_in(document):
        name = re.sub(r"\(.*\)$", "", code)
        if PLACEHOLDER.search(name):
            continue
        if DOTTED.fullmatch(name) and not (ROOT / name).exists():
            parts = name.split(".")
            steps = set(itertools.pairwise(parts))
            known = steps <= names()[0] | COMPILED or name in flat(Settings()) or name in SOURCE
            assert known, name
        elif CLASS.fullmatch(name):
            assert name in names()[1], name


@pytest.mark.parametrize("document", [*OWN, ROOT / "SECURITY.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(document)):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        there = (document.parent / name).resolve() if name else document
        assert there.exists(), target
        if heading:
            titles = re.findall(r"(?m)^#+ (.*)$", text_of(there))
            anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert heading in anchors, target


@pytest.mark.parametrize("document", [*OWN, ROOT / "CHANGELOG.md"], ids=lambda path: path.name)
def test_options_are_there(document, home):
    options = {"--help", "--quiet", "--version"} | {
        option
        for _, command in leaves()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    for code in code_in(document):
        if code.startswith(("--", "ondevice ")) or code.split()[0] in COMMANDS:
            for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", code):
                assert option in options, f"{option} in `{code}`"


@pytest.mark.parametrize("document", OWN, ids=lambda path: path.name)
def test_commands_are_there(document, home):
    full = {name for name, _ in leaves()}
    groups = {name.split()[0] for name in full if " " in name}
    for code in code_in(document):
        command = re.match(r"ondevice ([a-z]+)(?: ([a-z]+)\b)?", code)
        if command is not None:
            assert command[1] in COMMANDS, code
            assert command[1] not in groups or command[2] is None or command[0][9:] in full, code


def test_every_command_is_documented(home):
    reference = text_of(ROOT / "docs/commands.md")
    readme = text_of(ROOT / "README.md").replace("\\|", "|")
    for name, _ in leaves():
        assert f"## ondevice {name}\n" in reference, name
        group, _, part = name.partition(" ")
        rows = [row for row in readme.splitlines() if f"`ondevice {group}" in row]
        assert any(re.search(rf"\b{part}\b", row) for row in rows), name


def test_readme_is_short():
    assert len(text_of(ROOT / "README.md").splitlines()) <= 250


def test_the_test_command_is_where_ci_looks_for_it():
    found = re.findall(
        r"(?ms)^<!-- test command -->\n```sh\n(.+?)\n```$", text_of(ROOT / "README.md")
    )
    assert len(found) == 1 and "pytest" in found[0]


def test_the_picture_of_the_rooms_is_the_contract():
    settings = tomllib.loads(text_of(ROOT / "pyproject.toml"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = [c["layers"] for c in contracts if "containers" not in c]
    wanted = [{name.strip().removeprefix("ondevice.") for name in one.split("|")} for one in layers]
    floors: dict[int, set[str]] = {}
    rows = re.findall(r"(?m)^\| (\d+) \| (.*?) \|", text_of(ROOT / "docs/architecture.md"))
    for number, rooms in rows:
        found = re.findall(r"`ondevice/(\w+)(?:/|\.py)`", rooms)
        assert found, rooms
        floors.setdefault(int(number), set()).update(found)
    assert [floors[number] for number in sorted(floors, reverse=True)] == wanted


def test_every_kind_of_test_is_described():
    settings = tomllib.loads(text_of(ROOT / "pyproject.toml"))["tool"]["pytest"]["ini_options"]
    described = code_in(ROOT / "CONTRIBUTING.md")
    for marker in settings.get("markers", ()):
        assert re.match(r"\w+", marker)[0] in described, marker


def test_every_table_and_column_is_described():
    described = set(code_in(ROOT / "docs/formats.md"))
    database = sqlcipher3.connect(":memory:")
    for step in MIGRATIONS:
        database.executescript(step.sql)
    tables = [
        row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
    ]
    for table in tables:
        if table.startswith("search_"):  # FTS5's own
            continue
        assert table in described, table
        for column in database.execute(f"PRAGMA table_info({table})"):
            assert column[1] in described, f"{table}.{column[1]}"
    assert f"The newest is\n{MIGRATIONS[-1].number};" in text_of(ROOT / "docs/formats.md")


def test_every_purpose_of_a_key_is_described():
    purposes = set(re.findall(r"derive(?:_key)?\((?:data_key, )?f?\"([a-z]+)", SOURCE))
    assert {"database", "adapters", "checkpoints", "certificates", "archive"} <= purposes
    rows = re.findall(r"(?m)^\| `([a-z]+)/?` ", text_of(ROOT / "docs/formats.md"))
    assert purposes <= set(rows)
