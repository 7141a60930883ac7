"""What the person said is in no file in clear, whatever part of the program handled it."""

import numpy as np

from ondevice import Assistant

CANARY = "Quixotryfern"


def _files(*folders):
    return [p for folder in folders for p in folder.rglob("*") if p.is_file()]


def test_canary_is_in_no_file(home, tmp_path, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with Assistant.open(home=home) as me:
        fact = me.remember(f"My boat is called {CANARY}.")
        me.ask(f"Is {CANARY} a good name?").finish()
        vector = me.memory.embedder.embed([fact.text])[0]
        needles = {
            "text": CANARY.encode(),
            "token": CANARY.lower().encode(),
            "utf-16": CANARY.encode("utf-16-le"),
            "vector": vector.astype(np.float32).tobytes()[:64],
            "half vector": vector.astype(np.float16).tobytes()[:64],
        }
        while_open = {
            p: p.read_bytes() for p in _files(home.data, home.config, home.cache, temporary)
        }
    closed = {p: p.read_bytes() for p in _files(home.data, home.config, home.cache, temporary)}
    assert any(path.name == "profile.db" for path in closed)
    for state in (while_open, closed):
        for path, content in state.items():
            for name, needle in needles.items():
                assert needle not in content, f"{name} in {path.name}"


def test_errors_and_logs_hold_no_personal_text(home, capfd, monkeypatch):
    from ondevice.cli import run

    def fail(*_, **__):
        raise RuntimeError(f"while handling {CANARY}")

    monkeypatch.setattr("ondevice.chat.Assistant.open", fail)
    assert run(["ask", CANARY]) == 1
    captured = capfd.readouterr()
    assert "RuntimeError" in captured.err
    assert CANARY not in captured.out + captured.err
