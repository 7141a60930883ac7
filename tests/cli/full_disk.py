"""Runs commands on a small disk of its own that is full, and prints what each of them did.

    unshare --user --map-root-user --mount python full_disk.py FOLDER

Prints one JSON object: what was run -> [exit code, stderr, whether the profile opens after].
"""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

from ondevice.cli import run
from ondevice.store.access import passphrase

WRITING = {
    "memory add": ["memory", "add", "I work as a carpenter."],
    "memory forget": ["memory", "forget", "--matching", "Biscuit", "--yes"],
    "import": ["import", "{notes}"],
    "backup": ["profile", "backup", "{disk}/backup"],
    "export": ["profile", "export", "{disk}/export"],
    "readable": ["profile", "export", "--readable", "{disk}/me", "--yes"],
    "passphrase": ["profile", "passphrase", "--recovery-code"],
    "profile create": ["profile", "create", "anna"],
    "config set": ["config", "set", "generation.top_k", "9"],
    "train": ["train", "--data", "{notes}", "--out", "{disk}/a.gguf", "--max-steps", "1"],
}


def called(arguments: list[str]) -> tuple[int, str, str]:
    """Run one command; return its exit code, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    return code, out.getvalue(), err.getvalue()


def main(folder: Path) -> None:
    """Fill the disk up to 12 kB and run every command."""
    passphrase.Cost.__init__.__defaults__ = (64, 1, 1)  # KiB, iterations, lanes: quick
    disk, notes, word = folder / "disk", folder / "notes.md", folder / "word"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=True)
    notes.write_text("The blue shed key hangs behind the water tank.\n\n" * 100)
    word.write_text("correct horse\n")
    os.environ |= {"ONDEVICE_HOME": str(disk / "home"), "ONDEVICE_PASSPHRASE_FILE": str(word)}
    called(["config", "set", "recall.embedder", "minilm"])  # the other one needs 70 MB of cache
    called(["memory", "add", "My dog is called Biscuit."])
    called(["model", "check"])  # the hash of the model is known from now on
    before = sorted(disk.rglob("*"))
    seen = {}
    for room in (12_000, 64_000):
        for name, arguments in WRITING.items():
            status = os.statvfs(disk)
            filler = disk / "filler"
            filler.write_bytes(bytes(max(0, status.f_bavail * status.f_frsize - room)))
            fitted = [a.format(disk=disk, notes=notes) for a in arguments]
            code, _, err = called(fitted)
            filler.unlink()
            kept = "Biscuit" in called(["memory", "list"])[1]
            left = [str(path) for path in sorted(disk.rglob("*")) if path not in before]
            seen[f"{name}, {room} bytes"] = [code, err, kept, left]
            if code == 0:  # it fitted
                before = sorted(disk.rglob("*"))
    print(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
