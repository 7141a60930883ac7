"""What a run is told, and what it tells while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from ondevice.training.trainer import TrainingEvent

Method = Literal["sft", "dpo", "both"]
METHODS: Final = ("both", "sft", "dpo")

Stage = Literal["examples", "measuring", "training", "preferences", "evaluation", "audits", "done"]


@dataclass(frozen=True)
class LearnOptions:
    """How to learn this time.

    Attributes:
        method: "sft" learns texts and answers, "dpo" verdicts, "both" the one and then the other.
        time_budget: seconds that the training may take; None for as many steps as the epochs need.
        token_budget: tokens that the training may see; recorded, so that it can be repeated. A
            time budget becomes one by a measurement.
        from_scratch: do not go on from the active adapter.
        quick: no paraphrases, fewer items to judge by, and no audits.
        audits: look for side effects of an adapter that would be activated.
        threads: of the training; 0 for those of the model's settings.
    """

    method: Method = "both"
    time_budget: float | None = None
    token_budget: int | None = None
    from_scratch: bool = False
    quick: bool = False
    audits: bool = True
    threads: int = 0


@dataclass(frozen=True)
class LearnEvent:
    """Something that a display wants to know.

    Attributes:
        stage: what is being done.
        done: of `total`, for a bar.
        total: 0 where that cannot be told.
        text: what in particular.
        training: the trainer's own event, in the stages "training" and "preferences".
    """

    stage: Stage
    done: float = 0.0
    total: float = 0.0
    text: str = ""
    training: TrainingEvent | None = None


Tell = Callable[[LearnEvent], None]
