"""Adapters of a profile: encrypted at rest, checked when read, never used when stale."""

from __future__ import annotations

import dataclasses
import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ondevice.adapters.gguf_lora import LoraAdapter, LoraPair, content_sha256, write_adapter
from ondevice.adapters.registry import AdapterRegistry
from ondevice.errors import (
    AdapterBaseMismatchError,
    AdapterError,
    AdapterNotFoundError,
    AdapterStaleError,
    InvalidAdapterError,
)
from ondevice.ground.files import write_atomic
from ondevice.home import Home
from ondevice.models.base_model import BaseModel
from ondevice.store.profile import Profile
from ondevice.store.sealing import shred

Q = "blk.0.attn_q.weight"
PASSPHRASE = "a long enough passphrase"


def content_for(base: BaseModel, seed: int = 0, sha256: str | None = None) -> bytes:
    random = np.random.default_rng(seed)
    a = random.standard_normal((4, 576), dtype=np.float32)
    b = random.standard_normal((576, 4), dtype=np.float32)
    digests = {"base_sha256": sha256 or base.sha256}
    return write_adapter(LoraAdapter("llama", 8.0, {Q: LoraPair(a, b)}, digests))


@pytest.fixture
def own_home(tmp_path: Path) -> Home:
    return Home.below(tmp_path)


@pytest.fixture
def profile(own_home: Home) -> Iterator[Profile]:
    with Profile.create(own_home, "one", passphrase=PASSPHRASE) as made:
        yield made


@pytest.fixture
def registry(profile: Profile) -> AdapterRegistry:
    return AdapterRegistry(profile)


def the_file(profile: Profile) -> Path:
    (path,) = (profile.folder / "adapters").iterdir()
    return path


def test_add_read_use_off_remove(
    registry: AdapterRegistry, profile: Profile, default_model: BaseModel, tmp_path: Path
) -> None:
    content = content_for(default_model)
    source = tmp_path / "style.gguf"
    source.write_bytes(content)
    row = registry.add(source, default_model, name="style", scope="work")
    assert (row.state, row.rank, row.alpha, row.scope) == ("off", 4, 8.0, "work")
    assert row.file_sha256 == content_sha256(content)
    assert row.provenance == {"base_sha256": default_model.sha256}
    assert registry.read("style") == content
    registry.verify("style", default_model)

    registry.use("style", 0.5)
    assert (registry.get("style").state, registry.get("style").scale) == ("active", 0.5)
    registry.off()
    assert registry.get("style").state == "off"

    registry.remove("style")
    assert registry.list() == [] and not any((profile.folder / "adapters").iterdir())
    with pytest.raises(AdapterNotFoundError):
        registry.read("style")


def test_nothing_readable_on_disk(
    registry: AdapterRegistry, profile: Profile, default_model: BaseModel
) -> None:
    content = content_for(default_model)
    registry.add(content, default_model, name="first")
    stored = the_file(profile).read_bytes()
    for plain in (b"GGUF", b"lora", b"attn_q", b"blk.", default_model.sha256.encode()):
        assert plain in content and plain not in stored
    if os.name == "posix":
        assert stat.S_IMODE(the_file(profile).stat().st_mode) == 0o600
        assert stat.S_IMODE((profile.folder / "adapters").stat().st_mode) == 0o700
    registry.remove("first")
    registry.add(content, default_model, name="second")
    assert the_file(profile).read_bytes()[8:64] != stored[8:64]  # a new nonce each time


def test_a_changed_byte_anywhere_is_found(
    registry: AdapterRegistry, profile: Profile, default_model: BaseModel
) -> None:
    registry.add(content_for(default_model), default_model, name="style")
    path = the_file(profile)
    good = path.read_bytes()
    for position in (0, 9, 25, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        with pytest.raises(InvalidAdapterError, match="damaged"):
            registry.read("style")
    for length in (0, 7, 19, 30, len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.raises(InvalidAdapterError, match="damaged"):
            registry.read("style")
    path.unlink()
    with pytest.raises(InvalidAdapterError, match="missing"):
        registry.read("style")


def test_files_cannot_be_exchanged(
    registry: AdapterRegistry, profile: Profile, default_model: BaseModel
) -> None:
    for seed, name in enumerate(("one", "two")):
        registry.add(content_for(default_model, seed), default_model, name=name)
    first, second = (
        profile.folder / "adapters" / f"{registry.get(name).id}.gguf.enc" for name in ("one", "two")
    )
    first.write_bytes(second.read_bytes())
    with pytest.raises(InvalidAdapterError):
        registry.read("one")
    assert registry.read("two") == content_for(default_model, 1)


def test_another_profile_cannot_read_it(
    registry: AdapterRegistry, profile: Profile, own_home: Home, default_model: BaseModel
) -> None:
    content = content_for(default_model)
    row = registry.add(content, default_model, name="style")
    stored = the_file(profile).read_bytes()
    with Profile.create(own_home, "two", passphrase=PASSPHRASE) as other:
        theirs = AdapterRegistry(other)
        other.adapters.add(
            "style",
            file_sha256=row.file_sha256,
            base_sha256=row.base_sha256,
            rank=4,
            alpha=8.0,
            adapter_id=row.id,
        )
        (other.folder / "adapters").mkdir(exist_ok=True)
        (other.folder / "adapters" / f"{row.id}.gguf.enc").write_bytes(stored)
        with pytest.raises(InvalidAdapterError):
            theirs.read("style")
    assert registry.read("style") == content


def test_who_tidies_up_meanwhile_leaves_a_new_adapter_alone(
    registry: AdapterRegistry,
    profile: Profile,
    own_home: Home,
    default_model: BaseModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tidying = []

    def written(path: Path, content: bytes) -> None:
        write_atomic(path, content)

        def tidy_up() -> None:  # in another process, when the file is there and its row is not
            with Profile.open(own_home, "one", ask_passphrase=lambda: PASSPHRASE) as other:
                other.adapters.shred_stale()

        tidying.append(threading.Thread(target=tidy_up))
        tidying[0].start()
        tidying[0].join(timeout=3.0)

    monkeypatch.setattr("ondevice.store.adapter_files.write_atomic", written)
    content = content_for(default_model)
    registry.add(content, default_model, name="new")
    tidying[0].join()
    assert registry.read("new") == content


def test_what_a_process_that_died_left_half_written_goes(
    registry: AdapterRegistry, profile: Profile, default_model: BaseModel
) -> None:
    registry.add(content_for(default_model), default_model, name="kept")
    folder = profile.folder / "adapters"
    (kept,) = folder.iterdir()
    for name in (f".{kept.name}.abcd.part", ".sft.checkpoint.enc.1234.part", "lost.gguf.enc"):
        (folder / name).write_bytes(b"x" * 100)
    with registry.files.training_lock():  # somebody is training, and may be writing a checkpoint
        profile.adapters.shred_stale()
    assert {path.name for path in folder.iterdir()} == {
        kept.name, ".sft.checkpoint.enc.1234.part"
    }  # fmt: skip
    profile.adapters.shred_stale()
    assert [path.name for path in folder.iterdir()] == [kept.name]


def test_a_file_that_cannot_be_overwritten_is_deleted_all_the_same(
    registry: AdapterRegistry,
    profile: Profile,
    default_model: BaseModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry.add(content_for(default_model), default_model, name="old")
    real, full = os.fsync, [OSError(errno.ENOSPC, "No space left on device")]

    def fsync(descriptor: int) -> None:
        if full:
            raise full.pop()
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    path = the_file(profile)
    shred(path)
    assert full == []
    assert not path.exists()


def test_forgetting_a_record_makes_it_stale(
    registry: AdapterRegistry, profile: Profile, default_model: BaseModel
) -> None:
    kept, forgotten = profile.facts.add("Tea, not coffee."), profile.facts.add("Lives in Graz.")
    registry.add(
        content_for(default_model),
        default_model,
        name="style",
        records=[kept.id, forgotten.id],
        state="active",
    )
    assert registry.read("style")
    assert profile.forget([forgotten.id]).adapters_stale == ("style",)
    assert registry.get("style").state == "stale"
    for refused in (
        lambda: registry.read("style"),
        lambda: registry.use("style", 1.0),
        lambda: registry.verify("style", default_model),
    ):
        with pytest.raises(AdapterStaleError):
            refused()
    registry.off()
    assert registry.get("style").state == "stale"
    registry.remove("style")
    assert registry.list() == []


def test_refusals_leave_nothing_behind(
    registry: AdapterRegistry, profile: Profile, default_model: BaseModel, tmp_path: Path
) -> None:
    good = content_for(default_model)
    registry.add(good, default_model, name="style")
    before = sorted((profile.folder / "adapters").iterdir())
    cases: list[tuple[bytes | Path, str, type[AdapterError]]] = [
        (good, "style", AdapterError),
        (good, "a:b", AdapterError),
        (good, "", AdapterError),
        (good, "../escape", AdapterError),
        (good, "tab\t", AdapterError),
        (b"GGUF" + bytes(40), "broken", InvalidAdapterError),
        (tmp_path / "none.gguf", "missing", AdapterNotFoundError),
        (default_model.path, "a model", InvalidAdapterError),
        (content_for(default_model, sha256="0" * 64), "other", AdapterBaseMismatchError),
    ]
    for source, name, error in cases:
        with pytest.raises(error):
            registry.add(source, default_model, name=name)
    with pytest.raises(AdapterError):
        registry.add(good, default_model, name="odd", state="sleeping")
    assert sorted((profile.folder / "adapters").iterdir()) == before
    assert [row.name for row in registry.list()] == ["style"]
    for scale in (float("nan"), float("inf")):
        with pytest.raises(AdapterError):
            registry.use("style", scale)


def test_another_base_is_named_before_another_reader(
    registry: AdapterRegistry, default_model: BaseModel
) -> None:
    registry.add(content_for(default_model), default_model, name="mine")
    registry.check_fit("mine", default_model, None)
    other = dataclasses.replace(default_model, name="other", sha256="f" * 64)
    with pytest.raises(AdapterBaseMismatchError, match="another base model than 'other'"):
        registry.check_fit("mine", other, None)
