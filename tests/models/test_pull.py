"""Pulling from a server that speaks the hub's protocol: good, broken, slow, and lying."""

import ast
import dataclasses
import hashlib
import json
import stat
import sys
from pathlib import Path

import hub_server
import pytest

from ondevice.errors import (
    DownloadError,
    InvalidModelError,
    ModelHashError,
    ModelNotFoundError,
    SettingsError,
)
from ondevice.ground.address import check_url
from ondevice.models import pull as pulling
from ondevice.models.base_model import list_models, resolve
from ondevice.models.catalogue import CATALOGUE, CatalogueEntry
from ondevice.models.hub import HubClient, Patience
from ondevice.models.origin import note_path, read_origin
from ondevice.models.pull import Listener, pull
from ondevice.models.removal import remove
from ondevice.models.request import parse_request
from ondevice.remedies import Remedy

PATIENCE = Patience(timeout=0.4, attempts=3, pause=0.01, advance=1 << 14, stall=0.3)
CLIENT = HubClient(PATIENCE)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    return hub_server.tiny_model(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture
def hub(content):
    hub = hub_server.Hub(content)
    with hub_server.RunningHub(hub):
        yield hub


def get(hub, home, sha256=None, **told):
    listener = Listener(**told)
    return pull(parse_request(hub.url), home, client=CLIENT, sha256=sha256, listener=listener)


def part(home):
    return home.models / ".tiny.gguf.part"


def test_pull_then_offline(hub, home, content):
    told, steps = [], []
    pulled = get(
        hub, home, remote=told.append, progress=lambda here, size: steps.append((here, size))
    )
    digest = hashlib.sha256(content).hexdigest()
    assert pulled.path.read_bytes() == content and pulled.fetched
    assert told[0].sha256 == digest and told[0].commit == hub_server.COMMIT
    assert steps[-1] == (len(content), len(content))
    origin = pulled.origin
    assert (origin.sha256, origin.promised_by, origin.licence) == (digest, "server", "apache-2.0")
    assert (origin.revision, origin.commit) == ("main", hub_server.COMMIT)
    assert "sig=" not in note_path(pulled.path).read_text()  # signatures of storage are not kept
    if sys.platform != "win32":
        assert stat.S_IMODE(pulled.path.stat().st_mode) == 0o600
    # The file is asked for by the commit that was described, not by a branch that may move.
    assert any(f"/resolve/{hub_server.COMMIT}/" in path for _, path, _ in hub.seen)

    hub.seen.clear()
    again = get(hub, home)
    assert not again.fetched and hub.seen == []
    assert resolve("tiny", home).sha256 == digest
    listed = {model.name: model for model in list_models(home)}["tiny"]
    assert (listed.licence, listed.sha256) == ("apache-2.0", digest)


def test_nothing_is_sent_about_the_person(hub, home, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    get(hub, home)
    assert len(hub.seen) >= 2
    for _, path, headers in hub.seen:
        assert set(headers) <= {"host", "user-agent", "accept-encoding", "connection", "range"}
        assert headers["user-agent"].startswith("ondevice/") and "secret" not in path


def test_a_broken_transfer_goes_on_where_it_stopped(hub, home, content):
    hub.plan = ["cut:100000", "stall:60000", "cut:30000", "good"]
    assert get(hub, home).path.read_bytes() == content
    assert hub.transfers() == [None, "bytes=100000-", "bytes=160000-", "bytes=190000-"]


def test_giving_up_keeps_what_came_and_another_pull_goes_on(hub, home, content):
    hub.plan = ["cut:100000", *["cut:10"] * 2]
    with pytest.raises(DownloadError, match="goes on from there"):
        get(hub, home)
    assert part(home).read_bytes() == content[: part(home).stat().st_size]
    had = part(home).stat().st_size
    assert had > 100_000 and not (home.models / "tiny.gguf").exists()
    hub.seen.clear()
    assert get(hub, home).path.read_bytes() == content
    assert hub.transfers() == [f"bytes={had}-"]
    assert not part(home).exists()


def test_an_interrupt_keeps_what_came(hub, home, content):
    def stop(here, size):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(hub, home, progress=stop)
    assert 0 < part(home).stat().st_size <= len(content)
    assert get(hub, home).path.read_bytes() == content


def test_a_part_of_another_file_is_not_gone_on_with(hub, home, tmp_path):
    hub.plan = ["cut:100000", "status:500", "status:500", "status:500"]
    with pytest.raises(DownloadError):
        get(hub, home)
    hub.content = hub_server.tiny_model(tmp_path / "other.gguf", seed=1)
    hub.plan = []
    hub.seen.clear()
    assert get(hub, home).path.read_bytes() == hub.content
    assert hub.transfers() == [None]


def test_a_server_that_ignores_ranges_starts_again(hub, home, content):
    hub.plan = ["cut:100000", "whole"]
    assert get(hub, home).path.read_bytes() == content


def test_a_drip_is_not_waited_for(hub, home):
    hub.plan = ["drip"] * 3
    with pytest.raises(DownloadError, match="halt"):
        get(hub, home)


@pytest.mark.parametrize(
    ("plan", "error", "words"),
    [
        (["other"], ModelHashError, "not the hash that it promised"),
        (["html"], InvalidModelError, "not a GGUF file"),
        (["gzip"], DownloadError, "compresses"),
        (["longer"], DownloadError, "two different sizes"),
        (["cut:100000", "shifted"], DownloadError, "another part"),
        (["cut:100000", "resized"], DownloadError, "two different sizes"),
        (["status:404"], DownloadError, "no such file"),
        (["status:503"] * 3, DownloadError, "HTTP 503"),
    ],
)
def test_lies_and_refusals(hub, home, plan, error, words):
    hub.plan = plan
    with pytest.raises(error, match=words):
        get(hub, home)
    assert not (home.models / "tiny.gguf").exists()
    assert get(hub, home).fetched  # and nothing stands in the way of a good server


@pytest.mark.parametrize(
    ("status", "words"), [(401, "account"), (403, "account"), (404, "no such file"), (418, "418")]
)
def test_refusals_of_the_hub(hub, home, status, words):
    hub.resolve_status = status
    with pytest.raises(DownloadError, match=words):
        get(hub, home)


def test_a_busy_hub_is_asked_again(hub, home):
    hub.busy = 1
    assert get(hub, home).fetched


@pytest.mark.parametrize(
    ("redirect", "words"),
    [
        ("ftp://localhost/x", "not encrypted"),
        ("file:///etc/passwd", "not a web address"),
        ("http://example.org/x.gguf", "not encrypted"),
        ("https://user:secret@example.org/x", "password"),
        (hub_server.PLACE, "redirects more than"),
    ],
)
def test_redirects_are_checked(hub, home, redirect, words):
    hub.redirect, hub.linked = redirect, False
    with pytest.raises(DownloadError, match=words) as caught:
        get(hub, home)
    assert "secret" not in str(caught.value)


def test_a_wrong_promise_is_noticed_before_or_after(hub, home):
    with pytest.raises(ModelHashError, match="nothing was downloaded"):
        get(hub, home, sha256="0" * 64)
    assert hub.transfers() == []
    hub.sha256 = "1" * 64
    with pytest.raises(ModelHashError, match="promised"):
        get(hub, home)
    assert not part(home).exists()


def test_a_plain_server_is_trusted_once_and_says_so(hub, home, content):
    hub.linked = False
    hub.plan = ["cut:100000"]
    request = parse_request(f"http://127.0.0.1:{hub.port}/plain/tiny.gguf")
    pulled = pull(request, home, client=CLIENT)
    assert pulled.origin.promised_by == "nobody" and pulled.origin.revision is None
    ranged = [headers for _, _, headers in hub.seen if "range" in headers]
    assert ranged[0]["if-range"].startswith('"')
    damaged = bytearray(content)
    damaged[-1] ^= 1
    pulled.path.write_bytes(damaged)
    with pytest.raises(ModelHashError, match="promised"):
        resolve("tiny", home)
    with pytest.raises(ModelHashError, match="changed since"):
        pull(request, home, client=CLIENT)
    assert remove("tiny", home) and not pulled.path.exists()
    assert pull(request, home, client=CLIENT, sha256=hashlib.sha256(content).hexdigest()).fetched


def test_catalogue_names_go_to_the_hub_and_are_checked(hub, home, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.port}")
    entry = CatalogueEntry("tiny", "tiny.gguf", "llama", 1, 1, "MIT", None, "hf:owner/repo")
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    pulled = pull(parse_request("tiny"), home, client=CLIENT)
    assert pulled.origin.licence == "MIT" and resolve("tiny", home).name == "tiny"
    remove("tiny", home)
    monkeypatch.setitem(CATALOGUE, "tiny", dataclasses.replace(entry, architecture="qwen2"))
    with pytest.raises(InvalidModelError, match="family llama"):
        pull(parse_request("tiny"), home, client=CLIENT)
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example.org")
    with pytest.raises(SettingsError, match="HF_ENDPOINT"):
        parse_request("tiny")


def test_a_full_disk_is_noticed_before(hub, home, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(pulling.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DownloadError, match="free some space"):
        get(hub, home)
    assert hub.transfers() == []


def test_two_pulls_do_not_mix(hub, home):
    from filelock import FileLock

    home.models.mkdir(parents=True)
    with FileLock(home.models / ".tiny.gguf.lock"), pytest.raises(DownloadError, match="just now"):
        get(hub, home)


def test_another_file_of_that_name_is_never_replaced(hub, home, content):
    home.models.mkdir(parents=True)
    (home.models / "tiny.gguf").write_bytes(b"mine")
    with pytest.raises(DownloadError, match="put there by somebody") as caught:
        get(hub, home)
    assert caught.value.notice.steps == (Remedy.REMOVE_MODEL(name="tiny"),)
    assert (home.models / "tiny.gguf").read_bytes() == b"mine"


def test_a_damaged_note_is_not_overlooked(hub, home):
    pulled = get(hub, home)
    note = note_path(pulled.path)
    note.write_text(json.dumps({**json.loads(note.read_text()), "sha256": "short"}))
    with pytest.raises(ModelHashError, match="damaged"):
        read_origin(pulled.path)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("no-such-model", ModelNotFoundError),
        ("smollm2-135m", ModelNotFoundError),
        ("hf:owner/repo", DownloadError),
        ("hf:owner/repo/model.bin", DownloadError),
        ("https://example.org/model.safetensors", DownloadError),
        ("https://example.org/o/r/resolve/main/big-00001-of-00003.gguf", DownloadError),
        ("http://example.org/model.gguf", DownloadError),
        ("ftp://example.org/model.gguf", DownloadError),
        ("https://me:word@example.org/model.gguf", DownloadError),
        ("https://example.org/..%2F..%2Fevil.gguf", DownloadError),
        ("https:///model.gguf", DownloadError),
    ],
)
def test_requests_that_make_no_sense(text, error):
    with pytest.raises(error) as caught:
        parse_request(text)
    assert "me:word" not in str(caught.value) and ";" in str(caught.value)


def test_addresses_of_the_hub_are_understood():
    page = parse_request("https://huggingface.co/o/r/blob/main/sub/m.gguf?download=true")
    assert page.url == "https://huggingface.co/o/r/resolve/main/sub/m.gguf"
    pinned = parse_request("hf:o/r/m.gguf", "refs/pr/1")
    assert pinned.url == "https://huggingface.co/o/r/resolve/refs%2Fpr%2F1/m.gguf"
    assert parse_request("qwen3-0.6b").url.startswith("https://huggingface.co/Qwen/")
    check_url("http://127.0.0.1:1/x")
    check_url("http://[::1]:1/x")


def test_only_one_module_speaks_to_the_network():
    clients = {"urllib.request", "http.client", "requests", "httpx", "huggingface_hub", "aiohttp"}
    root = Path(pulling.__file__).parents[1]
    found = set()
    for file in root.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            if any(name == c or name.startswith(c + ".") for name in names for c in clients):
                found.add(file.relative_to(root).as_posix())
    assert found == {"models/hub.py"}
