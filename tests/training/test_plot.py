"""The loss plots are well-formed and show what they are given."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

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


def test_png_shows_the_same_lines() -> None:
    image = Image.open(io.BytesIO(loss_picture(LOSSES, [(0, 4.1), (50, 3.0), (100, 2.2)]).png()))
    assert (image.format, image.size) == ("PNG", (1440, 720))
    blue, red = (0x1F, 0x4E, 0x79), (0xC0, 0x39, 0x2B)
    pixels = image.convert("RGB").load()
    assert pixels is not None
    width, height = image.size

    def heights(colour: tuple[int, int, int], x: int) -> list[int]:
        return [y for y in range(height) if pixels[x, y] == colour]

    # Both fall from left to right, and the held-out line stays above the other.
    assert max(heights(blue, 150)) < min(heights(blue, width - 300))
    assert max(heights(red, 120)) < min(heights(red, width - 300))
    assert max(heights(red, width - 300)) < min(heights(blue, width - 300))
    plain = Image.open(io.BytesIO(loss_picture([2.0], []).png())).convert("RGB")
    assert red not in {colour for _, colour in plain.getcolors(1 << 20)}


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
    [("loss.jpg", "ends in .svg or .png"), ("nowhere/loss.png", "no folder"), ("a.png", "Pillow")],
)
def test_a_picture_that_cannot_be_written_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    if reason == "Pillow":  # as if it were not installed
        monkeypatch.setattr("ondevice.cli.learn.plot.find_spec", lambda package: None)
    arguments = ["train", "--data", "none.txt", "--out", str(tmp_path / "a.gguf")]
    result = CliRunner().invoke(cli, [*arguments, "--plot", str(tmp_path / name)])
    assert result.exit_code == 2 and reason in result.output
