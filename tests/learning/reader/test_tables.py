"""The tables are data: they load as what they are asked for as, and say what a reader learned."""

import hashlib
import random

import pytest

from ondevice.learning.reader.requests import NEUTRAL, ORDERS
from ondevice.learning.reader.scene import Maker
from ondevice.learning.reader.tables import Table, read_table


def test_a_value_of_another_type_is_named() -> None:
    table = Table("wrong.toml", {"a": 1, "b": ["x", 2], "c": "text", "d": [["x"], "y"]})
    for ask, key in (
        (table.text, "a"), (table.text, "missing"), (table.texts, "a"), (table.texts, "b"),
        (table.table, "c"), (table.groups, "a"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=rf"wrong\.toml: '{key}' is not"):
            ask(key)
    with pytest.raises(TypeError, match=r"wrong\.toml: d: '1' is not a list of texts"):
        table.groups("d")
    assert table.text("missing", "else") == "else" and not table.table("missing").values


def test_the_files_are_installed() -> None:
    for name in ("words", "topics", "held_out_topics", "preferences", "requests"):
        assert read_table(name).values


def test_what_the_shipped_reader_learned_from_is_unchanged() -> None:
    """A change here makes other dialogues: teach the shipped readers anew, then change the hash."""
    digest = hashlib.sha256(repr((NEUTRAL["train"], ORDERS["train"])).encode())
    for number in range(300):
        maker = Maker("train", random.Random(f"tables {number}"))
        world = maker.world(8)
        said = [(one.attribute, one.note, one.speech, maker.question(one)) for one in world]
        told = maker.filled(maker.topics.told, world[0], "speech")
        digest.update(repr((said, told, maker.preferences(3), maker.order())).encode())
    assert digest.hexdigest() == (
        "6790fed652ddc9d1a231827b59fd3b564d6f721f094373547fe1f3cff143ffa7"
    )
