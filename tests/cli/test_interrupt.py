"""Ctrl-C in a terminal: the program says that it stopped, and the same command goes on."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time

import hub_server
import pytest

if sys.platform == "win32":
    pytest.skip("needs a Unix terminal", allow_module_level=True)

import pty

pytestmark = pytest.mark.model  # whole programs are stopped by Ctrl-C

CTRL_C = b"\x03"


class Terminal:
    """A command in a pseudo-terminal of its own."""

    def __init__(self, *arguments, environment):
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            command = [sys.executable, "-m", "ondevice", *map(str, arguments)]
            os.execve(sys.executable, command, environment)
        self.shown = ""

    def read_until(self, pattern, seconds=60.0):
        """Read what is shown until it fits `pattern`; with None until the program ends."""
        deadline = time.monotonic() + seconds
        while pattern is None or not re.search(pattern, self.shown):
            assert time.monotonic() < deadline, self.shown
            if select.select([self.descriptor], [], [], 0.1)[0]:
                try:
                    block = os.read(self.descriptor, 1 << 16)
                except OSError:  # Linux says so when the program has ended
                    block = b""
                if not block:
                    assert pattern is None, self.shown
                    return
                self.shown += block.decode(errors="replace")

    def press(self, keys):
        os.write(self.descriptor, keys)

    def end(self):
        """Wait for the end; return the exit code."""
        self.read_until(None)
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def terminal(home, tmp_path):
    word = tmp_path / "word"
    word.write_text("correct horse\n")

    def start(*arguments, passphrase=True):
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
        environment["ONDEVICE_HOME"] = str(home.data.parent)
        if passphrase:
            environment["ONDEVICE_PASSPHRASE_FILE"] = str(word)
        return Terminal(*arguments, environment=environment)

    return start


def test_model_pull(terminal, home, tmp_path):
    hub = hub_server.Hub(hub_server.tiny_model(tmp_path / "tiny.gguf"), plan=["trickle"])
    with hub_server.RunningHub(hub):
        pulling = terminal("model", "pull", hub.url)
        pulling.read_until(rf"[1-9][\d.]*/{len(hub.content) / 1000:.1f} kB")
        pulling.press(CTRL_C)
        assert pulling.end() == 130
        assert "the same command goes on from there" in pulling.shown
        assert "Traceback" not in pulling.shown
        here = (home.models / ".tiny.gguf.part").stat().st_size
        assert 0 < here < len(hub.content)
        again = terminal("model", "pull", hub.url)
        assert again.end() == 0
    assert hub.transfers() == [None, f"bytes={here}-"]
    assert (home.models / "tiny.gguf").read_bytes() == hub.content


def test_import(terminal, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    for number in range(10):
        text = "\n\n".join(f"Note {number}.{part}: the shed key hangs high." for part in range(60))
        (notes / f"{number}.md").write_text(text)
    importing = terminal("import", notes)
    importing.read_until("Checking|Reading")
    importing.press(CTRL_C)
    assert importing.end() == 130
    assert "the same command goes on from there" in importing.shown
    assert "Traceback" not in importing.shown
    again = terminal("import", notes)
    assert again.end() == 0, again.shown
    listed = terminal("source", "list", "--json")
    assert listed.end() == 0
    assert len(json.loads(listed.shown[listed.shown.index("[") :])) == 10


def test_a_question_for_the_passphrase(terminal, home):
    asking = terminal("memory", "list", passphrase=False)
    asking.read_until("assphrase:")
    asking.press(CTRL_C)
    assert asking.end() == 130
    assert "Traceback" not in asking.shown
    assert not home.profile("default").exists()


def test_waiting_for_somebody_who_is_asked_for_a_passphrase(terminal, home):
    first = terminal("memory", "list", passphrase=False)
    first.read_until("assphrase:")
    second = terminal("memory", "list", passphrase=False)
    second.read_until("this one waits until that is done")
    assert "assphrase:" not in second.shown
    second.press(CTRL_C)
    assert second.end() == 130
    assert "Traceback" not in second.shown
    third = terminal("memory", "list", passphrase=False)
    third.read_until("this one waits until that is done")
    first.press(CTRL_C)
    assert first.end() == 130
    third.read_until("assphrase:")  # now it is asked itself
    third.press(CTRL_C)
    assert third.end() == 130
    assert not home.profile("default").exists()


@pytest.mark.parametrize("seconds", [0.12, 0.3, 0.6, 1.0])
def test_at_any_moment(home, seconds):
    """Whatever the program does: importing, loading the model, computing."""
    command = [sys.executable, "-m", "ondevice", "ask", "Tell me of gardens.", "--temporary"]
    started = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "ONDEVICE_HOME": str(home.data.parent)},
    )  # fmt: skip
    time.sleep(seconds)
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=60)
    if seconds > 0.3 and started.returncode >= 0:
        assert started.returncode in (0, 130) and "Traceback" not in err, err
    assert "Exception ignored" not in err
