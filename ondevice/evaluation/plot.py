"""A picture of an evaluation: for each metric the arms side by side, with their intervals."""

from __future__ import annotations

import math
from html import escape

from ondevice.evaluation.bootstrap import Estimate
from ondevice.evaluation.report import shown
from ondevice.evaluation.table import METRICS, ArmName, Metric, Table

_WIDTH, _PANEL, _LEFT, _RIGHT, _TOP, _ROW, _GAP = 720, 340, 64, 70, 34, 24, 28
_COLOURS: dict[ArmName, str] = {
    "base": "#8a94a0",
    "prompt": "#1f4e79",
    "adapter": "#c0832b",
    "hybrid": "#2b8a57",
}
_LOWER_IS_BETTER = ("text", "neutral")


def evaluation_svg(table: Table, title: str, decision: str) -> str:
    """Return an SVG document.

    Args:
        table: what was measured.
        title: stands above.
        decision: one sentence, stands below.
    """
    metrics = [m for m in METRICS if any((arm, m) in table.figures for arm in table.arms)]
    panel_height = _TOP + _ROW * len(table.arms) + _GAP
    rows = math.ceil(len(metrics) / 2)
    height = 36 + rows * panel_height + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<text x="12" y="24" font-size="15" font-weight="bold">{escape(title)}</text>',
    ]
    for index, metric in enumerate(metrics):
        x, y = 12 + (index % 2) * (_PANEL + 16), 36 + (index // 2) * panel_height
        parts += _panel(table, metric, x, y)
    for line, text in enumerate(_wrapped(decision, 110)[:2]):
        parts.append(f'<text x="12" y="{height - 24 + 16 * line}">{escape(text)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(table: Table, metric: Metric, left: int, top: int) -> list[str]:
    figures = {arm: table.figures[arm, metric] for arm in table.arms}
    low, high = _range(list(figures.values()))

    def x(value: float) -> float:
        inside = min(max(value, low), high)
        return left + _LEFT + (_PANEL - _LEFT - _RIGHT) * (inside - low) / (high - low)

    better = "lower is better" if metric in _LOWER_IS_BETTER else "higher is better"
    parts = [
        f'<text x="{left}" y="{top + 18}" font-weight="bold">{METRICS[metric]}'
        f'<tspan font-weight="normal" fill="#777"> ({better})</tspan></text>'
    ]
    for row, (arm, figure) in enumerate(figures.items()):
        y = top + _TOP + _ROW * row + _ROW / 2
        colour = _COLOURS[arm]
        parts.append(
            f'<text x="{left}" y="{y + 4:.1f}" fill="{colour}">{arm}</text>'
            f'<line x1="{left + _LEFT}" x2="{left + _PANEL - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
            'stroke="#eee"/>'
        )
        if math.isfinite(figure.low) and math.isfinite(figure.high):
            parts.append(
                f'<line x1="{x(figure.low):.1f}" x2="{x(figure.high):.1f}" y1="{y:.1f}" '
                f'y2="{y:.1f}" stroke="{colour}" stroke-width="3"/>'
            )
        parts.append(
            f'<circle cx="{x(figure.value):.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>'
            f'<text x="{left + _PANEL - _RIGHT + 10}" y="{y + 4:.1f}">'
            f"{shown(figure.value, metric)}</text>"
        )
    n = next(iter(figures.values())).n
    parts.append(
        f'<text x="{left + _LEFT}" y="{top + _TOP + _ROW * len(figures) + 12}" fill="#777" '
        f'font-size="10">{shown(low, metric)}</text>'
        f'<text x="{left + _PANEL - _RIGHT}" y="{top + _TOP + _ROW * len(figures) + 12}" '
        f'fill="#777" font-size="10" text-anchor="end">{shown(high, metric)}  (n = {n})</text>'
    )
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
