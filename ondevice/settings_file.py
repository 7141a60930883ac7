"""Changing one setting in `config.toml`, leaving the person's comments and order alone.

What is saved was checked by what will use it; a file that is wrong is mended on the way.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

from ondevice import settings_lines
from ondevice.errors import BaseModelError, RecallError, SettingsError, explain, or_meant
from ondevice.ground.files import expanded, write_atomic
from ondevice.home import Home
from ondevice.memory.embedders.choose import ENGLISH, MULTILINGUAL, open_embedder
from ondevice.models.catalogue import CATALOGUE
from ondevice.models.chosen import DEFAULT_NAME, usable
from ondevice.remedies import Remedy, within
from ondevice.settings import MOST_THREADS, Settings, out_of_bounds, settings_path
from ondevice.settings_lines import Problem

Value = bool | int | float | str | None


@dataclasses.dataclass(frozen=True)
class Saved:
    """A setting that was saved.

    Attributes:
        value: as it stands in the file.
        left_out: what was wrong with the file before, and counts as a comment now.
    """

    value: Value
    left_out: Sequence[Problem]


def flat(settings: Settings) -> dict[str, Value]:
    """Return all settings by their full names, such as `generation.temperature`."""
    tables = dataclasses.asdict(settings)
    return {f"{table}.{key}": value for table in tables for key, value in tables[table].items()}


def set_value(home: Home, name: str, text: str) -> Saved:
    """Set the setting called `name` in the settings file to what `text` says.

    The file is made if it is not there, and unchanged if the setting is refused. Lines of it that
    mean nothing are made comments.

    Raises:
        SettingsError: there is no such setting, the value cannot be used, or the file is written
            in a way that cannot be edited safely.
    """
    path, defaults = settings_path(home), flat(Settings())
    if name not in defaults:
        raise SettingsError(
            or_meant(f"There is no setting '{name}'", name, defaults), Remedy.LIST_SETTINGS
        )
    value = _usable(home, name, _parsed(name, text, defaults[name]))
    content = _content(path)
    before, problems = Settings.parse(content)
    wanted = {**flat(before), name: value}
    new = _edited(content, problems, name, value)
    # Editing lines can go wrong where TOML is written in an unusual way: look before writing.
    if not _says(new, wanted):
        if not problems:
            table, _, key = name.partition(".")
            raise SettingsError(
                f"{path} is written in a way that cannot be edited safely; open it in an editor "
                f"and set {key} in the table [{table}]."
            )
        new = _written_anew(content, wanted)
    write_atomic(path.resolve(), new.encode())  # a link, as to a folder of dotfiles, stays one
    return Saved(value, problems)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {explain(error)}.") from error


def _edited(content: bytes, problems: Sequence[Problem], name: str, value: Value) -> str:
    """Return the file with one setting changed, and without the lines that mean nothing."""
    table, _, key = name.partition(".")
    lines = settings_lines.lines_of(content)
    at = settings_lines.line_of(lines, table, key)  # need not be kept: it is replaced
    wrong = [one.line for one in problems if one.line is not None and one.line != at]
    text = "".join(f"{line}\n" for line in settings_lines.mended(lines, wrong))
    return settings_lines.with_value(text, table, key, None if value is None else _literal(value))


def _says(text: str, wanted: dict[str, Value]) -> bool:
    settings, problems = Settings.parse(text.encode())
    return not problems and flat(settings) == wanted


def _written_anew(content: bytes, wanted: dict[str, Value]) -> str:
    """Return a file of those settings that are no defaults; what stood there follows as comments.

    For files in which so much is wrong that no line can be trusted.
    """
    text, defaults = "", flat(Settings())
    for name, value in wanted.items():
        if value is not None and value != defaults[name]:
            table, _, key = name.partition(".")
            text = settings_lines.with_value(text, table, key, _literal(value))
    former = [line for line in settings_lines.lines_of(content) if line.strip()]
    return text + "".join(f"{settings_lines.LEFT_OUT}{_printable(line)}\n" for line in former)


def _printable(line: str) -> str:
    """Return a line without the characters that no TOML comment may hold."""
    return "".join(one if one == "\t" or one.isprintable() else "\ufffd" for one in line)


# --- values ---------------------------------------------------------------------------------


def _parsed(name: str, text: str, default: Value) -> Value:
    """Return `text` as a value of the type of `default`."""
    lower = text.strip().lower()
    if default is None and lower == "none":
        return None
    if isinstance(default, bool):
        if lower in ("true", "yes", "on", "false", "no", "off"):
            return lower in ("true", "yes", "on")
        raise SettingsError(f"'{name}' is true or false, not '{text}'; give one of them.")
    if isinstance(default, str):
        return text
    try:
        value = float(lower) if isinstance(default, float) else int(lower)
    except ValueError:
        value = math.nan
    if isinstance(value, float) and not math.isfinite(value):
        kind = "a number" if isinstance(default, float) else "a whole number"
        raise SettingsError(
            f"'{name}' is {kind}, not '{text[:40]}'; give one (its default is {default})."
        )
    if wrong := out_of_bounds(name, value):
        raise SettingsError(
            f"'{name}' is {wrong}, not {text[:40]}; give another (its default is {default})."
        )
    return value


def _usable(home: Home, name: str, value: Value) -> Value:
    """Return `value` as it is to be saved, after what will use it has looked at it.

    Raises:
        SettingsError: it cannot be used on this machine.
    """
    check = _CHECKS.get(name)
    return check(home, name, value) if check is not None else value


def _usable_model(home: Home, name: str, value: Value) -> Value:
    """Look at a base model as is done at every start; a path is kept whole.

    The program starts elsewhere another time, and a path that depends on the folder would lead
    nowhere there.
    """
    wanted = str(value).strip()
    if any(unicodedata.category(one) in ("Cc", "Cs") for one in wanted):
        raise SettingsError(
            f"'{name}' holds something that is not a character; give a name or a path."
        )
    try:
        base = usable(wanted, home)
    except BaseModelError as error:
        why = within(f"'{name}' was not changed: ", error.notice, "; choose another model.")
        raise SettingsError(why) from error
    except OSError as error:
        raise SettingsError(f"'{name}' was not changed: {wanted}: {explain(error)}.") from error
    if wanted == DEFAULT_NAME or wanted in CATALOGUE or base.path.parent == home.models:
        return wanted
    return str(expanded(Path(wanted)).absolute())


def _usable_embedder(home: Home, name: str, value: Value) -> Value:
    """Look at the folder of an embedder; its path is kept whole."""
    wanted = str(value).strip()
    if wanted in (MULTILINGUAL, ENGLISH):
        return wanted
    path = str(expanded(Path(wanted)).absolute())
    try:
        open_embedder(path, home)
    except RecallError as error:
        raise SettingsError(within(f"'{name}' was not changed: ", error.notice)) from error
    except ValueError as error:  # a character that no path has
        raise SettingsError(f"'{name}' was not changed: that is no path; give another.") from error
    return path


def _usable_threads(home: Home, name: str, value: Value) -> Value:
    """Refuse more threads than the processor can run: they would wait for each other."""
    assert isinstance(value, int)
    cores = os.cpu_count() or 1
    most = min(MOST_THREADS, 4 * cores)
    if value > most:
        raise SettingsError(
            f"'{name}' is at most {most} on this machine, which runs {cores} at once, not {value}; "
            "give fewer, or 0 for one a core."
        )
    return value


_CHECKS: dict[str, Callable[[Home, str, Value], Value]] = {
    "model.name": _usable_model,
    "model.n_threads": _usable_threads,
    "recall.embedder": _usable_embedder,
}


def _literal(value: bool | int | float | str) -> str:
    # JSON and TOML write numbers, truth values and quoted text alike.
    return json.dumps(value, ensure_ascii=False)
