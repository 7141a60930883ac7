"""Simple pictures, lines, dots and texts, as SVG by our own code and as PNG by Pillow."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

FONT_SIZE: Final = 12
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Line:
    """A line through points (x, y) of the picture."""

    points: tuple[tuple[float, float], ...]
    colour: str
    width: float


@dataclass(frozen=True)
class Dot:
    """A filled circle."""

    x: float
    y: float
    radius: float
    colour: str


@dataclass(frozen=True)
class Label:
    """A text whose `anchor` (a place on its baseline) lies at (x, y)."""

    x: float
    y: float
    text: str
    anchor: Anchor
    colour: str
    size: int = FONT_SIZE


Part = Line | Dot | Label


@dataclass(frozen=True)
class Picture:
    """What there is to draw, from back to front, in pixels from the upper left corner."""

    width: int
    height: int
    parts: Sequence[Part]

    def svg(self) -> str:
        """Return the picture as an SVG document."""
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}" '
            f'font-family="sans-serif" font-size="{FONT_SIZE}">',
            f'<rect width="{self.width}" height="{self.height}" fill="white"/>',
            *map(_svg_of, self.parts),
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def png(self) -> bytes:
        """Return the picture as a PNG file, at twice the size; needs Pillow.

        Lines are drawn larger still and made smaller again, which smooths their edges.
        """
        from PIL import Image, ImageDraw, ImageFont

        scale, smoothing = 2, 2
        factor = scale * smoothing
        large = Image.new("RGB", (factor * self.width, factor * self.height), "white")
        draw = ImageDraw.Draw(large)
        for part in self.parts:
            if isinstance(part, Line):
                points = [(factor * x, factor * y) for x, y in part.points]
                draw.line(points, fill=part.colour, width=round(factor * part.width), joint="curve")
            elif isinstance(part, Dot):
                x, y, radius = factor * part.x, factor * part.y, factor * part.radius
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=part.colour)
        image = large.resize((scale * self.width, scale * self.height), Image.Resampling.BOX)
        draw = ImageDraw.Draw(image)
        for part in self.parts:
            if isinstance(part, Label):
                anchor = {"start": "ls", "middle": "ms", "end": "rs"}[part.anchor]
                place = (scale * part.x, scale * part.y)
                font = ImageFont.load_default(scale * part.size)
                draw.text(place, part.text, fill=part.colour, font=font, anchor=anchor)
        file = io.BytesIO()
        image.save(file, "PNG")
        return file.getvalue()


def _svg_of(part: Part) -> str:
    if isinstance(part, Line):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in part.points)
        return (
            f'<polyline points="{path}" fill="none" stroke="{part.colour}" '
            f'stroke-width="{part.width:g}"/>'
        )
    if isinstance(part, Dot):
        return (
            f'<circle cx="{part.x:.1f}" cy="{part.y:.1f}" r="{part.radius:g}" '
            f'fill="{part.colour}"/>'
        )
    size = "" if part.size == FONT_SIZE else f' font-size="{part.size}"'
    return (
        f'<text x="{part.x:.1f}" y="{part.y:.1f}" text-anchor="{part.anchor}" '
        f'fill="{part.colour}"{size}>{escape(part.text)}</text>'
    )
