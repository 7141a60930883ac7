"""What a sentence shows beside its meaning: signs and small words, in whichever language."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ondevice.memory.fact_clauses import HYPOTHETICAL, TASK
from ondevice.memory.whose import speaks_of_me, speaks_of_us, speaks_to_you

if TYPE_CHECKING:
    import numpy as np

_QUOTED = re.compile(r"\"[^\"]+\"|“[^”]+”|„[^“”]+[“”]|«[^»]+»|‘[^’]{8,}’|「[^」]+」")
_CODE = re.compile(r"[{}<>=;`\\]|\w\(|/\w+/|\w_\w")
_LABEL = re.compile(r"\A\W{0,3}[^\W\d_][^:\n]{0,30}:\s")
_ASKS = "?？؟;¿"
_CAPITALS = re.compile(r"\b[^\W\d_a-zà-ÿ]{3,}\b")


def features_of(sentences: Sequence[str]) -> np.ndarray:
    """Return the features of sentences, float32, shape (sentences, features)."""
    import numpy as np

    return np.array([_features(one) for one in sentences], dtype=np.float32)


def _features(text: str) -> tuple[float, ...]:
    words = text.split()
    quoted = sum(len(found[0]) for found in _QUOTED.finditer(text))
    end = text.rstrip("\"'”’)» ")[-1:]
    return (
        float(any(sign in text for sign in "?？؟¿")),
        float(end in "!！"),
        float(end in ".。"),
        float(text.endswith((":", "："))),
        quoted / len(text) if text else 0.0,
        float(bool(quoted)),
        float(bool(_LABEL.match(text))),
        float(bool(_CODE.search(text))),
        float(bool(_CAPITALS.search(text))),
        float(bool(re.search(r"\d", text))),
        min(len(words), 30) / 15 - 1,
        float(text[:1].islower()),
        float("," in text),
        float(speaks_of_me(text)),
        float(speaks_of_us(text)),
        float(speaks_to_you(text)),
        float(bool(HYPOTHETICAL.search(text))),
        float(bool(TASK.match(text))),
    )
