"""Every error is one or two sentences that say what happened and what to do next."""

import ast
import errno
import functools
import json
import os
import re
import socket
from pathlib import Path

import pytest
from sources import nodes_of, written

import ondevice
from ondevice import errors
from ondevice.cli import run
from ondevice.errors import explain
from ondevice.home import Home
from ondevice.store.profile import Profile

ROOT = Path(ondevice.__file__).parent
OURS = {name for name in vars(errors) if name.endswith("Error")}

# After a comma, semicolon, colon or full stop comes what to do: an order, or the valid choices.
ORDERS = """add ask break check choose close convert copy correct create delete download export free
get give install leave let look lower make move name open pull put read register reinstall remove
restore retrain run save say score search see send set shorten show start stop teach train try turn
uninstall unlock list import do
unpack upgrade use wait write"""
ADVICE = re.compile(
    rf"[;,:.)?] (?:and |or |then |please |only )?(?:{'|'.join(ORDERS.split())})\b"
    r"|`ondevice [a-z]|pip (?:un)?install|; (?:they|these) are: ",
    re.IGNORECASE,
)


class _Module:
    """One file, and what its names and helper functions stand for."""

    def __init__(self, file):
        self.name = file.relative_to(ROOT).as_posix()
        self.nodes = nodes_of(file)
        self.texts, self.returns = {}, {}
        for node in self.nodes:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.texts.setdefault(node.targets[0].id, node.value)
            if isinstance(node, ast.FunctionDef):
                self.returns[node.name] = [
                    n.value
                    for n in ast.walk(node)
                    if isinstance(n, ast.Return)
                    and (
                        isinstance(n.value, ast.Constant | ast.JoinedStr)
                        or written(n.value or ast.Constant(None)).startswith("Notice(")
                    )
                ]

    def errors(self):
        """Yield (place, text, whether a remedy comes with it) of each error that is made."""
        for node in self.nodes:
            if isinstance(node, ast.Call) and node.args and written(node.func) in OURS:
                message, *more = node.args
                place = f"{self.name}:{node.lineno}"
                has_remedy = any(self.is_remedy(one) for one in (message, *more))
                for text in self.returns.get(written(message).partition("(")[0]) or [message]:
                    if isinstance(text, ast.Call) and written(text.func) == "Notice":
                        yield place, self.text(text.args[0]), len(text.args) > 1
                    else:
                        yield place, self.text(text), has_remedy

    def is_remedy(self, node):
        """Whether an argument is a remedy, or stands for one or several."""
        source = written(self.texts.get(written(node), node))
        return "Remedy." in source or source.endswith(".steps") or source.startswith("within(")

    def text(self, node, depth=0):
        """Return a message as a template: what is only known when it is raised becomes "*"."""
        if isinstance(node, ast.Constant):
            return str(node.value)
        if isinstance(node, ast.JoinedStr):
            return "".join(self.text(part, depth) for part in node.values)
        if isinstance(node, ast.FormattedValue):
            return self.text(node.value, depth)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self.text(node.left, depth)
        if isinstance(node, ast.IfExp):
            return self.text(node.body, depth)
        source = written(node)
        if source.startswith("did_you_mean("):
            return ""
        if source.startswith("or_meant("):
            return f"{self.text(node.args[0], depth)}."
        if source.startswith("within("):
            return "".join(self.text(part, depth) for part in node.args)
        if source.startswith("explain("):
            return "the disk is full; free some space"
        name = source.partition("(")[0]
        known = self.texts.get(name)
        if name == "AGAIN":
            return "get it again"
        if known is not None and depth < 3:
            return self.text(known, depth + 1)
        return "*"


@functools.cache
def _modules():
    return [_Module(file) for file in sorted(ROOT.rglob("*.py")) if file.name != "errors.py"]


# Sentences of other errors of ours that are raised again.
PASSED_ON = {
    "adapters/gguf_lora.py",
    "ground/processor.py",
    "importers/__init__.py",
    "importers/document.py",
    "integrations/mcp_server.py",
}


def test_every_error_is_a_sentence_and_says_what_to_do():
    messages = [found for module in _modules() for found in module.errors()]
    assert len(messages) > 300
    assert sum(has_remedy for _, _, has_remedy in messages) > 60
    wrong = []
    for place, text, has_remedy in messages:
        if text == "*" and place.partition(":")[0] in PASSED_ON:
            continue
        if text == "Stopped.":  # by the person, who is not told of it
            continue
        sentence = "\n" not in text and (text.endswith((".", "*", "!")) or ": pip " in text)
        if not sentence or not (has_remedy or ADVICE.search(text)):
            wrong.append(f"{place}: {text}")
    assert wrong == []


def test_the_rule_can_fail():
    assert not ADVICE.search("* holds no tensors.")
    assert not ADVICE.search("* cannot be used: *.")
    assert ADVICE.search("* holds no tensors; choose another file.")


def test_no_error_carries_only_what_the_system_said():
    wrong = [
        f"{module.name}:{node.lineno}"
        for module in _modules()
        for node in module.nodes
        if isinstance(node, ast.Attribute)
        and node.attr == "strerror"
        # A port that is taken: its sentence says more.
        and module.name != "server/run.py"
    ]
    assert wrong == []


@pytest.mark.parametrize("number", [*errors._SYSTEM, errno.ENOTSUP, None])  # each that we know
def test_what_the_system_could_not_do(number):
    error = OSError() if number is None else OSError(number, os.strerror(number))
    assert ADVICE.search(f"The file cannot be read: {explain(error)}.")


# --- what a person meets -------------------------------------------------------------------


@pytest.fixture
def failing(home, capfd):
    """Run a command that fails; return its error, checked to be a sentence with advice."""

    def call(*arguments, code=1):
        capfd.readouterr()
        found = run([str(argument) for argument in arguments])
        err = capfd.readouterr().err
        assert found == code, (arguments, err)
        assert "Traceback" not in err and "unforeseen" not in err
        lines = [line for line in err.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1 and err.rstrip().endswith(lines[0]), err
        message = lines[0].removeprefix("Error: ")
        usage = code == 2 and "Try 'ondevice" in err  # click's own advice
        assert usage or ADVICE.search(message), message
        assert message.endswith((".", "?", "?)")) or ": pip " in message, message
        assert len(message) < 400
        return message

    return call


def _damage(path, cut=0):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content[: len(content) - cut])


def test_paths_that_lead_nowhere(failing, tmp_path):
    nowhere, folder = tmp_path / "nowhere.md", tmp_path / "folder"
    folder.mkdir()
    out = tmp_path / "out.gguf"
    data = tmp_path / "data.txt"
    data.write_text("A text.\n")
    assert str(nowhere) in failing("import", nowhere)
    assert str(folder) in failing("import", folder)
    assert "nowhere.md" in failing("import", "--preview", nowhere)
    assert str(nowhere) in failing("train", "--data", nowhere, "--out", out)
    assert str(folder) in failing("train", "--data", folder, "--out", out)
    assert "sub" in failing("train", "--data", data, "--out", tmp_path / "sub" / "a.gguf")
    assert str(nowhere) in failing("score", "--data", nowhere)
    assert str(nowhere) in failing("profile", "restore", nowhere)
    assert str(folder) in failing("profile", "restore", folder)
    assert str(folder) in failing("adapter", "add", folder, "--trust")
    assert str(folder) in failing("model", "check", folder)
    assert str(nowhere) in failing("model", "check", tmp_path / "nowhere.md")
    assert str(nowhere) in failing("profile", "passphrase", "--new-file", nowhere)


def test_names_that_nobody_has(failing):
    run(["memory", "add", "I like tea."])
    assert "There is no profile called 'anna'" in failing("memory", "list", "-p", "anna")
    assert "There is no profile called 'anna'" in failing("profile", "use", "anna")
    assert "cannot be the name" in failing("profile", "create", "a/b")
    assert "no base model called 'gpt'" in failing("ask", "hello", "--model", "gpt")
    assert "no model called 'gpt'" in failing("model", "remove", "gpt", "--yes")
    assert "no model called 'gpt'" in failing("model", "pull", "gpt")
    assert "did you mean 'qwen3-0.6b'?" in failing("model", "pull", "qwen3-06b")
    assert "did you mean 'default'?" in failing("memory", "list", "-p", "defualt")
    assert "did you mean 'model.name'?" in failing("config", "show", "model.nme")
    assert "There is no adapter" in failing("adapter", "show", "mine")
    assert "There is no adapter" in failing("ask", "hello", "--adapter", "mine")
    assert "id" in failing("memory", "show", "0000")
    assert "id" in failing("source", "show", "0000")
    assert "no setting 'model.nme'" in failing("config", "set", "model.nme", "x")
    assert "did you mean 'memory'?" in failing("memroy", code=2)
    assert "lsit" in failing("memory", "lsit", code=2)
    assert "--jsn" in failing("memory", "list", "--jsn", code=2)


def test_files_of_other_kinds(failing, tmp_path, default_model):
    text = tmp_path / "text.gguf"
    text.write_text("This is no model.\n" * 10)
    assert str(text) in failing("model", "check", text)
    assert str(text) in failing("adapter", "add", text, "--trust")
    assert str(text) in failing("profile", "restore", text)
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(default_model.path.read_bytes()[:500_000])
    assert str(cut) in failing("model", "check", cut)
    assert str(cut) in failing("ask", "hello", "--model", cut)
    assert str(cut) in failing("adapter", "add", cut, "--trust")
    binary = tmp_path / "data.txt"
    binary.write_bytes(bytes(range(256)) * 10)
    assert "data.txt" in failing("import", binary)
    assert "data.txt" in failing("train", "--data", binary, "--out", tmp_path / "a.gguf")


@pytest.mark.parametrize(
    "line",
    ['{"role": "user"', '["user"]', '{"role": "user", "content": 5}',
     '{"role": "user", "content": "x", "time": "soon"}'],
)  # fmt: skip
def test_bad_lines_are_named(failing, tmp_path, capfd, line):
    good = json.dumps({"role": "user", "content": "I like tea."})
    file = tmp_path / "talk.jsonl"
    file.write_text(f"{line}\n{line}\n")
    assert "talk.jsonl, line 1" in failing("import", file)
    file.write_text(f"{good}\n{line}\n")
    assert run(["import", str(file)]) == 0  # the good line is taken, the other one told of
    assert "talk.jsonl, line 2" in capfd.readouterr().err
    file.write_text(f'{{"text": "A text."}}\n{line}\n')
    assert "talk.jsonl, line 2" in failing("train", "--data", file, "--out", tmp_path / "a.gguf")


def test_settings_that_cannot_be_read(failing, home):
    home.config.mkdir(parents=True)
    file = home.config / "config.toml"
    for text in ("[model", "model = 3\n", "[model]\nn_ctx = 'many'\n", "[modl]\n"):
        file.write_text(text)
        assert str(file) in failing("config", "show")
    file.unlink()
    file.mkdir()
    assert str(file) in failing("config", "show")


def test_damaged_profiles_and_copies(failing, home, tmp_path):
    run(["memory", "add", "I like tea."])
    backup = tmp_path / "backup"
    run(["profile", "backup", str(backup)])
    whole = backup.read_bytes()
    _damage(backup)
    assert str(backup) in failing("profile", "restore", backup, "--replace", "--yes")
    backup.write_bytes(whole[:-100])
    assert str(backup) in failing("profile", "restore", backup, "--replace", "--yes")
    assert str(backup) in failing("profile", "backup", backup)
    folder = home.profile("default")
    keys = (folder / "keys.json").read_bytes()
    (folder / "keys.json").write_text("{}")
    assert "keys.json" in failing("memory", "list")
    (folder / "keys.json").write_bytes(keys)
    _damage(folder / "profile.db")
    failing("profile", "backup", tmp_path / "another")
    (folder / "profile.db").write_text("nothing")
    assert "profile.db" in failing("memory", "list")
    (folder / "profile.db").unlink()
    assert "profile.db" in failing("memory", "list")


def test_keys_that_do_not_fit(failing, home, tmp_path, monkeypatch):
    word = tmp_path / "word"
    word.write_text("correct horse\n")
    monkeypatch.setenv("ONDEVICE_PASSPHRASE_FILE", str(word))
    run(["memory", "add", "I like tea."])
    run(["profile", "passphrase"])
    export = tmp_path / "export"
    run(["profile", "export", str(export)])
    word.write_text("wrong\n")
    assert "'default'" in failing("memory", "list")
    assert "passphrase" in failing("profile", "import", export, "--name", "other")
    word.write_text("\n")
    assert str(word) in failing("memory", "list")
    monkeypatch.delenv("ONDEVICE_PASSPHRASE_FILE")
    assert "passphrase" in failing("memory", "list")
    assert "passphrase" in failing("profile", "import", export, "--name", "other")
    monkeypatch.setenv("ONDEVICE_PASSPHRASE_FILE", str(tmp_path / "nowhere"))
    assert "nowhere" in failing("memory", "list")
    run(["profile", "lock"])
    assert "unlock" in failing("memory", "list")


def test_another_process_that_does_not_let_go(failing, home, monkeypatch):
    run(["memory", "add", "I like tea."])
    monkeypatch.setattr("ondevice.store.database.BUSY_SECONDS", 0.1)
    with Profile.open(home) as other, other.transaction():
        assert "in use by another process" in failing("memory", "add", "I like cake.")


def test_a_port_in_use_and_a_token_that_others_can_read(failing, home, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert str(port) in failing("serve", "--port", str(port))
    if os.name != "nt":
        token = tmp_path / "token"
        token.write_text("t" * 40)
        token.chmod(0o644)
        assert str(token) in failing("serve", "--port", "0", "--token-file", token)


def test_places_that_cannot_be_written(failing, home, tmp_path, monkeypatch):
    """As root may write everywhere, a file stands where the folder should be."""
    blocker = tmp_path / "blocker"
    blocker.write_text("")
    run(["memory", "add", "I like tea."])
    assert "blocker" in failing("profile", "backup", blocker / "sub" / "backup")
    readable = blocker / "sub" / "me"
    assert "blocker" in failing("profile", "export", "--readable", readable, "--yes")
    monkeypatch.setenv("ONDEVICE_HOME", str(blocker / "home"))
    assert "blocker" in failing("memory", "add", "I like tea.")
    assert "blocker" in failing("config", "set", "model.n_ctx", "512")
    assert not Home.default().data.exists()
