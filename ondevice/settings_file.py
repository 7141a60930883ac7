"""Changing one setting in `config.toml`, leaving the person's comments and order alone."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path

from ondevice.errors import SettingsError, did_you_mean
from ondevice.ground.files import write_atomic
from ondevice.settings import Settings, out_of_bounds

Value = bool | int | float | str | None


def flat(settings: Settings) -> dict[str, Value]:
    """Return all settings by their full names, such as `generation.temperature`."""
    tables = dataclasses.asdict(settings)
    return {f"{table}.{key}": value for table in tables for key, value in tables[table].items()}


def set_value(path: Path, name: str, text: str) -> Value:
    """Set the setting called `name` in the file at `path` to what `text` says, and return it.

    The file is made if it is not there, and unchanged if anything is wrong.

    Raises:
        SettingsError: there is no such setting, the value is of another type, or the file is
            written in a way that cannot be edited safely.
    """
    defaults = flat(Settings())
    if name not in defaults:
        raise SettingsError(
            f"There is no setting '{name}'; {did_you_mean(name, defaults)}`ondevice config show` "
            "lists them all."
        )
    value = _parsed(name, text, defaults[name])
    before = flat(Settings.load(path))
    try:
        old = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        old = ""
    table, _, key = name.partition(".")
    new = _with_value(old, table, key, None if value is None else _literal(value))
    # Editing lines can go wrong where TOML is written in an unusual way: look before writing.
    try:
        fits = flat(Settings.from_toml(new, path)) == {**before, name: value}
    except SettingsError:
        fits = False
    if not fits:
        raise SettingsError(
            f"{path} is written in a way that cannot be edited safely; open it in an editor and "
            f"set {key} in the table [{table}]."
        )
    write_atomic(path.resolve(), new.encode())  # a link, as to a folder of dotfiles, stays one
    return value


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
    if not math.isfinite(value):
        kind = "a number" if isinstance(default, float) else "a whole number"
        raise SettingsError(
            f"'{name}' is {kind}, not '{text}'; give one (its default is {default})."
        )
    if wrong := out_of_bounds(name, value):
        raise SettingsError(
            f"'{name}' is {wrong}, not {text}; give another (its default is {default})."
        )
    return value


def _literal(value: bool | int | float | str) -> str:
    # JSON and TOML write numbers, truth values and quoted text alike.
    return json.dumps(value, ensure_ascii=False)


def _with_value(text: str, table: str, key: str, literal: str | None) -> str:
    """Return the TOML `text` with `key` of `table` set to `literal`, or without it if None."""
    lines = text.splitlines()
    header = re.compile(rf"\s*\[\s*{table}\s*\]\s*(#.*)?")
    begin = next((i for i, line in enumerate(lines) if header.fullmatch(line)), None)
    if begin is None:
        if literal is None:
            return text
        lines += [*([""] if lines else []), f"[{table}]"]
        begin = len(lines) - 1
    rest = range(begin + 1, len(lines))
    end = next((i for i in rest if lines[i].lstrip().startswith("[")), len(lines))
    at = next((i for i in range(begin + 1, end) if re.match(rf"\s*{key}\s*=", lines[i])), None)
    new = [] if literal is None else [f"{key} = {literal}"]
    if at is not None:
        comment = re.search(r"\s+#[^\"']*$", lines[at])
        if new and comment:
            new[0] += comment[0]
        lines[at : at + 1] = new
    else:
        lines[begin + 1 : begin + 1] = new
    return "\n".join(lines) + "\n"
