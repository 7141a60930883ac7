"""Every `--json` has a schema, the schemas are right, and the generated documents are current."""

import dataclasses
import json
from pathlib import Path

import hub_server
import jsonschema
import pytest
from command_reference import files, leaves
from json_schemas import schemas

from ondevice.models.catalogue import CATALOGUE, CatalogueEntry
from ondevice.training.trainer import TrainingEvent

ROOT = Path(__file__).parents[2]


def test_every_json_option_has_a_schema():
    with_json = {name for name, c in leaves() if any(p.name == "as_json" for p in c.params)}
    assert with_json == set(schemas())
    for schema in schemas().values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_generated_documents_are_current():
    written = files()
    for name, text in written.items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text, (
            f"docs/{name} is old; run: python tools/command_reference.py"
        )
    assert {p.name for p in (ROOT / "docs/schemas").iterdir()} == {
        name.partition("/")[2] for name in written if name.startswith("schemas/")
    }


def test_memories(ondevice, checked_json, tmp_path):
    dog = ondevice("memory", "add", "My dog is called Biscuit.", "--json")
    ondevice("memory", "add", "I live in Rome.")
    dog = json.loads(dog[1])["id"]
    notes = tmp_path / "notes.md"
    notes.write_text("The blue shed key hangs behind the tank.")
    certificate = str(tmp_path / "certificate.json")
    for arguments in (
        ("import", str(notes)),
        ("memory", "list"),
        ("memory", "search", "dog"),
        ("memory", "search", "key"),
        ("memory", "show", dog),
        ("memory", "why", "--query", "dog"),
        ("memory", "propose"),
        ("memory", "edit", dog, "My dog is called Toffee."),
        ("memory", "forget", dog, "--yes", "--certificate", certificate),
        ("memory", "certificate", certificate),
        ("memory", "reindex"),
        ("memory", "form"),
        ("profile", "list"),
        ("profile", "show"),
        ("config", "show"),
    ):
        code, out, err = ondevice(*arguments, "--json")
        assert code == 0, (arguments, err)
        json.loads(out)
    assert len(checked_json) == 15


def test_json_also_where_there_is_nothing(ondevice, checked_json, tmp_path):
    ondevice("profile", "backup", str(tmp_path / "backup"))
    for arguments in (
        ("memory", "why"),
        ("memory", "forget", "--matching", "nothing", "--yes"),
        ("profile", "backups", "--drop", str(tmp_path / "backup")),
    ):
        code, out, err = ondevice(*arguments, "--json")
        assert code == 0, (arguments, err)
        json.loads(out)
    assert checked_json == {"memory why", "memory forget", "profile backups"}


def test_preview_of_an_import(ondevice, tmp_path):
    chat = tmp_path / "chat.jsonl"
    lines = [{"role": "Ben", "content": "Hi."}, {"role": "user", "content": "Hello."}]
    chat.write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, out, err = ondevice("import", "--preview", "--json", str(chat))
    assert code == 0, err
    assert json.loads(out)[0]["others"] == {"Ben": 1}


def test_adapters_and_scores(ondevice, checked_json, make_adapter, tmp_path):
    for seed in (1, 2):
        file, _ = make_adapter(seed)
        assert ondevice("adapter", "add", str(file), "--trust", "--name", f"a{seed}")[0] == 0
    text = tmp_path / "text.txt"
    text.write_text("The garden is green, and the shed is blue.")
    for arguments in (
        ("adapter", "list"),
        ("adapter", "show", "a1"),
        ("adapter", "diff", "a1", "a2"),
        ("score", "--data", str(text)),
        ("model", "check"),
    ):
        code, _, err = ondevice(*arguments, "--json")
        assert code == 0, (arguments, err)
    assert {"adapter list", "adapter show", "adapter diff", "score"} <= checked_json


def test_a_pull_from_the_command_line(ondevice, checked_json, monkeypatch, tmp_path):
    hub = hub_server.Hub(hub_server.tiny_model(tmp_path / "tiny.gguf"))
    entry = CatalogueEntry("tiny", "tiny.gguf", "llama", 1, 1, "MIT", None, "hf:owner/repo")
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    with hub_server.RunningHub(hub):
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.port}")
        code, out, err = ondevice("model", "pull", "tiny", "--json")
        assert code == 0 and json.loads(out)["promised_by"] == "server"
        assert "100 %" in err and "MIT" in err
        hub.seen.clear()
        code, out, err = ondevice("model", "pull", "tiny")
        assert code == 0 and "nothing was asked of the network" in err and hub.seen == []
        code, out, err = ondevice("model", "remove", "tiny", "--quiet")
        assert code == 2 and "--yes" in err
        assert ondevice("model", "remove", "tiny", "--yes")[0] == 0
        assert ondevice("model", "remove", "tiny", "--yes")[0] == 1
        code, out, err = ondevice("model", "pull", "tiny", "--quiet")
        assert (code, err) == (0, "") and len(out.strip()) == 64
    listed = json.loads(ondevice("model", "list", "--json")[1])
    tiny = next(model for model in listed if model["name"] == "tiny")
    assert tiny["size_known"] and tiny["path"] and tiny["fits"] is True
    assert all(m["size_known"] == bool(m["path"] or m["sha256"]) for m in listed)
    assert checked_json == {"model pull", "model list"}
    code, _, err = ondevice("model", "remove", "smollm2-135m", "--yes")
    assert code == 1 and "pip uninstall" in err


def test_training_events_fit_their_schema():
    event = TrainingEvent("step", 1, 10)
    values = {k: v for k, v in dataclasses.asdict(event).items() if v is not None}
    jsonschema.validate(values, schemas()["train"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**values, "surprise": 1}, schemas()["train"])
