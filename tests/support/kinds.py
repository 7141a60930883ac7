"""Which kind of test a test is: `unit`, `model`, `browser` or `trace`.

The kind follows from what a test uses and where it stands, so that nobody has to remember it;
a marker in the test's own file (`pytestmark`, or over the test) has the last word.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

KINDS = ("unit", "model", "browser", "trace")
PROMISED = 2.0  # seconds; a unit test that takes longer is one to look at
FIXTURES = {
    "chromium": "browser",
    "default_model": "model",  # 98 MB to read and check
    "shared_engine": "model",
    "make_adapter": "model",  # for the default model
}
FOLDERS = {"page": "browser", "privacy": "trace"}
NAMES = ("real_model", "default_model", "real_adapters")  # in a file's or a test's: `model`


def kind_of(item: pytest.Item) -> str:
    """Return the kind of a test: its own marker's, its folder's, or that of what it uses."""
    for marker in item.iter_markers():
        if marker.name in KINDS:
            return marker.name
    folders = item.path.relative_to(item.config.rootpath).parts
    if len(folders) > 1 and folders[1] in FOLDERS:
        return FOLDERS[folders[1]]
    used = getattr(item, "fixturenames", ())
    if found := next((kind for name, kind in FIXTURES.items() if name in used), None):
        return found
    return "model" if any(name in item.nodeid for name in NAMES) else "unit"


_OWN_MARK = re.compile(r"^pytestmark = pytest\.mark\.(\w+)", re.MULTILINE)


def _kind_of_file(path: Path) -> str | None:
    """Return the kind of all tests of a file, if the file alone tells it."""
    text = path.read_text(encoding="utf-8")
    if any(f"pytest.mark.{kind}" in _OWN_MARK.sub("", text) for kind in KINDS):
        return None
    if found := _OWN_MARK.search(text):
        return found[1] if found[1] in KINDS else None
    return FOLDERS.get(path.parent.name)


class Kinds:
    """The plugin that marks every test and names the unit tests that break the promise."""

    def __init__(self) -> None:
        """Begin with nothing slow."""
        self._slow: list[tuple[float, str]] = []

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Leave files alone that hold no test of the one kind that is asked for.

        Some import much: a browser's driver, other programs' clients.
        """
        wanted = config.option.markexpr
        if wanted not in KINDS or collection_path.suffix != ".py":
            return None
        kind = _kind_of_file(collection_path)
        return True if kind not in (None, wanted) else None

    @pytest.hookimpl(tryfirst=True)  # before `-m` chooses
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Give each test the marker of its kind."""
        side_by_side = config.pluginmanager.hasplugin("xdist")
        for item in items:
            kind = kind_of(item)
            if item.get_closest_marker(kind) is None:
                item.add_marker(kind)
            if side_by_side and kind == "browser":  # one Chromium for all
                item.add_marker(pytest.mark.xdist_group(kind))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what took longer than a unit test should."""
        if "unit" in report.keywords and report.duration > PROMISED:
            self._slow.append((report.duration, f"{report.nodeid} ({report.when})"))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which unit tests were slow; on a busy machine that may be nobody's fault."""
        if self._slow:
            terminalreporter.section(f"unit tests over {PROMISED:g} s")
        for seconds, name in sorted(self._slow, reverse=True):
            terminalreporter.write_line(f"{seconds:6.1f} s  {name}")
