"""Exports, backups, keys, retention, sources and reviews, as a person runs them."""

import json

import pytest
from command_reference import leaves

from ondevice.home import Home
from ondevice.store.access import passphrase
from ondevice.store.profile import Profile


@pytest.fixture(autouse=True)
def quick_passphrases(monkeypatch):
    """Spend no seconds on Argon2id where its cost is not what is tested."""
    quick = (64, 1, 1)  # KiB, iterations, lanes
    monkeypatch.setattr(passphrase.Cost.__init__, "__defaults__", quick)


@pytest.fixture
def word(tmp_path, monkeypatch):
    """Put a passphrase into the file that scripts use."""
    path = tmp_path / "word"
    path.write_text("correct horse\n")
    monkeypatch.setenv("ONDEVICE_PASSPHRASE_FILE", str(path))
    return path


@pytest.mark.model
def test_import_elsewhere_gives_the_same_memories_and_answers(
    ondevice, tmp_path, monkeypatch, word
):
    ondevice("memory", "add", "My dog is called Biscuit.")
    ondevice("memory", "add", "I work as a carpenter.")
    ondevice("config", "set", "model.n_threads", "1")  # two wait for each other on a busy machine
    file = str(tmp_path / "me.ondevice")
    ask = ("ask", "What is my dog called?", "--json", "--seed", "1", "--max-tokens", "12")
    before = ondevice("memory", "list", "--json")[1]
    code, out, _ = ondevice("profile", "export", file, "--json")
    assert code == 0 and json.loads(out)["records"] == 2
    here = json.loads(ondevice(*ask)[1])
    monkeypatch.setenv("ONDEVICE_HOME", str(tmp_path / "elsewhere"))
    ondevice("config", "set", "model.n_threads", "1")
    code, out, _ = ondevice("profile", "import", file, "--json")
    assert code == 0 and json.loads(out)["name"] == "default"
    assert ondevice("memory", "list", "--json")[1] == before
    there = json.loads(ondevice(*ask)[1])
    assert there["text"] == here["text"] and there["memories"] == here["memories"]
    code, _, err = ondevice("profile", "import", file)
    assert code == 1 and "already" in err
    word.write_text("wrong\n")
    code, _, err = ondevice("profile", "import", file, "--name", "other")
    assert code == 1 and "passphrase" in err
    assert not Home.default().profile("other").exists()


def test_backup_restore_and_what_forgetting_says_of_it(ondevice, tmp_path):
    dog = ondevice("memory", "add", "My dog is called Biscuit.")[1].strip()
    file = str(tmp_path / "backup")
    code, _, err = ondevice("profile", "backup", file)
    assert code == 0 and "verified" in err and "recovery code" in err
    assert json.loads(ondevice("profile", "backups", "--json")[1])[0]["path"] == file
    ondevice("memory", "add", "I work as a carpenter.")
    assert file in ondevice("memory", "forget", dog, "--yes")[2]
    assert ondevice("profile", "restore", file)[0] == 1
    code, out, _ = ondevice("profile", "restore", file, "--replace", "--yes", "--json")
    assert code == 0 and json.loads(out)["forgotten_again"] == 1
    assert json.loads(ondevice("memory", "list", "--json")[1]) == []
    assert ondevice("profile", "backups", "--drop", file)[0] == 0
    assert json.loads(ondevice("profile", "backups", "--json")[1]) == []
    assert json.loads(ondevice("profile", "backup", str(tmp_path / "b2"), "--json")[1])["n_bytes"]


def test_readable_export_and_log(ondevice, tmp_path):
    ondevice("memory", "add", "My dog is called Biscuit.")
    folder = tmp_path / "me"
    assert ondevice("profile", "export", "--readable", str(folder))[0] == 2  # nobody said yes
    code, out, err = ondevice("profile", "export", "--readable", str(folder), "--yes", "--json")
    assert code == 0 and "not encrypted" in err
    assert len(json.loads(out)["files"]) == sum(path.is_file() for path in folder.rglob("*"))
    events = json.loads(ondevice("profile", "log", "--json")[1])
    assert [event["kind"] for event in events] == ["exported"]
    assert "exported" in ondevice("profile", "log")[1]
    assert ondevice("profile", "export")[0] == 2


def test_passphrase_recovery_code_and_retention(ondevice, tmp_path, word, home, monkeypatch):
    monkeypatch.delenv("ONDEVICE_PASSPHRASE_FILE")
    ondevice("memory", "add", "My dog is called Biscuit.")
    show = ("profile", "passphrase", "--show", "--json")
    assert json.loads(ondevice(*show)[1])["opened_by"] == ["file"]
    code, _, err = ondevice("profile", "passphrase", "--new-file", str(word))
    assert code == 0 and "a passphrase" in err
    assert ondevice("memory", "list")[0] == 1
    monkeypatch.setenv("ONDEVICE_PASSPHRASE_FILE", str(word))
    code, out, _ = ondevice("profile", "passphrase", "--recovery-code")
    assert code == 0
    assert json.loads(ondevice(*show)[1])["opened_by"] == ["passphrase", "recovery"]
    word.write_text(out.lower())
    assert "Biscuit" in ondevice("memory", "list")[1]
    assert ondevice("profile", "passphrase", "--remove", "--recovery-code")[0] == 2
    assert ondevice("profile", "passphrase", "--remove")[0] == 0

    code, out, _ = ondevice("profile", "retention", "--turns", "30", "--json")
    assert code == 0 and json.loads(out)["turn_days"] == 30
    assert "30 days" in ondevice("profile", "retention")[1]
    with Profile.open(home, ask_passphrase=lambda: word.read_text()) as profile:
        talk = profile.turns.new_conversation()
        old = profile.turns.add(talk, "user", "hello")
        # An id holds the time at which its record was made: this one gets old.
        with profile._db.write() as run:
            run("UPDATE record SET id = '00' || substr(id, 3) WHERE id = ?", (old.id,))
    ondevice("memory", "list")
    with Profile.open(home, ask_passphrase=lambda: word.read_text()) as profile:
        assert profile.turns.all() == []
        assert profile.journal.events()[-1].kind == "expired"


def test_sources(ondevice, tmp_path):
    notes = tmp_path / "garden.md"
    notes.write_text("# Garden\n\nThe blue shed key hangs behind the water tank.\n")
    ondevice("import", str(notes))
    (source,) = json.loads(ondevice("source", "list", "--json")[1])
    assert source["name"] == "garden.md" and source["records"] == 1
    shown = json.loads(ondevice("source", "show", source["id"][:12], "--json")[1])
    assert "water tank" in shown["members"][0]["text"]
    assert "water tank" in ondevice("source", "show", "garden.md")[1]
    notes.write_text("# Garden\n\nThe blue shed key hangs on the door.\n")
    ondevice("import", str(notes))
    (changed,) = json.loads(ondevice("source", "list", "--json")[1])
    assert changed["records"] == 1
    assert "on the door" in ondevice("source", "show", "garden.md")[1]
    code, out, _ = ondevice("source", "forget", "garden.md", "--yes", "--json")
    assert code == 0 and changed["id"] in json.loads(out)["records"]
    assert json.loads(ondevice("source", "list", "--json")[1]) == []


def test_pending_facts_in_bulk(ondevice, home):
    dog = ondevice("memory", "add", "My dog is called Biscuit.")[1].strip()
    with Profile.open(home) as profile:
        for name in ("Ada", "Ben", "Cleo"):
            profile.facts.add(f"The user knows {name}.", state="pending")

    def texts(*options):
        return [f["text"] for f in json.loads(ondevice("memory", "list", *options, "--json")[1])]

    assert len(texts("--pending")) == 3
    assert ondevice("memory", "approve")[0] == 2
    assert ondevice("memory", "reject", dog)[0] == 1
    assert ondevice("memory", "approve", "--matching", "ada")[0] == 0
    assert ondevice("memory", "reject", "--all")[0] == 0
    assert texts("--pending") == []
    assert sorted(texts()) == ["The user knows Ada.", "The user's dog is called Biscuit."]


NO_PERSONAL_DATA = {  # commands that open no profile, or only say that it is locked
    "demo", "completion", "train", "teach", "score", "profile create", "profile list",
    "profile use", "profile path", "profile wipe", "profile import", "profile restore",
    "profile lock", "profile unlock", "model list", "model suggest", "model pull", "model remove",
    "model path", "model check", "config show", "config set", "config path", "doctor",
}  # fmt: skip


def test_a_locked_profile_answers_no_command(ondevice, tmp_path, word, capfd):
    dog = ondevice("memory", "add", "My dog is called Biscuit.")[1].strip()
    notes = tmp_path / "garden.md"
    notes.write_text("The blue shed key hangs behind the water tank.\n")
    ondevice("import", str(notes))
    assert ondevice("profile", "lock")[0] == 0
    assert json.loads(ondevice("profile", "list", "--json")[1])[0]["locked"] is True
    target = str(tmp_path / "out")
    with_arguments = {
        "ask": ["What is my dog called?"],
        "memory add": ["I like tea."],
        "memory search": ["dog"],
        "memory show": [dog],
        "memory edit": [dog, "My dog is called Toffee."],
        "memory restore": [dog],
        "memory approve": ["--all"],
        "memory reject": ["--all"],
        "memory pin": [dog],
        "memory forget": [dog, "--yes"],
        "memory certificate": [str(notes)],
        "import": [str(notes)],
        "source show": ["garden.md"],
        "source forget": ["garden.md", "--yes"],
        "profile export": [target],
        "profile backup": [target],
        "profile passphrase": ["--recovery-code"],
        "adapter add": [str(notes)],
        "adapter use": ["mine"],
        "adapter show": ["mine"],
        "adapter diff": ["mine", "other"],
        "adapter verify": ["mine"],
        "adapter export": ["mine", "--gguf", target],
        "adapter remove": ["mine", "--yes"],
    }
    asked = 0
    for name, _ in leaves():
        code, out, err = ondevice(*name.split(), *with_arguments.get(name, [])) if (
            name not in NO_PERSONAL_DATA
        ) else (1, "", "")  # fmt: skip
        assert "Biscuit" not in out + err and "water tank" not in out + err, name
        if name not in NO_PERSONAL_DATA:
            asked += 1
            assert code == 1 and "locked" in err, (name, code, err)
    assert asked > 30
    assert "Biscuit" not in "".join(ondevice("doctor")[1:])
    assert ondevice("profile", "unlock")[0] == 0
    assert "Biscuit" in ondevice("memory", "list")[1]
