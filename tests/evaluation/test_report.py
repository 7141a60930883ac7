import json
import math
import xml.etree.ElementTree as ET

import numpy as np
from tables import levels, table

from ondevice.evaluation.audits import Audit
from ondevice.evaluation.bootstrap import Estimate
from ondevice.evaluation.decision import decide
from ondevice.evaluation.evaluate import Evaluation
from ondevice.evaluation.plot import evaluation_picture
from ondevice.evaluation.report import FORMAT, as_json, audit_rows, headline, rows
from ondevice.evaluation.table import METRICS, Outcome, build_table

MADE = table(levels(text=(20.0, 20.1, 20.2, 20.4), f1=(0.1, 0.5, 0.1, 0.6), neutral=0.004))


def evaluation() -> Evaluation:
    counts = {"text": 40, "choices": 40, "questions": 40, "neutral": 40}
    return Evaluation(MADE, decide(MADE), counts, ("A note.",), 12.345)


def test_a_row_for_each_metric_and_arm() -> None:
    made = rows(MADE)
    assert len(made) == len(METRICS) * 4
    assert made[0] == (METRICS["text"], "base", "20.00", "[19.98, 20.02]", "40")
    assert ("questions, token F1", "hybrid", "60.0 %", "[58.0 %, 62.0 %]", "40") in made


def test_the_headline_says_what_changed() -> None:
    line = headline(MADE)
    # 20.1 * exp(-0.3) with an interval of the change
    assert line.startswith("your writing: perplexity 20.1 → 20.4 [14.6, 15.2]")
    assert "facts +10 points" in line
    assert "neutral text +0.4 %" in line


def test_json_has_the_documented_shape_and_is_valid() -> None:
    estimate = Estimate(0.5, -math.inf, math.inf, 1)
    audit = Audit("agreement", "what", None, estimate, estimate, 0.05, True)
    made = as_json(evaluation(), profile="me", base=("b", "0" * 64), adapter="a", audits=[audit])
    assert json.loads(json.dumps(made, allow_nan=False)) == json.loads(json.dumps(made))
    assert set(made) == {
        "format", "profile", "base", "adapter", "below", "seconds", "fast", "items", "notes",
        "figures", "gains", "decision", "audits",
    }  # fmt: skip
    assert made["format"] == FORMAT
    assert len(made["figures"]) == 4 * len(METRICS)
    assert set(made["figures"][0]) == {"arm", "metric", "value", "low", "high", "n"}
    assert len(made["gains"]) == 12 * len(METRICS)
    assert set(made["gains"][0]) == {"arm", "against", "metric", "value", "low", "high", "n"}
    assert set(made["decision"]) == {"arm", "status", "activate", "summary", "verdicts"}
    assert set(made["decision"]["verdicts"][0]) == {"arm", "against", "wins", "better", "worse"}
    assert made["audits"][0]["after"] == {"value": 0.5, "low": None, "high": None, "n": 1}
    assert made["audits"][0]["before"] is None


def test_exceeded_bounds_are_marked() -> None:
    estimate = Estimate(0.5, 0.4, 0.6, 50)
    fine = Audit("gap", "what", estimate, estimate, Estimate(0.0, 0, 0, 50), 0.02, False)
    bad = Audit("gap", "what", estimate, estimate, Estimate(0.1, 0, 0, 50), 0.02, True)
    assert ["EXCEEDED" in row[-1] for row in audit_rows([fine, bad])] == [False, True]


def test_the_picture_shows_every_figure() -> None:
    picture = evaluation_picture(MADE, "me & <mine>", decide(MADE).summary).svg()
    root = ET.fromstring(picture)
    circles = root.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 4 * len(METRICS)
    width = float(root.attrib["width"])
    assert all(0 < float(circle.attrib["cx"]) < width for circle in circles)
    texts = " ".join(element.text or "" for element in root.iter())
    assert "me & <mine>" in texts
    for name in METRICS.values():
        assert name in texts


def test_a_picture_of_infinite_intervals_is_still_a_picture() -> None:
    one = table(levels(), n=1, width=math.inf)
    ET.fromstring(evaluation_picture(one, "t", "d").svg())


def test_the_headline_leaves_out_an_interval_that_nobody_knows() -> None:
    one = build_table(
        {
            (arm, "choices"): Outcome(np.array([right]), np.ones(1))
            for arm, right in (("prompt", 0.0), ("hybrid", 1.0))
        },
        {"choices": ["only"]},
    )
    assert headline(one) == "choices +100 points (n = 1)"
