"""Errors and notices tell facts; what to do about them is worded by each front end."""

import ast
import copy
import json
import pickle
import re
from pathlib import Path

import click
import pytest
from sources import nodes_of, written

import ondevice
from ondevice.cli import cli
from ondevice.cli import remedies as command_line
from ondevice.cli.chat.commands import HELP
from ondevice.cli.output import json_text
from ondevice.errors import ProfileLockedError, RecordNotFoundError, or_meant
from ondevice.integrations import remedies as tools
from ondevice.remedies import NEUTRAL, Notice, Remedy, Step, all_said, said, within
from ondevice.server import remedies as page
from ondevice.server.errors import error_of

ROOT = Path(ondevice.__file__).parent
FRONT_ENDS = {
    "command line": command_line.WORDS,
    "page": page.WORDS,
    "tools": tools.WORDS,
    "Python": NEUTRAL,
}


def _commands(group, before=()):
    """Yield the names of all commands as they are typed, and the options of each."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*before, name), [o for p in command.params for o in p.opts if o.startswith("--")]
        if isinstance(command, click.Group):
            yield from _commands(command, (*before, name))


ALL = list(_commands(cli))
SLASH = re.findall(r"^/(\w+)", HELP, re.MULTILINE)
TYPED = re.compile(
    rf"\bondevice (?:{'|'.join(sorted({names[0] for names, _ in ALL}))})\b"
    r"|\bondevice -|`ondevice|'ondevice [a-z]"
    rf"|(?<![\w-])(?:{'|'.join(sorted({o for _, options in ALL for o in options}))})\b"
    rf"|(?<![\w/.:}}>])/(?:{'|'.join(SLASH)})\b"
    r"|\bpip (?:un)?install\b|Ctrl-"
)


def _texts(file):
    """Yield (line, text) of each text that code, and no docstring, holds; blanks are "*"."""
    silent = set()
    for node in nodes_of(file):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            silent.add(node.value)
        if isinstance(node, ast.JoinedStr):
            silent.update(part for part in node.values if isinstance(part, ast.Constant))
    for node in nodes_of(file):
        if isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else "*" for p in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in silent:
            yield node.lineno, node.value


def _below():
    """Yield all modules but those of the command line."""
    return [f for f in sorted(ROOT.rglob("*.py")) if f.relative_to(ROOT).parts[0] != "cli"]


def test_every_front_end_has_words_for_every_remedy():
    for name, words in FRONT_ENDS.items():
        assert set(words) == set(Remedy), name
        for remedy, text in words.items():
            about = dict.fromkeys(_fields(remedy.value), "this")
            shown = said(Notice("It is so.", Step(remedy, tuple(about.items()))), words)
            assert re.fullmatch(r"It is so; [^{}]{4,}\.", shown), (name, remedy)
            assert text and not text.endswith("."), (name, remedy)


def test_only_the_command_line_words_commands():
    assert any(TYPED.search(text) for text in command_line.WORDS.values())
    for name in ("page", "tools", "Python"):
        wrong = [text for text in FRONT_ENDS[name].values() if TYPED.search(text)]
        assert wrong == [], name


def test_the_commands_and_options_that_are_advised_exist():
    names = {" ".join(one) for one, _ in ALL}
    options = {option for _, several in ALL for option in several} | {"--help", "--merge"}
    for text in command_line.WORDS.values():
        for typed in re.findall(r"`ondevice ([^`]+)`", text):
            words = re.match(r"(?:[a-z]+ ?)+", typed)[0].split()
            assert {" ".join(words[:1]), " ".join(words[:2])} & names, typed
        assert set(re.findall(r"--[a-z-]+", text)) <= options, text


def test_no_sentence_below_the_command_line_names_a_command():
    wrong = [
        f"{file.relative_to(ROOT)}:{line}: {text}"
        for file in _below()
        for line, text in _texts(file)
        if " " in text and TYPED.search(text)  # the arguments of a process are no sentences
    ]
    assert wrong == []


def test_what_the_api_and_the_tools_describe_names_no_command():
    """Their docstrings are shown: as descriptions of the API, and of the tools."""
    wrong = [
        f"{file.relative_to(ROOT)}: {text}"
        for file in _below()
        if file.relative_to(ROOT).parts[0] in ("server", "integrations")
        for node in nodes_of(file)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and TYPED.search(text := ast.get_docstring(node) or "")
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "text",
    ["see `ondevice memory list`", "run ondevice learn again", "say it with --as NAME",
     "judge with /good and /bad", "run: pip install 'ondevice[mcp]'", "'ondevice serve' prints it"],
)  # fmt: skip
def test_the_rule_can_fail(text):
    assert TYPED.search(text)


def test_every_remedy_is_given_what_it_is_about_and_every_one_is_used():
    used = set()
    for file in _below():
        calls = {n.func for n in nodes_of(file) if isinstance(n, ast.Call)}
        for node in nodes_of(file):
            if isinstance(node, ast.Call):
                _check_call(node, file)
            if not (isinstance(node, ast.Attribute) and written(node.value) == "Remedy"):
                continue
            if file.name != "remedies.py":
                used.add(node.attr)
            if file.name != "remedies.py" and node not in calls and node.attr in Remedy.__members__:
                compared = "step.remedy is" in file.read_text(encoding="utf-8")
                assert compared or not _fields(Remedy[node.attr].value), (file, node.lineno)
    assert used == set(Remedy.__members__)


def _check_call(node, file):
    source = written(node.func)
    if source.startswith("Remedy."):
        given = {keyword.arg for keyword in node.keywords}
        wanted = _fields(Remedy[source.removeprefix("Remedy.")].value)
        assert given == wanted and not node.args, (file, node.lineno)


def _fields(words):
    return set(re.findall(r"{(\w+)}", words))


# --- what is made of them -------------------------------------------------------------------


def test_python_sees_the_fact_and_neutral_words_and_the_repr_shows_the_remedy():
    error = ProfileLockedError("The profile 'anna' is locked.", Remedy.UNLOCK(name="anna"))
    assert str(error) == "The profile 'anna' is locked; unlock the profile 'anna'."
    assert "Remedy.UNLOCK(name='anna')" in repr(error)
    assert error.notice.fact == "The profile 'anna' is locked."
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.notice.steps) == (str(error), error.notice.steps)
    copied = copy.deepcopy(error.notice)
    assert (copied, copied.steps) == (error.notice, error.notice.steps)


def test_each_front_end_says_what_to_do_in_its_own_words():
    error = RecordNotFoundError("No record has that id.", Remedy.LIST_MEMORIES)
    assert error.said(command_line.WORDS) == (
        "No record has that id; `ondevice memory list` shows the ids."
    )
    answer = error_of(error).model_dump()["error"]
    assert answer == {
        "message": "No record has that id; look for it under “About you”.",
        "type": "invalid_request_error",
        "code": "record_not_found",
        "param": None,
    }
    assert "list_memories" in error.said(tools.WORDS)


def test_advice_follows_a_question_as_a_sentence_of_its_own():
    fact = or_meant("There is no profile 'ana'", "ana", ["anna"])
    notice = Notice(fact, Remedy.LIST_PROFILES)
    assert notice == ("There is no profile 'ana'; did you mean 'anna'? See the list of profiles.")
    assert or_meant("There is none", "x", []) == "There is none."


def test_a_notice_keeps_its_remedy_between_other_words_and_in_json():
    notice = Notice("it helps", Remedy.ACTIVATE)
    outer = within("kept: ", notice, ".")
    assert outer.fact == "kept: it helps."
    assert said(outer, command_line.WORDS).endswith(
        "`ondevice adapter use` activates it all the same."
    )
    assert within("a ", "text").fact == "a text"
    assert all_said({notice: [notice, 1, None]}, {Remedy.ACTIVATE: "do"}) == {
        "it helps; do": ["it helps; do", 1, None]
    }
    assert json.loads(json_text({"reason": notice}))["reason"].endswith("all the same")


def test_several_remedies_and_braces_in_what_they_are_about():
    notice = Notice(
        "The model '{x}' is gone.", Remedy.REMOVE_MODEL(name="{x}"), Remedy.DEFAULT_MODEL
    )
    shown = said(notice, command_line.WORDS)
    assert "`ondevice model remove {x}`" in shown
    assert shown.endswith("goes back to the default.")
