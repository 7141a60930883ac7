"""A picture of an evaluation: for each metric the arms side by side, with their intervals."""

from __future__ import annotations

import math

from ondevice.evaluation.bootstrap import Estimate
from ondevice.evaluation.report import shown
from ondevice.evaluation.table import METRICS, ArmName, Metric, Table
from ondevice.ground.svg import Dot, Label, Line, Part, Picture

_WIDTH, _PANEL, _LEFT, _RIGHT, _TOP, _ROW, _GAP = 720, 340, 64, 70, 34, 24, 28
_COLOURS: dict[ArmName, str] = {
    "base": "#8a94a0",
    "prompt": "#1f4e79",
    "adapter": "#c0832b",
    "hybrid": "#2b8a57",
    "active": "#7a4fa3",
}
_TEXT, _FAINT, _GRID = "#000000", "#777777", "#eeeeee"
_LOWER_IS_BETTER = ("text", "neutral")


def evaluation_picture(table: Table, title: str, decision: str) -> Picture:
    """Return the picture.

    Args:
        table: what was measured.
        title: stands above.
        decision: one sentence, stands below.
    """
    metrics = [m for m in METRICS if any((arm, m) in table.figures for arm in table.arms)]
    panel_height = _TOP + _ROW * len(table.arms) + _GAP
    below = 36 + math.ceil(len(metrics) / 2) * panel_height
    lines = _wrapped(decision, 100)
    parts: list[Part] = [Label(12, 24, title, "start", _TEXT, 15)]
    for index, metric in enumerate(metrics):
        x, y = 12 + (index % 2) * (_PANEL + 16), 36 + (index // 2) * panel_height
        parts += _panel(table, metric, x, y)
    for number, text in enumerate(lines):
        parts.append(Label(12, below + 16 + 16 * number, text, "start", _TEXT))
    return Picture(_WIDTH, below + 16 + 16 * len(lines), parts)


def _panel(table: Table, metric: Metric, left: int, top: int) -> list[Part]:
    figures = {a: table.figures[a, metric] for a in table.arms if (a, metric) in table.figures}
    low, high = _range(list(figures.values()))
    first, last = left + _LEFT, left + _PANEL - _RIGHT

    def x(value: float) -> float:
        return first + (last - first) * (min(max(value, low), high) - low) / (high - low)

    better = "lower is better" if metric in _LOWER_IS_BETTER else "higher is better"
    parts: list[Part] = [
        Label(left, top + 18, f"{METRICS[metric]} ({better})", "start", _TEXT),
    ]
    for row, (arm, figure) in enumerate(figures.items()):
        y, colour = top + _TOP + _ROW * (row + 0.5), _COLOURS[arm]
        parts.append(Label(left, y + 4, arm, "start", colour))
        parts.append(Line(((first, y), (last, y)), _GRID, 1))
        if math.isfinite(figure.low) and math.isfinite(figure.high):
            parts.append(Line(((x(figure.low), y), (x(figure.high), y)), colour, 3))
        parts.append(Dot(x(figure.value), y, 5, colour))
        parts.append(Label(last + 10, y + 4, shown(figure.value, metric), "start", _TEXT))
    y, n = top + _TOP + _ROW * len(figures) + 12, next(iter(figures.values())).n
    parts.append(Label(first, y, shown(low, metric), "start", _FAINT, 10))
    parts.append(Label(last, y, f"{shown(high, metric)}  (n = {n})", "end", _FAINT, 10))
    return parts


def _range(figures: list[Estimate]) -> tuple[float, float]:
    """Return limits that hold all finite ends and are not equal."""
    ends = [v for f in figures for v in (f.value, f.low, f.high) if math.isfinite(v)] or [0.0]
    low, high = min(ends), max(ends)
    margin = max(0.05 * (high - low), 1e-3)
    return max(low - margin, 0.0), high + margin


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
