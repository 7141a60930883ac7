"""A picture of a training's losses: as SVG, and in characters for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ondevice.ground.svg import Label, Line, Part, Picture

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 720, 360, 52, 36, 16, 16
_GRID_COLOUR, _TEXT_COLOUR = "#e5e5e5", "#000000"
_HELD_OUT_COLOUR, _STEP_COLOUR, _MEAN_COLOUR = "#c0392b", "#b8c4d0", "#1f4e79"


def moving_average(losses: Sequence[float], keep: float = 0.9) -> list[float]:
    """Return the exponential moving average, without bias towards the first value."""
    total, weight, averages = 0.0, 0.0, []
    for loss in losses:
        total, weight = keep * total + (1 - keep) * loss, keep * weight + (1 - keep)
        averages.append(total / weight)
    return averages


def loss_picture(losses: Sequence[float], held_out: Sequence[tuple[int, float]]) -> Picture:
    """Return the picture.

    Args:
        losses: the loss of each step, in nats.
        held_out: (step, loss) of each measurement on held-out data.
    """
    low, high = _range([*losses, *(loss for _, loss in held_out)])
    n_steps = max(1, len(losses), *(step for step, _ in held_out))

    def x(step: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * step / n_steps

    def y(loss: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - loss) / (high - low)

    def curve(points: Iterable[tuple[float, float]], colour: str, width: float) -> Line:
        return Line(tuple((x(step), y(loss)) for step, loss in points), colour, width)

    parts: list[Part] = []
    for index in range(5):
        value = low + (high - low) * index / 4
        parts.append(Line(((_LEFT, y(value)), (_WIDTH - _RIGHT, y(value))), _GRID_COLOUR, 1))
        parts.append(Label(_LEFT - 6, y(value) + 4, f"{value:.2f}", "end", _TEXT_COLOUR))
        step = round(n_steps * index / 4)
        parts.append(Label(x(step), _HEIGHT - 14, str(step), "middle", _TEXT_COLOUR))
    parts.append(curve(enumerate(losses, start=1), _STEP_COLOUR, 1))
    parts.append(curve(enumerate(moving_average(losses), start=1), _MEAN_COLOUR, 2))
    if held_out:
        parts.append(curve(held_out, _HELD_OUT_COLOUR, 2))
    legend = [("training loss, nats", _MEAN_COLOUR)]
    legend += [("held-out loss", _HELD_OUT_COLOUR)] * bool(held_out)
    for index, (name, colour) in enumerate(legend):
        parts.append(Label(_WIDTH - _RIGHT - 4, _TOP + 14 + 16 * index, name, "end", colour))
    return Picture(_WIDTH, _HEIGHT, parts)


def loss_text(
    losses: Sequence[float],
    held_out: Sequence[tuple[int, float]],
    width: int = 64,
    height: int = 10,
) -> str:
    """Return the plot in characters: dots for training, o for held-out measurements."""
    if not losses:
        return ""
    smooth = moving_average(losses)
    low, high = _range([*smooth, *(loss for _, loss in held_out)])
    n_steps = max(len(losses), *(step for step, _ in held_out), 1)
    rows = [[" "] * width for _ in range(height)]

    def put(step: float, loss: float, mark: str) -> None:
        column = min(width - 1, int(step / n_steps * (width - 1)))
        row = min(height - 1, int((high - loss) / (high - low) * (height - 1) + 0.5))
        rows[row][column] = mark

    for step, loss in enumerate(smooth, start=1):
        put(step, loss, "·")
    for step, loss in held_out:
        put(step, loss, "o")
    lines = []
    for index, row in enumerate(rows):
        value = high - (high - low) * index / (height - 1)
        label = f"{value:7.3f}" if index % 3 == 0 or index == height - 1 else " " * 7
        lines.append(f"{label} │{''.join(row).rstrip()}")
    lines.append(f"{' ' * 8}└{'─' * width}")
    note = "  · training" + ("  o held-out" if held_out else "")
    lines.append(f"{' ' * 9}0{str(len(losses)) + ' steps':>{width - 1}}\n{' ' * 9}{note.strip()}")
    return "\n".join(lines)


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Return limits that hold all `values` and are not equal."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    margin = max(0.02 * (high - low), 1e-3)
    return low - margin, high + margin
