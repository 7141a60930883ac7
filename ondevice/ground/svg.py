"""Simple pictures of lines, dots and texts, as SVG."""

from __future__ import annotations

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
