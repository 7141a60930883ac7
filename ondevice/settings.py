"""Every default, once. The command line, the Python API and the documentation derive from these.

`Settings.load` reads `config.toml` in the config folder, with one table per
dataclass: `[generation]`, `[recall]`, `[model]`, `[retention]`, `[learning]`.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ondevice.errors import SettingsError, did_you_mean, explain


def _in(low: float, high: float, default: Any) -> Any:
    """Return a field whose value lies between `low` and `high`, both included."""
    return field(default=default, metadata={"bounds": (low, high)})


_ANY = math.inf
_DAYS = 100_000


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
    n_threads: int = _in(0, 1024, 0)  # 0: one per physical core
    n_gpu_layers: int = _in(-1, 2**31 - 1, 0)
    # unload the model after this long without use; 0: never
    idle_seconds: float = _in(0, 1e9, 0.0)


@dataclass(frozen=True)
class RecallSettings:
    """How much is remembered in a prompt."""

    memories: int = _in(0, 1000, 6)  # retrieved for a turn, at the most
    # a memory that shares no word with the turn must be this similar
    min_cosine: float = _in(-1, 1, 0.25)
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
    def load(cls, path: Path) -> Settings:
        """Read settings from the TOML file at `path`; a missing file gives the defaults.

        Raises:
            SettingsError: the file is not TOML, or names an unknown setting or a wrong type.
        """
        try:
            return cls.from_toml(path.read_text(encoding="utf-8"), path)
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise SettingsError(f"{path} cannot be read: {explain(error)}.") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"{path} is not UTF-8 text; correct or delete it.") from error

    @classmethod
    def from_toml(cls, text: str, path: Path) -> Settings:
        """Return the settings of the TOML `text`; `path` is named in errors.

        Raises:
            SettingsError: as for `load`.
        """
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{path} is not TOML: {error}; correct or delete it.") from error
        settings: Settings = _from_table(cls(), tables, path, "")
        return settings


def _from_table(current: Any, table: dict[str, Any], path: Path, prefix: str) -> Any:
    """Return the dataclass `current` with the values of `table` laid over it."""
    changes: dict[str, Any] = {}
    fields = {f.name: f for f in dataclasses.fields(current)}
    for key, value in table.items():
        name = prefix + key
        if key not in fields:
            known = [prefix + known_key for known_key in fields]
            raise SettingsError(
                f"{path}: there is no setting '{name}'; {did_you_mean(name, known)}use one of "
                f"{', '.join(known)}."
            )
        old = getattr(current, key)
        if dataclasses.is_dataclass(old):
            if not isinstance(value, dict):
                raise SettingsError(
                    f"{path}: '{name}' must be a table; write [{name}] above its settings."
                )
            changes[key] = _from_table(old, value, path, f"{name}.")
        else:
            changes[key] = _checked(old, value, name, path)
            if wrong := out_of_bounds(name, changes[key]):
                raise SettingsError(f"{path}: '{name}' must be {wrong}; correct it.")
    return dataclasses.replace(current, **changes)


def _checked(old: object, value: object, name: str, path: Path) -> object:
    """Return `value` if it fits the type of the default `old`."""
    wanted = int if old is None else type(old)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, wanted) or isinstance(value, bool) is not (wanted is bool):
        raise SettingsError(f"{path}: '{name}' must be of type {wanted.__name__}; correct it.")
    return value


def out_of_bounds(name: str, value: object) -> str | None:
    """Return what the setting called `name`, such as `recall.memories`, may be if not `value`."""
    table, _, key = name.partition(".")
    inner = {f.name: f for f in dataclasses.fields(getattr(Settings(), table))}
    low, high = inner[key].metadata.get("bounds", (-_ANY, _ANY))
    if not isinstance(value, int | float) or low <= value <= high:
        return None
    return f"{low:g} or more" if high == _ANY else f"between {low:g} and {high:.10g}"
