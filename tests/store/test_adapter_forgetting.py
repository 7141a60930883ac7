"""Forgetting: preview, shredding, certificates that tell nothing, and what they prove."""

from __future__ import annotations

import json

import numpy as np
import pytest
from stamped import stamped

from ondevice.adapters.comparison import compare
from ondevice.adapters.concatenation import concatenate
from ondevice.adapters.gguf_lora import LoraAdapter, LoraPair, write_adapter
from ondevice.adapters.registry import AdapterRegistry
from ondevice.cli.memory.preview import preview_lines
from ondevice.errors import ProfileError
from ondevice.home import Home
from ondevice.store import certificate
from ondevice.store.profile import Profile
from ondevice.store.records import NewPassage

DAY = 86_400.0


def lora(seed, rank=2, alpha=4.0, names=("blk.0.attn_q.weight",)):
    rng = np.random.default_rng(seed)
    tensors = {
        name: LoraPair(
            rng.standard_normal((rank, 6), np.float32), rng.standard_normal((8, rank), np.float32)
        )
        for name in names
    }
    return LoraAdapter("llama", alpha, tensors, {})


def product(adapter, name="blk.0.attn_q.weight"):
    pair = adapter.tensors[name]
    return adapter.alpha / pair.rank * pair.b @ pair.a


def store(profile, name, records, adapter=None, state="active"):
    """Put an adapter's row and encrypted file there without a base model to check against."""
    content = write_adapter(adapter or lora(1))
    from ondevice.adapters.gguf_lora import content_sha256
    from ondevice.store.ids import new_id

    row_id = new_id()
    profile.adapters.files.write(row_id, content_sha256(content), content)
    return profile.adapters.add(
        name, file_sha256=content_sha256(content), base_sha256="0" * 64, rank=2, alpha=4.0,
        records=records, state=state, adapter_id=row_id,
    )  # fmt: skip


def test_preview_counts_and_shreds(profile):
    fact = profile.facts.add("The user's dog is called Biscuit.", vector=stamped(np.ones(384)))
    kept = profile.facts.add("The user lives in Ulm.")
    store(profile, "knows", [fact.id])
    store(profile, "other", [kept.id])
    registry = AdapterRegistry(profile)
    registry.files.checkpoint("sft").write_bytes(b"x" * 100)
    shown = profile.preview_forget([fact.id])
    assert (shown.vectors, shown.adapters_stale) == (1, ("knows",))
    assert any(
        "1 entry of the full-text index and 1 vector." in line for line in preview_lines(shown)
    )
    done = profile.forget_shown(shown)
    assert done.shredded == ("knows",)
    assert [p.name for p in (profile.folder / "adapters").iterdir()] == [
        f"{registry.get('other').id}.gguf.enc"
    ]
    assert registry.read("other")


def test_verdicts_that_go_are_named(profile):
    talk = profile.turns.new_conversation()
    answer = profile.turns.add(talk, "assistant", "It rains.")
    profile.feedback.add(answer.id, "reject")
    profile.feedback.add(answer.id, "edit", "It pours. Noted.")
    lines = preview_lines(profile.preview_forget([answer.id]))
    assert [line.split("  ")[-1] for line in lines if line.startswith("feedback")] == [
        "reject",
        "edit: It pours. Noted.",
    ]


def test_keep_stale_keeps_the_file_until_the_next_time(profile):
    fact, more = profile.facts.add("The user lives in Ulm."), profile.facts.add("The user is tall.")
    row = store(profile, "knows", [fact.id, more.id])
    registry = AdapterRegistry(profile)
    done = profile.forget_shown(profile.preview_forget([fact.id]), keep_stale=True)
    assert done.shredded == ()
    assert registry.has_file(registry.get(row.name))
    assert done.certificate.content["adapters"][0]["file"] == "kept, encrypted"
    shown = profile.preview_forget([more.id])
    assert shown.adapters_stale == ()  # it is already
    done = profile.forget_shown(shown)
    assert (done.report.adapters_stale, done.shredded) == ((), ("knows",))
    assert done.certificate.content["adapters"][0]["file"] == "shredded"


def test_selecting_by_source_words_and_time(profile):
    source = profile.sources.add("import", "diary.md")
    old, new = profile.passages.add(
        source.id,
        [NewPassage("The Oboe is loud.", time=DAY), NewPassage("The oboe rests.", time=9 * DAY)],
    )
    fact = profile.facts.add("The user plays the oboe.", time=5 * DAY)
    assert profile.matching(source="diary.md") == [source.id]
    assert profile.matching(words="OBOE") == sorted([old.id, new.id, fact.id])
    assert profile.matching(words="oboe loud") == [old.id]
    assert profile.matching(words="obo") == []
    assert profile.matching(since=5 * DAY) == sorted([new.id, fact.id])
    assert profile.matching(source="diary.md", since=5 * DAY) == [new.id]
    shown = profile.preview_forget(profile.matching(source="diary.md"))
    assert {record.id for record in shown.records} == {source.id, old.id, new.id}


def test_certificate_says_nothing_and_proves_it(profile):
    fact = profile.facts.add("The user's PIN is 4711.")
    done = profile.forget_shown(profile.preview_forget([fact.id]))
    made = done.certificate
    content = json.loads(made.json())
    certificate.verify(content, profile.certificate_key())
    for secret in (fact.id, "4711", "PIN", *(one["salt"] for one in made.openings)):
        assert secret not in made.json()
    # Not even the right guess is confirmed without the salt.
    import hashlib

    guess = hashlib.sha256(f"fact\0{fact.text}".encode()).hexdigest()
    assert guess not in made.json()
    assert certificate.holds(content, made.openings, fact.text)
    assert not certificate.holds(content, made.openings, "The user's PIN is 4712.")


def test_altered_and_foreign_certificates_are_refused(profile, tmp_path):
    fact = profile.facts.add("The user lives in Ulm.")
    content = profile.forget_shown(profile.preview_forget([fact.id])).certificate.content
    with pytest.raises(ProfileError, match="altered"):
        certificate.verify({**content, "time": content["time"] + 1})
    with pytest.raises(ProfileError, match="altered"):
        certificate.verify({**content, "removed": []})
    for broken in ({}, {**content, "public_key": "x"}, {**content, "format": "other"}):
        with pytest.raises(ProfileError):
            certificate.verify(broken)
    with (
        Profile.create(Home.below(tmp_path / "2")) as other,
        pytest.raises(ProfileError, match="not made by this profile"),
    ):
        certificate.verify(content, other.certificate_key())


def test_concatenated_adapters_add_up():
    one, two = lora(1, rank=2, alpha=4.0), lora(2, rank=3, alpha=32.0)
    both = concatenate([(one, 1.0), (two, 0.5)])
    np.testing.assert_allclose(product(both), product(one) + 0.5 * product(two), rtol=1e-5)
    extra = lora(3, names=("blk.0.attn_q.weight", "blk.1.attn_v.weight"))
    wide = concatenate([(one, 1.0), (extra, 1.0)])
    np.testing.assert_allclose(
        product(wide, "blk.1.attn_v.weight"), product(extra, "blk.1.attn_v.weight"), rtol=1e-5
    )


def test_compared_by_records_and_weights(profile):
    a, b, c = (profile.facts.add(f"The user has {n} hats.") for n in (1, 2, 3))
    store(profile, "first", [a.id, b.id], lora(1))
    store(profile, "same", [b.id, c.id], lora(1))
    store(profile, "else", [], lora(2))
    found = compare(AdapterRegistry(profile), "first", "same")
    assert (found.only_first, found.only_second, found.in_both) == ((a.id,), (c.id,), 1)
    assert found.cosine == pytest.approx(1.0)
    assert found.distance == pytest.approx(0.0, abs=1e-6)
    found = compare(AdapterRegistry(profile), "first", "else")
    one, two = product(lora(1)), product(lora(2))
    cosine = (one * two).sum() / np.linalg.norm(one) / np.linalg.norm(two)
    assert found.cosine == pytest.approx(cosine, abs=1e-3)  # the files are half precision
    profile.forget([a.id])
    found = compare(AdapterRegistry(profile), "first", "same")
    assert (found.cosine, found.distance) == (None, None)  # which --json can say


def test_activations_are_undone_in_turn(profile):
    store(profile, "a", [], state="off")
    store(profile, "b", [], state="off")
    registry = AdapterRegistry(profile)
    registry.use("a", 1.0)
    registry.use("b", 0.5)
    registry.off("a")

    def active():
        return {row.name: row.scale for row in registry.list() if row.state == "active"}

    assert active() == {"b": 0.5}
    profile.adapters.roll_back()
    assert active() == {"a": 1.0, "b": 0.5}
    profile.adapters.roll_back()
    assert active() == {"a": 1.0}
    profile.adapters.roll_back()
    assert active() == {}
    with pytest.raises(Exception, match="nothing to undo"):
        profile.adapters.roll_back()
