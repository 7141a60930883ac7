"""What people give by mistake: each gets a sentence, and loses nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ondevice.store.profile import Profile


def in_shell(home, *arguments, **options):
    """Run the program as a shell does, where bytes need not be text."""
    command = [sys.executable, "-m", "ondevice", *arguments]
    environment = {**os.environ, **options.pop("env", {})}
    return subprocess.run(command, capture_output=True, env=environment, **options)


@pytest.mark.model
def test_an_argument_in_another_encoding(home):
    done = in_shell(home, "memory", "add", b"My caf\xe9 is called Mia.")
    assert done.returncode == 2
    assert b"not UTF-8 text" in done.stderr and b"Traceback" not in done.stderr
    assert not home.profiles.exists()


@pytest.mark.model
def test_input_in_another_encoding_is_answered_with_a_warning(home):
    done = in_shell(home, "ask", "--temporary", "--max-tokens", "2", input=b"caf\xe9?")
    assert done.returncode == 0, done.stderr
    assert b"not all UTF-8" in done.stderr and done.stdout.strip()


@pytest.mark.model
def test_output_in_another_encoding(home):
    done = in_shell(home, "model", "list", "--json", env={"PYTHONIOENCODING": "latin-1"})
    assert done.returncode == 0, done.stderr
    done = in_shell(home, "model", "list", env={"PYTHONIOENCODING": "latin-1"})
    assert done.returncode == 0 and b"\t?\n" in done.stdout, done.stderr


def test_the_home_folder_of_nobody(ondevice):
    code, _, err = ondevice("import", "~nobody-of-that-name/notes")
    assert code == 1 and "There is no file or folder ~nobody-of-that-name/notes" in err
    code, _, err = ondevice("ask", "Hi", "--model", "~nobody-of-that-name/model.gguf")
    assert code == 1 and "There is no file" in err


def test_a_tilde_that_the_shell_has_left_alone(ondevice, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    fact = ondevice("memory", "add", "I live in Ulm.")[1].strip()
    assert ondevice("memory", "forget", fact, "--yes", "--certificate=~/c.json")[0] == 0
    assert (tmp_path / "c.json").is_file()
    assert ondevice("memory", "certificate", "~/c.json")[0] == 0


def test_a_certificate_that_cannot_be_written_does_not_hide_that_all_is_forgotten(
    ondevice, home, tmp_path
):
    fact = ondevice("memory", "add", "I live in Ulm.")[1].strip()
    (tmp_path / "file").write_text("in the way")
    target = str(tmp_path / "file" / "c.json")
    code, _, err = ondevice("memory", "forget", fact, "--yes", "--certificate", target)
    assert code == 1 and "1 record forgotten, but the certificate cannot be written" in err
    with Profile.open(home) as profile:
        assert profile.facts.all() == []


@pytest.mark.parametrize("content", ["[]", "null", '"x"', "{}", "[" * 100_000, "not JSON"])
def test_what_is_no_certificate(ondevice, tmp_path, content):
    ondevice("memory", "list")
    (tmp_path / "c.json").write_text(content)
    code, _, err = ondevice("memory", "certificate", str(tmp_path / "c.json"))
    assert (code == 1 and "ertificate" in err) or "JSON" in err
    assert "unforeseen" not in err


@pytest.mark.parametrize("openings", ["[]", "{}", '[{"salt": "x", "kind": "fact"}]', "[1]"])
def test_what_is_no_file_of_openings(ondevice, tmp_path, openings):
    fact = ondevice("memory", "add", "I live in Ulm.")[1].strip()
    paths = {name: str(tmp_path / f"{name}.json") for name in ("certificate", "openings")}
    ondevice("memory", "forget", fact, "--yes", "--certificate", paths["certificate"])
    (tmp_path / "openings.json").write_text(openings)
    code, _, err = ondevice(
        "memory", "certificate", paths["certificate"], "--openings", paths["openings"],
        "--text", "x",
    )  # fmt: skip
    assert code == 1 and "unforeseen" not in err


def test_a_passphrase_file_that_is_no_text(ondevice, tmp_path):
    ondevice("memory", "list")
    (tmp_path / "word").write_bytes(b"caf\xe9")
    for path in (tmp_path / "word", tmp_path / "none", tmp_path):
        code, _, err = ondevice("profile", "passphrase", "--new-file", str(path))
        assert code in (1, 2) and str(path) in err and "unforeseen" not in err
    (tmp_path / "word").write_bytes(b"\n")
    code, _, err = ondevice("profile", "passphrase", "--new-file", str(tmp_path / "word"))
    assert code == 1 and "is empty" in err


def test_a_new_profile_takes_its_passphrase_from_the_file_of_scripts(
    ondevice, home, tmp_path, monkeypatch
):
    (tmp_path / "word").write_text("correct horse")
    monkeypatch.setenv("ONDEVICE_PASSPHRASE_FILE", str(tmp_path / "word"))
    assert ondevice("profile", "create", "work", "--passphrase")[0] == 0
    with Profile.open(home, "work") as profile:
        assert profile.facts.all() == []


def test_a_pointer_to_no_profile_is_named(ondevice, home):
    ondevice("memory", "list")
    (home.config / "profile").write_text("")
    code, _, err = ondevice("memory", "list")
    assert code == 1 and str(home.config / "profile") in err
    assert ondevice("profile", "use", "default")[0] == 0
    assert ondevice("memory", "list")[0] == 0


def test_the_folder_of_a_profile_that_is_not_there(ondevice, home):
    assert ondevice("profile", "path")[1].strip() == str(home.profile("default"))
    assert ondevice("profile", "path", "nobody")[0] == 1
    assert ondevice("profile", "path", "../up")[0] == 1


def test_options_that_contradict_each_other(ondevice):
    assert ondevice("ask", "Hi", "--temporary", "--continue")[0] == 2
    assert ondevice("memory", "propose", "--temporary")[0] == 2


def test_a_picture_that_could_not_be_written_stops_before_the_work(ondevice, tmp_path):
    code, _, err = ondevice("learn", "--plot", str(tmp_path / "none" / "p.svg"))
    assert code == 2 and "no folder" in err


@pytest.mark.model
def test_numbers_that_are_no_digits_in_a_chat(home):
    done = in_shell(home, "chat", input="/memories\n/forget ²\n/approve ²\n/exit\n".encode())
    assert done.returncode == 0, done.stderr
    assert b"unforeseen" not in done.stderr


def test_the_setting_for_passages_holds_for_imports(ondevice, tmp_path):
    words = " ".join(f"word{number}." for number in range(200))
    (tmp_path / "note.txt").write_text(words)
    assert ondevice("config", "set", "recall.passage_tokens", "50")[0] == 0
    report = json.loads(ondevice("import", str(tmp_path / "note.txt"), "--json")[1])
    assert report["passages"] > 10


def test_a_path_of_nothing_and_a_link_that_leads_round(ondevice, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "note.md").write_text("The quinces are ripe.")
    code, _, err = ondevice("import", "")
    assert code == 2 and "empty path" in err
    (tmp_path / "round.md").symlink_to("round.md")
    assert json.loads(ondevice("import", ".", "--json")[1])["documents"] == 1


def test_the_file_of_scripts_is_no_new_passphrase(ondevice, tmp_path, monkeypatch):
    (tmp_path / "word").write_text("correct horse")
    monkeypatch.setenv("ONDEVICE_PASSPHRASE_FILE", str(tmp_path / "word"))
    ondevice("memory", "list")
    code, _, err = ondevice("profile", "passphrase")
    assert code == 2 and "--new-file" in err


def test_the_reader_is_not_denied_where_it_cannot_be_taken(ondevice, tmp_path):
    code, _, err = ondevice("adapter", "export", "reader", "--gguf", str(tmp_path / "r.gguf"))
    assert code == 1 and "comes with the base model" in err


def test_what_is_no_source_is_said_of_sources(ondevice):
    fact = ondevice("memory", "add", "I live in Ulm.")[1].strip()
    for arguments in (
        ("source", "show", "nope"),
        ("source", "show", fact),
        ("source", "forget", "nope", "--yes"),
        ("memory", "forget", "--source", fact, "--yes"),
    ):
        code, _, err = ondevice(*arguments)
        assert code == 1 and "`ondevice source list`" in err


@pytest.mark.model
@pytest.mark.skipif(os.name == "nt", reason="pipes end in another way there")
@pytest.mark.parametrize("command", ["ask", "chat"])
def test_who_stops_reading_an_answer_sees_no_traceback_and_loses_nothing(home, command):
    """As in `ondevice ask … | head -c 1`."""
    import time

    process = subprocess.Popen(
        [sys.executable, "-m", "ondevice", command, "--max-tokens", "200", "--no-reader"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    process.stdin.write(b"Tell me a long story.\n" * (1 if command == "ask" else 3))
    process.stdin.close()
    assert process.stdout.read(1)
    process.stdout.close()
    began = time.monotonic()
    assert process.wait(60) == 1
    said = process.stderr.read().decode()
    process.stderr.close()
    assert "Traceback" not in said and "ignored" not in said
    assert time.monotonic() - began < 30  # not until all was said to nobody
    with Profile.open(home) as profile:
        asked, answered = profile.turns.all()
    assert asked.text == "Tell me a long story." and answered.text


def test_a_certificate_that_is_not_there_is_said_to_be_missing(ondevice, tmp_path):
    code, _, err = ondevice("memory", "certificate", str(tmp_path / "none.json"))
    assert code == 1 and "there is no such file" in err
    (tmp_path / "text").write_text("no JSON")
    code, _, err = ondevice("memory", "certificate", str(tmp_path / "text"))
    assert code == 1 and "as JSON" in err
