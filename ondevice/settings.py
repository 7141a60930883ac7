"""Every default, once. The command line, the Python API and the documentation derive from these.

`Settings.load` reads `config.toml` in the config folder, with one table per
dataclass: `[generation]`, `[recall]`, `[model]`, `[retention]`, `[learning]`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ondevice import settings_lines
from ondevice.errors import SettingsError, did_you_mean, explain
from ondevice.home import Home
from ondevice.remedies import Remedy, within
from ondevice.settings_lines import Problem


def _in(low: float, high: float, default: Any) -> Any:
    """Return a field whose value lies between `low` and `high`, both included."""
    return field(default=default, metadata={"bounds": (low, high)})


_ANY = 10**9  # more than anybody means, and numbers that any program can work with
_DAYS = 100_000
MOST_THREADS = 512  # what llama.cpp takes; more would end the process


@dataclass(frozen=True)
class GenerationSettings:
    """How answers are sampled."""

    temperature: float = _in(0, 5, 0.3)  # small models wander above this
    top_p: float = _in(0, 1, 0.95)
    top_k: int = _in(0, 2**31 - 1, 40)
    min_p: float = _in(0, 1, 0.05)
    repeat_penalty: float = _in(0.1, 10, 1.1)
    max_tokens: int = _in(1, 2**31 - 1, 512)
    seed: int | None = _in(0, 2**32 - 1, None)  # None: a new one for every answer


@dataclass(frozen=True)
class ModelSettings:
    """Which base model is used, and how it is loaded."""

    name: str = "default"
    n_ctx: int = _in(0, 2**31 - 1, 4096)  # tokens; never more than the model was trained for
    n_threads: int = _in(0, MOST_THREADS, 0)  # 0: one per physical core
    n_gpu_layers: int = _in(-1, 2**31 - 1, 0)
    # unload the model after this long without use; 0: never
    idle_seconds: float = _in(0, 1e9, 0.0)


@dataclass(frozen=True)
class RecallSettings:
    """How much is remembered in a prompt."""

    embedder: str = "multilingual"  # or "minilm", which is English, or a folder
    memories: int = _in(0, 1000, 40)  # retrieved for a turn, at the most
    memory_tokens: int = _in(0, _ANY, 600)  # budget beside the user turn
    prefix_tokens: int = _in(0, _ANY, 600)  # budget for stable and pinned facts
    passage_tokens: int = _in(8, _ANY, 200)  # imported text is cut into passages of about this size


@dataclass(frozen=True)
class RetentionSettings:
    """Days that each kind of record is kept; 0 keeps it until it is forgotten."""

    fact_days: int = _in(0, _DAYS, 0)
    sample_days: int = _in(0, _DAYS, 0)
    turn_days: int = _in(0, _DAYS, 0)
    feedback_days: int = _in(0, _DAYS, 0)


@dataclass(frozen=True)
class LearningSettings:
    """How the profile becomes an adapter."""

    fewest_examples: int = _in(1, _ANY, 16)  # of the person's; with fewer nothing is trained
    fewest_preferences: int = _in(1, _ANY, 8)  # with fewer, verdicts are learned as answers only
    epochs: float = _in(0.01, 1000, 4.0)  # passes over the examples
    replay_share: float = _in(0, 0.9, 0.2)  # of all words, neutral ones: keeps what the base can do
    paraphrases: bool = True  # let the base model ask each fact's question in other words
    # of an incremental run; the rest are examples learned before
    new_share: float = _in(0.01, 1, 0.5)
    from_scratch_every: int = _in(0, _ANY, 5)  # runs; those between go on from the active adapter
    # of neutral text's perplexity; an adapter beyond it stays off
    neutral_growth: float = _in(0, _ANY, 0.01)
    # adapters that were not activated and are kept, the newest
    keep_candidates: int = _in(0, _ANY, 3)


@dataclass(frozen=True)
class Settings:
    """All settings."""

    generation: GenerationSettings = field(default_factory=GenerationSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    recall: RecallSettings = field(default_factory=RecallSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    learning: LearningSettings = field(default_factory=LearningSettings)

    @classmethod
    def load(cls, path: Path, warn: Callable[[str], None] | None = None) -> Settings:
        """Read settings from the TOML file at `path`; a missing file gives the defaults.

        Args:
            path: of the file.
            warn: told of what cannot be used, which stays at its default then, and of what means
                nothing any more. Without it the former is an error.

        Raises:
            SettingsError: without `warn`: the file cannot be read, is not TOML, or a setting is
                unknown, of a wrong type or out of bounds.
        """
        found, problems = cls.read(path)
        wrong = [one for one in problems if not one.retired]
        if warn is None:
            if wrong:
                raise wrong_file(path, wrong)
        elif problems:
            until = "; until that is corrected, the defaults stand in." if wrong else ""
            warn(within("", wrong_file(path, problems).notice, until))
        return found

    @classmethod
    def read(cls, path: Path) -> tuple[Settings, list[Problem]]:
        """Return what the file at `path` says, and what is wrong with it."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return cls(), []
        except OSError as error:
            return cls(), [Problem(None, f"cannot be read: {explain(error)}")]
        return cls.parse(content)

    @classmethod
    def parse(cls, content: bytes) -> tuple[Settings, list[Problem]]:
        """Return what a file with this `content` says, and what is wrong with it."""
        parsed = settings_lines.parse(content)
        settings, problems = cls(), parsed.problems
        lines = settings_lines.lines_of(content)
        changes: dict[str, Any] = {}
        for name, values in parsed.tables.items():
            if name in _TABLES and isinstance(values, dict):
                current = getattr(settings, name)
                changes[name] = _laid_over(current, values, name, lines, problems)
            else:
                line = settings_lines.line_of(lines, "", name)
                line = line or settings_lines.line_of(lines, name)
                problems.append(Problem(line, _no_table(name, known=name in _TABLES)))
        return dataclasses.replace(settings, **changes), problems


# Settings of earlier versions, and why there are none of that name any more.
_RETIRED = {"recall.min_cosine": "each embedder brings the scale of its own similarities"}
_TABLES = tuple(f.name for f in dataclasses.fields(Settings))
MOST_NAMED = 3  # problems that a sentence lists


def settings_path(home: Home) -> Path:
    """Return where the settings are, or would be."""
    return home.config / "config.toml"


def wrong_file(path: Path, problems: Sequence[Problem]) -> SettingsError:
    """Return the error that says what is wrong with the settings file at `path`."""
    told = [
        f"line {one.line}: {one.message}" if one.line else one.message
        for one in sorted(problems, key=lambda one: one.line or 0)[:MOST_NAMED]
    ]
    more = f"; and {len(problems) - MOST_NAMED} more" if len(problems) > MOST_NAMED else ""
    return SettingsError(f"{path}: {'; '.join(told)}{more}.", Remedy.CHANGE_SETTINGS)


def _no_table(name: str, *, known: bool) -> str:
    if known:
        return f"'{name}' must be a table; write [{name}] above its settings"
    return (
        f"there is no setting '{name}'; {did_you_mean(name, _TABLES)}use one of "
        f"{', '.join(_TABLES)}"
    )


def _laid_over(
    current: Any, values: dict[str, Any], table: str, lines: Sequence[str], found: list[Problem]
) -> Any:
    """Return the settings of a table with those of `values` that can be used laid over them."""
    changes: dict[str, Any] = {}
    known = [f.name for f in dataclasses.fields(current)]
    for key, value in values.items():
        name = f"{table}.{key}"
        line = settings_lines.line_of(lines, table, key)
        line = line or settings_lines.line_of(lines, "", table)
        if name in _RETIRED:
            told = f"'{name}' is not used any more, because {_RETIRED[name]}; leave it out"
            found.append(Problem(line, told, retired=True))
            continue
        if key not in known:
            names = [f"{table}.{one}" for one in known]
            wrong: str | None = (
                f"there is no setting '{name}'; {did_you_mean(name, names)}use one of "
                f"{', '.join(names)}"
            )
        else:
            value, wrong = _fitting(getattr(current, key), value, name)
        if wrong is None:
            changes[key] = value
        else:
            found.append(Problem(line, wrong))
    return dataclasses.replace(current, **changes)


def _fitting(default: object, value: object, name: str) -> tuple[object, str | None]:
    """Return `value` in the type of the `default`, and what is wrong with it."""
    wanted = int if default is None else type(default)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < 1e300 else math.nan
    if not isinstance(value, wanted) or isinstance(value, bool) is not (wanted is bool):
        return value, f"'{name}' must be of type {wanted.__name__}"
    wrong = out_of_bounds(name, value)
    return value, f"'{name}' must be {wrong}" if wrong else None


def out_of_bounds(name: str, value: object) -> str | None:
    """Return what the setting called `name`, such as `recall.memories`, may be if not `value`."""
    table, _, key = name.partition(".")
    inner = {f.name: f for f in dataclasses.fields(getattr(Settings(), table))}
    low, high = inner[key].metadata.get("bounds", (-math.inf, math.inf))
    if not isinstance(value, int | float) or low <= value <= high:
        return None
    if high == _ANY and not value > high:
        return f"{low:g} or more"
    return f"between {low:g} and {high:.10g}"
