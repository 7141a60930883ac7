"""Commands as a person runs them, on the real default model where one is needed."""

import json
import subprocess
import sys

import pytest


def test_memory_life_cycle(ondevice):
    code, out, err = ondevice("memory", "add", "My dog is called Biscuit.")
    assert code == 0 and "Remembered" in err
    dog = out.strip()
    ondevice("memory", "add", "I work as a carpenter.")

    code, out, _ = ondevice("memory", "list", "--json")
    facts = json.loads(out)
    assert code == 0 and len(facts) == 2
    assert any(fact["id"] == dog and "Biscuit" in fact["text"] for fact in facts)

    code, out, _ = ondevice("memory", "search", "what is the name of my dog", "-k", "2", "--json")
    found = json.loads(out)
    assert code == 0 and found[0]["id"] == dog
    assert set(found[0]) == {"id", "text", "score", "source", "time"}
    assert found[0]["score"] >= found[-1]["score"]

    code, out, _ = ondevice("memory", "show", dog, "--json")
    assert code == 0 and json.loads(out)["kind"] == "fact"

    assert ondevice("memory", "pin", dog)[0] == 0
    assert json.loads(ondevice("memory", "show", dog, "--json")[1])["pinned"] is True

    code, _, err = ondevice("memory", "edit", dog, "My dog is called Toffee.")
    assert code == 0 and "Toffee" in err
    code, out, _ = ondevice("memory", "search", "dog name", "--json")
    assert "Toffee" in json.loads(out)[0]["text"]

    code, out, _ = ondevice("memory", "forget", dog, "--yes", "--json")
    assert code == 0 and dog in json.dumps(json.loads(out))
    assert "Toffee" not in ondevice("memory", "list", "--json")[1]
    assert ondevice("memory", "show", dog)[0] == 1


def test_newer_fact_replaces_the_older_one(ondevice):
    ondevice("memory", "add", "I live in Hamburg.")
    ondevice("memory", "add", "I live in Lisbon.")
    facts = json.loads(ondevice("memory", "list", "--json")[1])
    states = {fact["text"].split()[-1].strip("."): fact["state"] for fact in facts}
    assert states == {"Hamburg": "superseded", "Lisbon": "active"}
    found = json.loads(ondevice("memory", "search", "where do I live", "--json")[1])
    assert all("Hamburg" not in memory["text"] for memory in found)


def test_an_imported_text_is_corrected_and_the_correction_taken_back(ondevice, tmp_path):
    (tmp_path / "diary.txt").write_text("I sleep badly when I drink coffee.\n")
    ondevice("import", str(tmp_path / "diary.txt"))

    def search():
        return json.loads(ondevice("memory", "search", "when do I sleep badly", "--json")[1])

    (old,) = search()
    typed = "I sleep badly when I look at screens"
    code, out, err = ondevice("memory", "edit", old["id"], typed, "--json")
    new = json.loads(out)
    assert (code, new["text"], new["corrects"]) == (0, typed, old["id"])
    assert [one["text"] for one in search()] == [typed]
    assert json.loads(ondevice("memory", "list", "--json")[1]) == []
    _, out, _ = ondevice("memory", "show", old["id"])
    assert "superseded" in out and new["id"] in out
    assert ondevice("import", str(tmp_path / "diary.txt"))[0] == 0
    assert [one["text"] for one in search()] == [typed]
    code, _, err = ondevice("memory", "restore", new["id"])
    assert code == 0 and "coffee" in err
    assert [one["id"] for one in search()] == [old["id"]]
    assert ondevice("memory", "edit", old["id"], "--category", "task")[0] == 1
    assert ondevice("memory", "restore", "nothing")[0] == 1


def test_what_is_remembered_is_shown_as_kept_and_what_it_replaced_comes_back(ondevice):
    old = ondevice("memory", "add", "I like tea.")[1].strip()
    code, _, err = ondevice("memory", "add", "I don't like tea any more.")
    assert code == 0 and '"The user doesn\'t like tea any more."' in err
    assert '"The user likes tea."' in err and f"ondevice memory restore {old}" in err
    assert [fact["state"] for fact in json.loads(ondevice("memory", "list", "--json")[1])] == [
        "superseded",
        "active",
    ]
    code, _, err = ondevice("memory", "restore", old)
    assert code == 0 and "The user likes tea." in err
    facts = json.loads(ondevice("memory", "list", "--state", "active", "--json")[1])
    assert old in [fact["id"] for fact in facts] and len(facts) == 2
    code, _, err = ondevice("memory", "restore", old)
    assert code == 1 and "replaced" in err and "Traceback" not in err
    added = json.loads(ondevice("memory", "add", "I hate tea.", "--json")[1])
    assert [fact["id"] for fact in added["replaced"]] != []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("I am vegetarian.", "I'm lactose intolerant."),
        ("My son is allergic to nuts.", "My son is 7 years old."),
        ("I'm learning Japanese.", "I'm learning the piano."),
    ],
)
def test_facts_that_both_hold_both_stay(ondevice, first, second):
    ondevice("memory", "add", first)
    _, _, err = ondevice("memory", "add", second)
    assert "restore" not in err
    facts = json.loads(ondevice("memory", "list", "--json")[1])
    assert [fact["state"] for fact in facts] == ["active", "active"]


def test_an_import_of_denials_is_stored_whole(ondevice, tmp_path):
    (tmp_path / "memories.txt").write_text(
        "The user is not allergic to penicillin.\nThe user is no longer a member there.\n"
        "The user's son is not tired anymore.\n"
    )
    code, _, err = ondevice("import", str(tmp_path / "memories.txt"))
    assert code == 0 and "3 facts" in err
    pending = json.loads(ondevice("memory", "list", "--pending", "--json")[1])
    assert [fact["text"] for fact in pending] == [
        "The user is not allergic to penicillin.",
        "The user is no longer a member there.",
        "The user's son is not tired anymore.",
    ]


@pytest.mark.model
def test_import_then_ask(ondevice, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "garden.md").write_text("# Garden\n\nThe blue shed key hangs behind the water tank.\n")
    (notes / "other.txt").write_text("The tax office closes at noon on Fridays.\n")
    code, _, err = ondevice("import", str(notes))
    assert code == 0 and "2 files" in err
    code, _, err = ondevice("import", str(notes))
    assert code == 0 and "there already" in err

    code, out, _ = ondevice(
        "ask", "Where is the key of the blue shed?", "--json", "--max-tokens", "24", "--seed", "1"
    )
    answer = json.loads(out)
    assert code == 0
    assert set(answer) >= {"text", "model", "adapters", "memories", "usage", "timings"}
    assert "behind the water tank" in answer["memories"][0]["text"]
    assert answer["usage"]["completion_tokens"] > 0

    code, out, _ = ondevice("memory", "why", "--json")
    assert code == 0 and "water tank" in json.loads(out)["memories"][0]["text"]


@pytest.mark.model
def test_temporary_reads_and_writes_nothing(ondevice):
    ondevice("memory", "add", "My dog is called Biscuit.")
    code, out, _ = ondevice(
        "ask", "My cat is called Mia. What is my dog called?", "--temporary", "--json",
        "--max-tokens", "8",
    )  # fmt: skip
    assert code == 0 and json.loads(out)["memories"] == []
    assert len(json.loads(ondevice("memory", "list", "--json")[1])) == 1


@pytest.mark.model
def test_same_seed_same_answer(ondevice):
    arguments = ("ask", "Name a colour.", "--temporary", "--seed", "7", "--max-tokens", "12")
    assert ondevice(*arguments)[1] == ondevice(*arguments)[1] != "\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("memory", "show", "nonsense"), 1, "not the id"),
        (("memory", "forget", "nonsense", "--yes"), 1, "not the id"),
        (("memory", "edit", "x"), 2, "what to change"),
        (("import", "/no/such/folder"), 1, "/no/such/folder"),
        (("ask", "hi", "--model", "/no/such.gguf"), 1, "/no/such.gguf"),
        (("ask", "hi", "--model", "no-such-name"), 1, "no-such-name"),
        (("ask", "hi", "--adapter", "none"), 1, "none"),
        (("ask", "hi", "--adapter", "a:much"), 2, "scale"),
        (("ask", "hi", "--adapter", "a", "--no-adapter"), 2, "exclude"),
        (("adapter", "use", "none"), 1, "none"),
        (("adapter", "add", "/no/such.gguf"), 1, "/no/such.gguf"),
        (("profile", "use", "nobody"), 1, "nobody"),
        (("profile", "create", "../up"), 1, "../up"),
        (("model", "check", "/no/such.gguf"), 1, "/no/such.gguf"),
        (("nonsense",), 2, "nonsense"),
    ],
)
def test_errors_are_one_sentence(ondevice, arguments, code, words):
    got, out, err = ondevice(*arguments)
    assert got == code
    assert words in err
    assert "Traceback" not in err
    assert out == ""


def test_profiles(ondevice, home):
    assert ondevice("profile", "create", "anna")[0] == 0
    assert ondevice("profile", "create", "ben", "--use")[0] == 0
    ondevice("memory", "add", "I collect stamps.")
    assert ondevice("profile", "use", "anna")[0] == 0
    assert json.loads(ondevice("memory", "list", "--json")[1]) == []
    listed = json.loads(ondevice("profile", "list", "--json")[1])
    assert {p["name"]: p["in_use"] for p in listed} == {"anna": True, "ben": False}
    assert ondevice("profile", "wipe", "ben", "--yes")[0] == 0
    assert not home.profile("ben").exists()
    assert ondevice("profile", "create", "anna")[0] == 1


def test_models(ondevice):
    models = json.loads(ondevice("model", "list", "--json")[1])
    assert any(m["path"] and m["licence"] == "Apache-2.0" for m in models)
    code, out, _ = ondevice("model", "check")
    assert code == 0
    assert out.strip() == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


@pytest.mark.model
def test_doctor_says_ready(ondevice):
    code, out, _ = ondevice("doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(out)}
    assert code == 0, findings
    assert "tokens/s" in findings["generation"]["text"]


@pytest.mark.model
def test_question_from_standard_input(home):
    def ask(*arguments, text):
        program = "import sys; from ondevice.cli import run; sys.exit(run(sys.argv[1:]))"
        command = [sys.executable, "-c", program, "ask", "--temporary", "--max-tokens", "4"]
        return subprocess.run([*command, *arguments], input=text, capture_output=True, text=True)

    assert ask(text="Name a colour.").stdout.strip()
    assert ask("Make this shorter:", "-", text="It was a long day.").returncode == 0
    nothing = ask(text="")
    assert nothing.returncode == 2 and "Ask something" in nothing.stderr


def test_forgetting_by_words_with_a_certificate(ondevice, tmp_path):
    ondevice("memory", "add", "I play the oboe.")
    ondevice("memory", "add", "I live in Hamburg.")
    opening, certificate = tmp_path / "openings.json", tmp_path / "certificate.json"
    code, _, err = ondevice("memory", "forget", "--matching", "oboe")
    assert code == 2 and "oboe" in err and "--yes" in err  # shown, but nobody confirmed
    code, out, _ = ondevice(
        "memory", "forget", "--matching", "oboe", "--yes", "--json",
        "--certificate", str(certificate), "--openings", str(opening),
    )  # fmt: skip
    assert code == 0 and len(json.loads(out)["records"]) == 1
    assert "oboe" not in certificate.read_text() and "oboe" not in opening.read_text()
    assert "oboe" not in ondevice("memory", "list", "--json")[1]
    assert ondevice("memory", "certificate", str(certificate))[0] == 0
    text = "The user plays the oboe."
    with_text = ("memory", "certificate", str(certificate), "--openings", str(opening), "--text")
    assert ondevice(*with_text, text)[0] == 0
    assert ondevice(*with_text, "The user plays the flute.")[0] == 1
    certificate.write_text(certificate.read_text().replace("fact", "turn"))
    code, _, err = ondevice("memory", "certificate", str(certificate))
    assert code == 1 and "altered" in err
    assert ondevice("memory", "forget")[0] == 2
    code, _, err = ondevice("memory", "forget", "--matching", "nothing at all", "--yes")
    assert code == 0 and "Nothing fits" in err
    assert ondevice("memory", "forget", "--since", "1h", "--yes")[0] == 0
    assert json.loads(ondevice("memory", "list", "--json")[1]) == []


@pytest.mark.model
def test_learning_from_an_empty_profile_says_so(ondevice):
    code, _, err = ondevice("learn", "--quick")
    assert code == 0 and "there is nothing to learn from yet" in err
    code, out, _ = ondevice("learn", "--dry-run", "--quick", "--json")
    assert code == 0 and "nothing to learn" in json.loads(out)["too_little"]
    assert ondevice("adapter", "rollback")[0] == 1


@pytest.mark.model
def test_verdicts_in_a_chat(ondevice, monkeypatch):
    import io

    lines = "/good\nWhat is a lock?\n/edit A box for boats.\n/bad\n/edit\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    code, _, err = ondevice("chat", "--max-tokens", "4", "--no-adapter", "--no-reader")
    assert code == 0
    assert "no answer to judge" in err and "what you wanted instead" in err
    assert "a bad answer" in err and "Nothing was changed" in err
    from ondevice.home import Home
    from ondevice.store.profile import Profile

    with Profile.open(Home.default()) as profile:
        edit, reject = profile.feedback.all()
        answer = profile.get(edit.turn_id)
    assert (edit.verdict, edit.text, reject.verdict) == ("edit", "A box for boats.", "reject")
    assert answer.role == "assistant"
    assert edit.answered_by["adapters"] == []
    assert len(edit.answered_by["model"]) == 64


@pytest.mark.model
def test_a_chat_from_a_pipe_is_answered_to_its_end(ondevice, monkeypatch):
    """What is begun when the input ends is a message all the same."""
    import io

    from ondevice.home import Home
    from ondevice.store.profile import Profile

    for given in ("One \\\n", '"""\nTwo\nlines', '"""\nThree\n"""\nFour\\\nlines\n'):
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        assert ondevice("chat", "--max-tokens", "1")[0] == 0
    with Profile.open(Home.default()) as profile:
        said = [turn.text for turn in profile.turns.all() if turn.role == "user"]
    assert said == ["One ", "Two\nlines", "Three", "Four\nlines"]


@pytest.mark.model
def test_what_a_chat_saves_is_this_conversation(ondevice, monkeypatch, tmp_path):
    import io

    def chat(lines, *options):
        monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines) + "\n"))
        code, _, err = ondevice("chat", "--max-tokens", "1", *options)
        assert code == 0, err
        return err

    files = {name: tmp_path / f"{name}.md" for name in ("temp", "new", "going-on", "forgotten")}
    chat(
        [
            "/temp",
            "Under the rose.",
            f"/save {files['temp']}",
            "/temp",
            "/why",
            "I live in Ulm.",
            "/new",
            "My dog is called Biscuit.",
            f"/save {files['new']}",
        ]
    )
    assert "Under the rose." in files["temp"].read_text()
    saved = files["new"].read_text()
    assert "Biscuit" in saved and "rose" not in saved and "Ulm" not in saved
    chat([f"/save {files['going-on']}"], "--continue")
    assert "Biscuit" in files["going-on"].read_text()
    chat(["/memories Biscuit", "/forget 1", f"/save {files['forgotten']}"], "--continue")
    assert not files["forgotten"].exists() or "Biscuit" not in files["forgotten"].read_text()
