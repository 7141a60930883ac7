"""The loss plots are well-formed and show what they are given."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

from ondevice.cli import cli
from ondevice.training.plot import loss_picture, loss_text, moving_average

LOSSES = [4.0 - 0.03 * i for i in range(100)]


@pytest.mark.parametrize("losses", [LOSSES, [2.0], [2.0, 2.0]])
@pytest.mark.parametrize("held_out", [[], [(0, 4.1), (50, 3.0), (100, 2.2)]])
def test_svg_is_xml_with_every_point(
    losses: list[float], held_out: list[tuple[int, float]]
) -> None:
    root = ET.fromstring(loss_picture(losses, held_out).svg())
    lines = [e for e in root if e.tag.endswith("polyline")][5:]  # behind the grid
    counts = [len(e.attrib["points"].split()) for e in lines]
    assert counts == [len(losses), len(losses), *([len(held_out)] if held_out else [])]
    for line in lines:
        for point in line.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= 720 and 0 <= y <= 360


def test_text_falls_from_left_to_right() -> None:
    text = loss_text(LOSSES, [(0, 4.1), (100, 1.2)], width=40, height=8)
    rows = [line.split("│")[1] for line in text.splitlines() if "│" in line]
    assert len(rows) == 8 and all(len(row) <= 40 for row in rows)
    assert rows[0].index("o") == 0 and rows[-1].rstrip().endswith("o")
    assert loss_text([], []) == ""


def test_moving_average_starts_unbiased() -> None:
    assert moving_average([3.0, 3.0, 3.0]) == pytest.approx([3.0, 3.0, 3.0])
    assert moving_average([4.0, 2.0])[1] == pytest.approx((0.9 * 4 + 2) / 1.9)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("loss.jpg", "ends in .svg"), ("loss.png", "ends in .svg"), ("nowhere/loss.svg", "no folder")],
)
def test_a_picture_that_cannot_be_written_is_refused_at_once(
    tmp_path: Path, name: str, reason: str
) -> None:
    arguments = ["train", "--data", "none.txt", "--out", str(tmp_path / "a.gguf")]
    result = CliRunner().invoke(cli, [*arguments, "--plot", str(tmp_path / name)])
    assert result.exit_code == 2 and reason in result.output
