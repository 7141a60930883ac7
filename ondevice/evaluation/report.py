"""An evaluation for people and programs: table rows, a headline, and JSON.

The JSON object (`format` 1):

    format      1
    profile     name of the profile
    base        {name, sha256} of the base model
    adapter     name of the judged adapter, or null
    below       names of the adapters that were applied in every arm
    seconds     how long it took
    fast        whether fewer items were measured
    items       {text, choices, questions, neutral}: how many of each
    notes       sentences about what was left out
    figures     [{arm, metric, value, low, high, n}]
    gains       [{arm, against, metric, value, low, high, n}]: positive is better; text and
                neutral in nats a token, the others as shares
    decision    {arm, status, activate, summary, verdicts: [{arm, against, wins, better, worse}]}
    audits      [{name, what, before, after, change, bound, exceeded}], or null if not asked for;
                before (or null), after and change are {value, low, high, n}

`arm` is base, prompt, adapter, hybrid or active (hybrid with the adapter that is in
use, where another one is judged); `metric` is text, choices, exact, f1 or
neutral; `status` is decided, inconclusive or refused. `low` and `high` are the
ends of the 95 % interval, and null where there is none.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from ondevice.evaluation.audits import Audit
from ondevice.evaluation.bootstrap import Estimate
from ondevice.evaluation.evaluate import Evaluation
from ondevice.evaluation.table import METRICS, ArmName, Metric, Table

HEADINGS = ("metric", "arm", "value", "interval", "n")
FORMAT = 1


def rows(table: Table) -> list[tuple[str, str, str, str, str]]:
    """Return the rows of the table below `HEADINGS`, one metric after the other."""
    return [
        (what, arm, shown(figure.value, metric), interval(figure, metric), str(figure.n))
        for metric, what in METRICS.items()
        for arm in table.arms
        if (figure := table.figures.get((arm, metric))) is not None
    ]


def shown(value: float, metric: Metric) -> str:
    """Return a figure as people read it: perplexities plain, shares in per cent."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.2f}" if metric in ("text", "neutral") else f"{100 * value:.1f} %"


def interval(estimate: Estimate, metric: Metric) -> str:
    """Return the interval of a figure."""
    return f"[{shown(estimate.low, metric)}, {shown(estimate.high, metric)}]"


def headline(table: Table, arm: ArmName = "hybrid", against: ArmName = "prompt") -> str:
    """Return in one line what `arm` does: "your writing: perplexity 31.2 → 24.8 [23.9, 25.8]; …".

    The interval is that of the change, on top of the first figure.
    """
    parts = []
    metric: Metric
    before, after = table.figures.get((against, "text")), table.figures.get((arm, "text"))
    if before is not None and after is not None:
        change = (-table.gain(arm, against, "text")).mapped(lambda nats: _times(before.value, nats))
        parts.append(
            f"your writing: perplexity {before.value:.1f} → {after.value:.1f} "
            f"[{change.low:.1f}, {change.high:.1f}]"
        )
    for metric, name in (("choices", "choices"), ("f1", "facts")):
        gain = table.gain(arm, against, metric)
        if gain.n:
            ends = f" [{100 * gain.low:+.0f}, {100 * gain.high:+.0f}]"
            known = ends if math.isfinite(gain.low) and math.isfinite(gain.high) else ""
            parts.append(f"{name} {100 * gain.value:+.0f} points{known} (n = {gain.n})")
    neutral = table.neutral_change(arm)
    if neutral.n:
        parts.append(f"neutral text {100 * neutral.value:+.1f} %")
    return "; ".join(parts) or "nothing to compare"


def audit_rows(audits: Sequence[Audit]) -> list[tuple[str, str, str, str, str, str]]:
    """Return a row for each audit: what, before, after, change, its interval, the bound."""
    return [
        (
            audit.what,
            f"{audit.before.value:.3f}" if audit.before is not None else "",
            f"{audit.after.value:.3f}",
            f"{audit.change.value:+.3f}" if audit.before is not None else "",
            f"[{audit.change.low:+.3f}, {audit.change.high:+.3f}]",
            f"{audit.bound:+.3f}{' EXCEEDED' if audit.exceeded else ''}",
        )
        for audit in audits
    ]


AUDIT_HEADINGS = ("audit", "before", "after", "change", "interval", "bound")


def as_json(
    evaluation: Evaluation,
    *,
    profile: str,
    base: tuple[str, str],
    adapter: str | None,
    below: Sequence[str] = (),
    fast: bool = False,
    audits: Sequence[Audit] | None = None,
) -> dict[str, Any]:
    """Return the object that the module describes; it can be written as JSON as it is.

    Args:
        evaluation: what was measured.
        profile: its name.
        base: name and SHA-256 of the base model.
        adapter: name of the judged adapter.
        below: names of the adapters under it.
        fast: whether fewer items were measured.
        audits: None if they were not asked for.
    """
    table = evaluation.table
    plain: dict[str, Any] = {
        "format": FORMAT,
        "profile": profile,
        "base": {"name": base[0], "sha256": base[1]},
        "adapter": adapter,
        "below": list(below),
        "seconds": round(evaluation.seconds, 2),
        "fast": fast,
        "items": dict(evaluation.counts),
        "notes": list(evaluation.notes),
        "figures": [
            {"arm": arm, "metric": metric, **_numbers(estimate)}
            for (arm, metric), estimate in table.figures.items()
        ],
        "gains": [
            {"arm": arm, "against": against, "metric": metric, **_numbers(estimate)}
            for (arm, against, metric), estimate in table.gains.items()
        ],
        "decision": dataclasses.asdict(evaluation.decision),
        "audits": None if audits is None else [_audit(audit) for audit in audits],
    }
    return plain


def _audit(audit: Audit) -> dict[str, Any]:
    return {
        "name": audit.name,
        "what": audit.what,
        "before": None if audit.before is None else _numbers(audit.before),
        "after": _numbers(audit.after),
        "change": _numbers(audit.change),
        "bound": audit.bound,
        "exceeded": audit.exceeded,
    }


def _numbers(estimate: Estimate) -> dict[str, float | int | None]:
    values = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    finite = {key: value if math.isfinite(value) else None for key, value in values.items()}
    return {**finite, "n": estimate.n}


def _times(perplexity: float, nats: float) -> float:
    """Return a perplexity after a change of so many nats a token."""
    return perplexity * math.exp(min(nats, 700.0))
