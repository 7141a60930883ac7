"""What holds for every command: -h, --quiet, NO_COLOR, exit codes, completion, settings."""

import os
import shutil
import subprocess
import sys

import click
import pytest
from command_reference import leaves

from ondevice.cli import COMMANDS, cli, run
from ondevice.cli import output as _output
from ondevice.settings import Settings

PROGRAM = "import sys; from ondevice.cli import run; sys.exit(run(sys.argv[1:]))"


@pytest.mark.parametrize("name", [name for name, _ in leaves()])
def test_every_command_takes_h_and_quiet(name, capsys):
    assert run([*name.split(), "-h"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: ondevice {name}")
    assert "-h, --help" in shown and "-q, --quiet" in shown


@pytest.mark.parametrize("arguments", [("memory", "list", "-q"), ("-q", "memory", "list")])
def test_quiet(ondevice, arguments):
    assert ondevice("memory", "list")[2] != ""
    assert ondevice(*arguments) == (0, "", "")


def test_quiet_silences_no_warning_and_asks_nobody(ondevice):
    code, _, err = ondevice("--quiet", "memory", "add", "I live in Rome.")
    assert code == 0 and "whoever can read that file" in err and "Remembered" not in err
    code, _, err = ondevice("profile", "wipe", "default", "-q")
    assert code == 2 and "--yes" in err
    assert ondevice("nonsense", "-q")[2] != ""


def test_no_color(ondevice, monkeypatch):
    import click._compat as compat

    monkeypatch.setattr(compat, "isatty", lambda stream: True)
    monkeypatch.setattr(_output.click, "secho", click.secho)
    coloured = "\x1b["
    assert coloured in ondevice("memory", "list")[2] + _dimmed(ondevice)
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured not in ondevice("memory", "list")[2] + _dimmed(ondevice)


def _dimmed(ondevice):
    @click.command("painted")
    def painted():
        click.secho("red", fg="red")

    original = cli.get_command
    try:
        cli.get_command = lambda ctx, name: painted if name == "painted" else original(ctx, name)
        return ondevice("painted")[1]
    finally:
        del cli.get_command


def test_settings(ondevice, home, tmp_path, default_model):
    model = tmp_path / 'a "b" ü.gguf'
    model.symlink_to(default_model.path)
    file = home.config / "config.toml"
    assert ondevice("config", "path")[1].strip() == str(file)
    home.config.mkdir(parents=True)
    file.write_text("# mine\n[generation]\ntop_k = 7  # few\n\n[model]\nn_ctx = 512\n")
    assert ondevice("config", "set", "generation.top_k", "9")[0] == 0
    assert ondevice("config", "set", "generation.temperature", "1")[0] == 0
    assert ondevice("config", "set", "generation.seed", "4")[0] == 0
    assert ondevice("config", "set", "learning.paraphrases", "off")[0] == 0
    assert ondevice("config", "set", "model.name", str(model))[0] == 0
    text = file.read_text()
    assert "# mine" in text and "top_k = 9  # few" in text and "n_ctx = 512" in text
    settings = Settings.load(file)
    assert (settings.generation.top_k, settings.generation.temperature) == (9, 1.0)
    assert settings.model.name == str(model) and settings.learning.paraphrases is False
    assert ondevice("config", "show", "generation.seed")[1] == "4\n"
    assert ondevice("config", "set", "model.n_gpu_layers", "-1")[0] == 0
    assert Settings.load(file).model.n_gpu_layers == -1
    assert ondevice("config", "set", "generation.seed", "none")[0] == 0
    assert ondevice("config", "show", "generation.seed")[1] == "none\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [("no.such", "1"), ("generation", "1"), ("generation.top_k", "1.5"),
     ("generation.top_p", "nan"), ("generation.temperature", "-1"), ("model.n_ctx", "-1"),
     ("generation.seed", "4294967296"), ("recall.memories", "-1"), ("retention.turn_days", "-5"),
     ("learning.paraphrases", "perhaps")],
)  # fmt: skip
def test_wrong_settings_change_nothing(ondevice, home, name, value):
    code, _, err = ondevice("config", "set", name, value)
    assert code == 1 and name in err and not (home.config / "config.toml").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [("[generation]\ntemperature = nan\n", "between 0 and 5"),
     ("[model]\nn_ctx = -1\n", "between 0 and"),
     ("[learning]\nfewest_examples = 0\n", "1 or more"),
     ("load = 1\n", "no setting 'load'")],
)  # fmt: skip
def test_settings_that_nothing_could_work_with_are_refused(ondevice, home, text, words):
    home.config.mkdir(parents=True)
    (home.config / "config.toml").write_text(text)
    code, _, err = ondevice("config", "show")
    assert code == 1 and words in err and "config.toml" in err


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_linked_settings_file_stays_linked(ondevice, home, tmp_path):
    """As those have it who keep their settings in a repository."""
    home.config.mkdir(parents=True)
    kept = tmp_path / "dotfiles.toml"
    kept.write_text("# mine\n")
    (home.config / "config.toml").symlink_to(kept)
    assert ondevice("config", "set", "generation.top_k", "9")[0] == 0
    assert (home.config / "config.toml").is_symlink() and "top_k = 9" in kept.read_text()


def test_a_file_that_cannot_be_edited_safely_stays_as_it_is(ondevice, home):
    home.config.mkdir(parents=True)
    file = home.config / "config.toml"
    file.write_text("generation = { top_k = 7 }\n")
    code, _, err = ondevice("config", "set", "generation.top_k", "9")
    assert code == 1 and "editor" in err
    assert file.read_text() == "generation = { top_k = 7 }\n"


def test_a_file_that_says_nothing_is_mended(ondevice, home):
    home.config.mkdir(parents=True)
    file = home.config / "config.toml"
    file.write_text("[generation\n")
    code, _, err = ondevice("config", "set", "generation.top_k", "9")
    assert code == 0 and "not TOML" in err and "Line 1 of" in err
    assert ondevice("config", "show", "generation.top_k")[:2] == (0, "9\n")


def _completed(home, shell, words, at=None):
    joined = "\n".join(words) if shell == "powershell" else " ".join(words)
    environment = {
        **os.environ,
        "ONDEVICE_HOME": str(home.data.parent),
        "_ONDEVICE_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": joined,
        "COMP_CWORD": str(len(words) - 1) if shell != "fish" else words[-1],
    }
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion(ondevice, home, shell):
    code, script, _ = ondevice("completion", shell)
    assert code == 0 and "_ONDEVICE_COMPLETE" in script and "ondevice" in script
    found = _completed(home, shell, ["ondevice", "mem"])
    assert "memory" in found and "model" not in found
    assert "qwen3-0.6b" in _completed(home, shell, ["ondevice", "model", "pull", "qw"])


def test_completion_of_files(home):
    for name, command in leaves():
        for parameter in command.params:
            about = f"{parameter.metavar or ''} {parameter.name}".upper()
            takes_file = any(word in about for word in ("FILE", "FOLDER", "PATH"))
            if takes_file and parameter.name != "profile":
                found = parameter.shell_complete(click.Context(command), "./no")
                assert [item.type for item in found] in (["file"], ["dir"]), (name, parameter.name)


def test_whatever_takes_a_profile_or_an_adapter_completes_it(home, ondevice):
    ondevice("profile", "create", "anna")
    new = {"profile create", "profile import", "adapter add"}  # a name that is not there yet
    for name, command in leaves():
        for parameter in command.params:
            takes = parameter.name == "profile" or (name.startswith("profile ") and
                                                    parameter.name == "name")  # fmt: skip
            if takes and name not in new:
                found = parameter.shell_complete(click.Context(command), "an")
                assert [item.value for item in found] == ["anna"], name


def test_completion_of_what_is_yours(ondevice, home, make_adapter):
    ondevice("profile", "create", "anna", "--use")
    file, _ = make_adapter(1)
    ondevice("adapter", "add", str(file), "--trust", "--name", "letters")
    assert _completed(home, "bash", ["ondevice", "chat", "--profile", "a"]) == "plain,anna\n"
    assert _completed(home, "bash", ["ondevice", "adapter", "show", "l"]) == "plain,letters\n"
    assert "plain,default" in _completed(home, "bash", ["ondevice", "chat", "-m", "def"])
    assert "file," in _completed(home, "bash", ["ondevice", "chat", "-m", "./x"])
    (home.config / "keys" / "anna.key").unlink()  # locked: nothing personal is said
    assert _completed(home, "bash", ["ondevice", "adapter", "show", "l"]).strip() == ""


def test_the_first_completion_imports_no_command(home):
    program = (
        "import sys; from click.testing import CliRunner; from ondevice.cli import cli;"
        "import click; items = cli.shell_complete(click.Context(cli), 'm');"
        "bad = [m for m in sys.modules if m.startswith('ondevice.cli.m')]; assert not bad, bad;"
        "print([item.value for item in items])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "['memory', 'model', 'mcp']\n", done.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_for_real(ondevice, home, tmp_path):
    program = tmp_path / "ondevice"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c \'{PROGRAM}\' "$@"\n')
    program.chmod(0o755)
    (tmp_path / "script").write_text(ondevice("completion", "bash")[1])
    session = (
        f"source {tmp_path}/script; COMP_WORDS=({program} adapter r); COMP_CWORD=2;"
        f'_ondevice_completion {program}; echo "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(["bash", "-c", session], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"remove", "rollback"}


def test_exit_codes():
    for arguments, code in ((["-h"], 0), (["-V"], 0), (["model", "check", "/no.gguf"], 1),
                            (["no"], 2), ([], 2), (["completion", "tcsh"], 2)):  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True
        )
        assert done.returncode == code, (arguments, done.stderr)
        assert "Traceback" not in done.stderr
    assert "completion" in COMMANDS
