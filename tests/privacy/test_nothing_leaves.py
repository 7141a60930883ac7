"""System calls of chat, embedding and import: no network, no file outside our folders."""

import os
import re
import shutil
import subprocess
import sys

import pytest

PROGRAM = """
import pathlib
from ondevice import Assistant
with Assistant.open() as me:
    me.memory.import_paths([pathlib.Path("notes.md")])
    me.remember("My dog is called Zyxwvut.")
    reply = me.ask("What is my dog called?")
    assert reply.text and reply.receipt.used
    assert me.recall("dog")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="strace is a Linux program")
def test_no_network_and_no_foreign_file(tmp_path):
    assert shutil.which("strace"), "strace is missing: apt install strace"
    user = tmp_path / "user"
    temporary = tmp_path / "tmp"
    work = tmp_path / "work"
    for folder in (user, temporary, work):
        folder.mkdir()
    (work / "notes.md").write_text("The blue shed key hangs behind the tank.")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(user),
        "TMPDIR": str(temporary),
        "ONDEVICE_HOME": str(tmp_path / "ours"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    log = tmp_path / "trace"
    calls = "socket,connect,sendto,sendmsg,bind,openat,open,creat,mkdir,mkdirat,rename,renameat2"
    done = subprocess.run(
        [
            "strace",
            "-f",
            "-qq",
            "-e",
            f"trace={calls}",
            "-o",
            str(log),
            sys.executable,
            "-c",
            PROGRAM,
        ],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    trace = log.read_text(errors="replace")

    network = [line for line in trace.splitlines() if "AF_INET" in line]
    assert network == []

    written = set()
    for line in trace.splitlines():
        opened = re.search(r'open(?:at)?\((?:AT_FDCWD, )?"([^"]+)", ([A-Z_|0-9a-z]+)', line)
        if opened and re.search(r"O_(WRONLY|RDWR|CREAT)", opened[2]) and " = -1 " not in line:
            written.add(opened[1])
        made = re.search(r'(?:mkdir|creat)(?:at)?\((?:AT_FDCWD, )?"([^"]+)"', line)
        if made and " = -1 " not in line:
            written.add(made[1])
    assert any(path.startswith(str(tmp_path / "ours")) for path in written)  # the test can see
    foreign = {
        path
        for path in written
        if not path.startswith((str(tmp_path / "ours"), "/dev/", "/proc/", "/sys/"))
    }
    assert foreign == set()
    assert list(user.rglob("*")) == []  # onnxruntime writes a device id here when it may
    assert list(temporary.rglob("*")) == []
