"""The management API behind the page: chats, imports, evaluations, settings, protection."""

import asyncio
import errno
import io
import json
import time
import zipfile

import pytest
from fake_engine import FakeEngine
from starlette.testclient import TestClient

from ondevice.chat import Assistant
from ondevice.memory.embedding import embedded
from ondevice.memory.service import Memory
from ondevice.server.app import create_app
from ondevice.server.manage.privacy import backup
from ondevice.settings import Settings
from ondevice.store.profile import Profile
from ondevice.store.records import NewPassage

TOKEN, PORT = "a-token-of-the-tests-0123456789", 8080
WHATSAPP = "".join(
    f"{1 + n:02d}.03.24, 10:{n:02d} - {['Anna', 'Ben', 'Carla'][n % 3]}: note {n} on the boat\n"
    for n in range(28)
)


def told(response):
    """Return the events of a stream."""
    assert response.status_code == 200, response.text
    lines = response.text.split("\n\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


def send(client, name, content):
    content = content.encode() if isinstance(content, str) else content
    response = client.post(
        "/api/imports/file",
        params={"name": name},
        content=content,
        headers={"content-type": "application/octet-stream"},
    )
    assert response.status_code == 200, response.text
    return response.json()


def say(client, text="", **fields):
    (*pieces, done) = told(client.post("/api/chat", json={"text": text, **fields}))
    assert done.get("stage") == "done", done
    return "".join(one["piece"] for one in pieces), done


# --- corrections ---------------------------------------------------------------------


def test_a_text_is_corrected_and_the_correction_taken_back(client, me):
    source = me.profile.sources.add("import", "diary")
    text = "I sleep badly when I drink coffee."
    (old,) = me.profile.passages.add(
        source.id, [NewPassage(text)], embedded(me.memory.embedder, [text])
    )
    typed = "I sleep badly when I look at screens"
    new = client.patch(f"/api/memories/{old.id}", json={"text": typed}).json()
    assert (new["kind"], new["text"], new["corrects"]) == ("passage", typed, old.id)
    rows = client.get("/api/memories", params={"state": "active"}).json()["memories"]
    assert [row["text"] for row in rows] == [typed]
    shown = client.post("/api/memories/forget/preview", json={"ids": [new["id"]]}).json()
    assert {one["id"] for one in shown["records"]} == {old.id, new["id"]}
    back = client.post("/api/memories/restore", json={"id": old.id}).json()
    assert (back["id"], back["state"]) == (old.id, "active")
    assert client.patch(f"/api/memories/{old.id}", json={"learn": False}).status_code == 400


# --- conversations -----------------------------------------------------------------------


def test_a_conversation_comes_back_with_what_each_answer_was_given(client, me):
    _, first = say(client, "My dog is called Biscuit.", conversation=None)
    say(client, "What is my dog called?", conversation=first["conversation"])
    client.post("/api/feedback", json={"verdict": "accept", "turn_id": first["turn_id"]})
    me.new_conversation()  # as after another start
    shown = client.get("/api/chat", params={"conversation": first["conversation"]}).json()
    assert [one["text"] for one in shown["exchanges"]] == [
        "My dog is called Biscuit.",
        "What is my dog called?",
    ]
    before, after = (one["answer"] for one in shown["exchanges"])
    assert [fact["text"] for fact in before["saved"]] == ["The user's dog is called Biscuit."]
    assert before["verdict"] == "accept" and after["verdict"] is None and not after["saved"]
    assert "The user's dog is called Biscuit." in [one["text"] for one in after["used"]]
    assert client.get("/api/chat").json()["exchanges"] == []


def test_what_a_message_replaces_is_told_and_comes_back(client, me):
    say(client, "I live in Rome.", conversation=None)
    _, done = say(client, "I'm no longer living in Rome. I'm not tired anymore.")
    (old,) = done["replaced"]
    assert old["text"] == "The user lives in Rome."
    assert "no longer" in done["saved"][0]["text"]
    back = client.post("/api/memories/restore", json={"id": old["id"]}).json()
    assert back["state"] == "active"
    again = client.post("/api/memories/restore", json={"id": old["id"]})
    assert again.status_code in (400, 409) and "replaced" in again.json()["error"]["message"]


def test_each_message_goes_to_the_conversation_that_it_names(client, me):
    _, one = say(client, "One.", conversation=None)
    _, two = say(client, "Two.", conversation=None)
    assert one["conversation"] != two["conversation"]
    say(client, "One more.", conversation=one["conversation"])
    assert [
        turn.text for turn in me.profile.turns.all(one["conversation"]) if turn.role == "user"
    ] == [
        "One.",
        "One more.",
    ]
    listed = client.get("/api/conversations").json()["conversations"]
    assert [(c["begins"], c["turns"]) for c in listed] == [("One.", 4), ("Two.", 2)]
    listed = client.get("/api/conversations", params={"query": "tw"}).json()["conversations"]
    assert [c["id"] for c in listed] == [two["conversation"]]
    response = client.post("/api/chat", json={"text": "Hi.", "conversation": "000000000000"})
    assert "no conversation" in told(response)[-1]["message"]


def test_a_temporary_chat_ends_when_another_takes_its_place(client, me):
    started = client.post("/api/chat/new", json={"temporary": True}).json()["conversation"]
    say(client, "A secret.", conversation=started)
    shown = client.get("/api/chat", params={"conversation": started}).json()
    assert shown["temporary"] and shown["exchanges"][0]["text"] == "A secret."
    say(client, "Not a secret.", conversation=None)
    assert me.profile.turns.all()[0].text == "Not a secret."
    response = client.post("/api/chat", json={"text": "More.", "conversation": started})
    assert told(response)[-1]["message"] == "This temporary chat is over; start a new one."
    assert client.get("/api/chat", params={"conversation": started}).json()["exchanges"] == []


def test_clients_are_remembered_while_the_page_has_a_temporary_chat(client, me):
    started = client.post("/api/chat/new", json={"temporary": True}).json()["conversation"]
    say(client, "A secret.", conversation=started)
    body = {"messages": [{"role": "user", "content": "I live in Ulm."}]}
    answer = client.post("/v1/chat/completions", json=body).json()
    assert [fact["text"] for fact in answer["ondevice"]["saved"]] == ["The user lives in Ulm."]
    assert [turn.text for turn in me.profile.turns.all() if turn.role == "user"] == [
        "I live in Ulm."
    ]
    _, more = say(client, "Another secret.", conversation=started)
    assert more["temporary"]
    assert [exchange.user for exchange in me.conversation.exchanges] == [
        "A secret.",
        "Another secret.",
    ]


def test_a_server_that_reads_and_writes_no_memory_does_so_on_the_page_too(home, embedder, engine):
    profile = Profile.open(home, None, create=True, warn=lambda _: None)
    with Assistant(engine, Memory(profile, embedder, Settings()), Settings(), temporary=True) as me:
        app = create_app(me, token=TOKEN, port=PORT)
        headers = {"authorization": f"Bearer {TOKEN}"}
        with TestClient(app, base_url=f"http://127.0.0.1:{PORT}", headers=headers) as client:
            assert client.get("/api/chat").json()["temporary"]
            _, done = say(client, "I live in Ulm.", conversation=None)
            client.post("/api/chat/new", json={"temporary": False})
            say(client, "I live in Bonn.", conversation=None)
        assert done["temporary"]
        assert me.profile.sources.count_records() == 0


def test_a_retry_replaces_and_an_edit_does_too(client, me):
    _, one = say(client, "I live in Ulm.", conversation=None)
    _, again = say(client, retry=True, conversation=one["conversation"])
    assert again["turn_id"] != one["turn_id"]
    assert [fact["text"] for fact in again["saved"]] == ["The user lives in Ulm."]
    assert len(me.profile.turns.all()) == 2 and len(me.profile.facts.all()) == 1
    say(client, "I live in Bonn.", edit=True, conversation=one["conversation"])
    assert me.profile.turns.all()[0].text == "I live in Bonn."
    assert [fact.text for fact in me.profile.facts.all()] == ["The user lives in Bonn."]


# --- imports -----------------------------------------------------------------------------


def test_a_preview_tells_what_from_whom_and_what_is_left_out(client, me):
    send(client, "WhatsApp Chat.txt", WHATSAPP)
    send(client, "vault/garden.md", "# Garden\n\nThe quinces are ripe.\n")
    send(client, "broken.jsonl", "{not json\n")
    *files, done = told(client.post("/api/imports/preview", json={}))
    chat, note, broken = files
    assert chat["parts"][0]["own"] == 0
    assert {who["name"] for who in chat["parts"][0]["others"]} == {"Anna", "Ben", "Carla"}
    assert note["file"] == "vault/garden.md" and note["parts"][0]["own"] == 1
    assert "not JSON" in broken["problem"]
    assert {who["name"] for who in done["people"]} == {"Anna", "Ben", "Carla"}
    assert not list(me.profile.passages.all())
    chat, *_ = told(client.post("/api/imports/preview", json={"me": ["Ben"]}))
    assert chat["parts"][0]["own"] == 9
    client.post("/api/imports", json={"me": ["Ben"]})
    done = told(client.get("/api/imports/events"))[-1]
    assert done["stage"] == "done" and done["documents"] == 2
    assert [one["file"] for one in done["failed"]] == ["broken.jsonl"]
    own = [p for p in me.profile.passages.all() if p.learn]
    assert len(own) == 10


def test_only_names_that_occur_in_a_file_say_who_the_person_is_there(client, me):
    send(client, "WhatsApp Chat.txt", WHATSAPP)
    mail = "From a@b.c Thu Jan  1 00:00:00 2026\nFrom: a@b.c\nSubject: Boat\n\nThe paint is dry.\n"
    send(client, "Sent.mbox", mail)
    told(client.post("/api/imports/preview", json={}))
    client.post("/api/imports", json={"me": ["Anna"]})
    done = told(client.get("/api/imports/events"))[-1]
    assert done["documents"] == 2, "the folder of sent mails is the person's all the same"
    assert "The paint is dry." in [p.text for p in me.profile.passages.all()]


def test_a_file_of_the_same_name_replaces_or_stands_beside(client, me):
    for text, replace in (("One.", True), ("Two.", True), ("Three.", False)):
        send(client, "note.md", text)
        (file, _) = told(client.post("/api/imports/preview", json={"replace": replace}))
        assert (file["replaces"] is not None) == (text == "Two.")
        client.post("/api/imports", json={"replace": replace})
        assert told(client.get("/api/imports/events"))[-1]["stage"] == "done"
    assert sorted(p.text for p in me.profile.passages.all()) == ["Three.", "Two."]


def test_an_import_is_stopped_and_keeps_what_it_has(client, me, monkeypatch):
    whole = Memory.import_paths

    def slow(self, paths, progress=None, options=None):
        client.post("/api/imports/stop", json={})
        return whole(self, paths, progress, options)

    send(client, "a.md", "First.")
    send(client, "b.md", "Second.")
    monkeypatch.setattr(Memory, "import_paths", slow)
    client.post("/api/imports", json={})
    done = told(client.get("/api/imports/events"))[-1]
    assert done["stage"] == "stopped"
    assert len(list(me.profile.passages.all())) <= 1
    refused = client.post("/api/imports", json={})
    assert refused.json()["error"]["message"] == "Drop some files first."


def test_what_cannot_be_read_in_an_archive_is_named_and_the_rest_imported(client, me):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.md", "The first note.")
        archive.writestr("m.md", b"bin\0ary")
        archive.writestr("z.md", "Ein Café".encode("cp1252"))
    send(client, "notes.zip", packed.getvalue())
    (file, _) = told(client.post("/api/imports/preview", json={}))
    remarks = [one for part in file["parts"] for one in part["skipped"]]
    assert [(one["file"], one["asks"]) for one in remarks] == [("m.md", False)]
    assert [one["file"] for part in file["parts"] for one in part["guessed"]] == ["z.md"]
    client.post("/api/imports", json={})
    done = told(client.get("/api/imports/events"))[-1]
    assert done["stage"] == "done" and done["documents"] == 2
    assert [one["file"] for one in done["failed"]] == ["m.md"] and "binary" in done["failed"][0][
        "why"
    ]
    assert [one["file"] for one in done["guessed"]] == ["z.md"]


@pytest.mark.parametrize("name", ["", "..", "a/.env", "x\x00y", "é" * 600])
def test_names_that_are_none_are_refused(client, name):
    headers = {"content-type": "application/octet-stream"}
    response = client.post(
        "/api/imports/file", params={"name": name}, content=b"x", headers=headers
    )
    assert response.status_code == 400


def test_folders_in_a_name_lead_nowhere(client):
    assert send(client, "../../etc/passwd.md", "x")["name"] == "etc/passwd.md"


# --- evaluation --------------------------------------------------------------------------


@pytest.fixture
def engine():
    return FakeEngine(["All right, I see."])


def test_memory_is_judged_without_learning_and_nothing_changes(client, me):
    for number in range(12):
        source = me.profile.sources.add("import", "note", time=86_400.0 * number)
        text = f"The {number}th lamp in the shed gave up on a Sunday, as it would."
        me.profile.passages.add(source.id, [NewPassage(text, time=86_400.0 * number)])
    before = me.profile.generation()
    assert client.post("/api/evaluate", json={"fast": True}).json() == {"started": True}
    *steps, done = told(client.get("/api/evaluate/events"))
    assert {step["stage"] for step in steps} == {"evaluation"}
    figures = done["evaluation"]["figures"]
    assert {figure["arm"] for figure in figures} == {"base", "prompt"}
    assert done["evaluation"]["audits"] is None and done["evaluation"]["adapter"] is None
    assert me.profile.generation() == before
    unknown = client.post("/api/evaluate", json={"adapter": "nobody"})
    assert unknown.status_code == 200
    assert "nobody" in told(client.get("/api/evaluate/events"))[-1]["message"]


# --- settings ----------------------------------------------------------------------------


def test_settings_are_changed_at_once_and_in_the_file(client, me, home):
    shown = {one["name"]: one for one in client.get("/api/settings").json()["settings"]}
    assert shown["generation.temperature"]["value"] == 0.3
    assert shown["model.n_ctx"]["at_start"] and "retention.turn_days" not in shown
    changed = client.post("/api/settings", json={"name": "generation.temperature", "value": "0.7"})
    assert changed.json()["value"] == 0.7
    assert me.settings.generation.temperature == 0.7
    assert Settings.load(home.config / "config.toml").generation.temperature == 0.7
    for name, value in (("generation.temperature", "hot"), ("no.such", "1"), ("retention.x", "1")):
        response = client.post("/api/settings", json={"name": name, "value": value})
        assert response.status_code == 400 and response.json()["error"]["message"].endswith(".")
    assert me.settings.generation.temperature == 0.7


def test_what_could_not_be_used_is_not_saved(client, home):
    for name, value in (("model.name", "nobody"), ("model.n_threads", "100000")):
        response = client.post("/api/settings", json={"name": name, "value": value})
        assert response.status_code == 400 and name in response.json()["error"]["message"]
    assert not (home.config / "config.toml").exists()


def test_a_wrong_settings_file_is_said_and_mended_by_the_page(client, home):
    home.config.mkdir(exist_ok=True)
    (home.config / "config.toml").write_text("[generation]\ntop_k = 7\ntop_p = 'x'\n")
    shown = client.get("/api/settings").json()
    assert "line 3" in shown["problem"]
    assert {one["name"]: one["value"] for one in shown["settings"]}["generation.top_k"] == 7
    assert "line 3" in client.get("/api/state").json()["notices"][0]
    client.post("/api/settings", json={"name": "generation.top_p", "value": "0.9"})
    assert client.get("/api/settings").json()["problem"] is None
    assert client.get("/api/state").json()["notices"] == []


def test_a_temporary_chat_stores_nothing_unless_that_is_said(client, me):
    pending = me.profile.facts.add("The user plays chess.", state="pending")
    known = me.profile.facts.add("The user likes tea.")
    client.post("/api/chat/new", json={"temporary": True})
    for method, path, body in (
        ("POST", "/api/memories", {"text": "I own a canoe."}),
        ("PATCH", f"/api/memories/{known.id}", {"text": "I like coffee."}),
        ("POST", "/api/memories/approve", {"ids": [pending.id]}),
    ):
        before = me.profile.facts.all(), me.profile.journal.events()
        response = client.request(method, path, json=body)
        assert response.status_code == 409
        assert response.json()["error"]["code"] == "temporary_chat"
        assert (me.profile.facts.all(), me.profile.journal.events()) == before
        assert client.request(method, path, json={**body, "keep": True}).status_code == 200
        assert me.profile.facts.all() != before[0]


def test_a_server_without_memory_stores_nothing_at_all(home, embedder, engine):
    profile = Profile.open(home, None, create=True, warn=lambda _: None)
    with Assistant(engine, Memory(profile, embedder, Settings()), Settings(), temporary=True) as me:
        app = create_app(me, token=TOKEN, port=PORT)
        headers = {"authorization": f"Bearer {TOKEN}"}
        with TestClient(app, base_url=f"http://127.0.0.1:{PORT}", headers=headers) as client:
            for path, body in (
                ("/api/memories", {"text": "I own a canoe.", "keep": True}),
                ("/api/learn", {"quick": True}),
            ):
                response = client.post(path, json=body)
                assert response.json()["error"]["code"] == "no_memory"
        assert me.profile.sources.count_records() == 0


# --- protection --------------------------------------------------------------------------


def test_what_is_older_goes_only_after_it_was_confirmed(client, me):
    me.profile.facts.add("The user owns a canoe.")
    me.profile.retention.clock = lambda: time.time() + 40 * 86_400
    asked = client.post("/api/privacy/retention", json={"fact_days": 30}).json()
    assert asked["due"] == 1 and asked["retention"]["fact_days"] == 0
    assert me.profile.facts.all()
    done = client.post("/api/privacy/retention", json={"fact_days": 30, "confirm": True}).json()
    assert done["forgotten"] == 1 and done["retention"]["fact_days"] == 30
    assert not me.profile.facts.all()
    response = client.post("/api/privacy/retention", json={"turn_days": -1})
    assert response.status_code == 400
    kinds = [one["kind"] for one in client.get("/api/privacy/log").json()["events"]]
    assert kinds[:2] == ["expired", "retention"]


def test_passphrase_and_recovery_code_are_set_and_open_the_profile(client, me, home):
    assert client.get("/api/privacy/keys").json()["keys"] == ["file"]
    assert client.post("/api/privacy/passphrase", json={"passphrase": ""}).status_code == 403
    ways = client.post("/api/privacy/passphrase", json={"passphrase": "only for tests"}).json()
    assert ways["keys"] == ["passphrase"]
    made = client.post("/api/privacy/recovery", json={}).json()
    assert set(made["keys"]) == {"passphrase", "recovery"}
    name = me.profile.name
    for secret in ("only for tests", made["code"]):
        with Profile.open(home, name, ask_passphrase=lambda secret=secret: secret) as opened:
            assert opened.name == name
    left = client.post("/api/privacy/recovery/remove", json={}).json()
    assert left["keys"] == ["passphrase"]
    assert client.post("/api/privacy/passphrase/remove", json={}).json()["keys"] == ["file"]


def test_downloaded_copies_are_listed_by_their_names(client, me):
    assert client.post("/api/privacy/backup", json={}).status_code == 200
    (copy,) = client.get("/api/privacy").json()["copies"]
    assert copy["path"].endswith("downloaded by the browser") and "/" not in copy["path"]
    fact = me.profile.facts.add("The user owns a canoe.")
    shown = client.post("/api/memories/forget/preview", json={"ids": [fact.id]}).json()
    assert shown["copies"] == [], "it was not there yet when the copy was made"
    client.post("/api/privacy/backup", json={})
    shown = client.post("/api/memories/forget/preview", json={"ids": [fact.id]}).json()
    assert [one["kind"] for one in shown["copies"]] == ["backup"]


def test_a_download_leaves_nothing_when_the_browser_breaks_off(client, me, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert client.post("/api/privacy/backup", json={}).content.startswith(b"ODPROFL1")
    assert list(tmp_path.glob("ondevice-*")) == []
    made = backup(client.app.state.page)

    async def gone(_):
        raise OSError("nobody is there")

    async def request():
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "POST", "headers": []}
    assert len(list(tmp_path.glob("ondevice-*"))) == 1
    with pytest.raises(OSError):
        asyncio.run(made(scope, request, gone))
    assert list(tmp_path.glob("ondevice-*")) == []


def test_what_the_disk_refuses_is_said(client, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ondevice.server.manage.privacy.tempfile.mkdtemp", full)
    refused = client.post("/api/privacy/backup", json={})
    assert refused.status_code == 500
    assert "the disk is full" in refused.json()["error"]["message"]
    monkeypatch.setattr(Memory, "import_paths", full)
    send(client, "a.md", "First.")
    client.post("/api/imports", json={})
    done = told(client.get("/api/imports/events"))[-1]
    assert done["stage"] == "failed" and "the disk is full" in done["message"]
