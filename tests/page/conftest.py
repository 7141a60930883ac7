from __future__ import annotations

import os

import pytest
from browser import Browser, served, start_chromium
from fake_engine import FakeEngine

from ondevice.chat import Assistant
from ondevice.memory.service import Memory
from ondevice.settings import Settings


@pytest.fixture(scope="session")
def chromium():
    """One browser for all tests; nothing it downloads or reports."""
    os.environ["SE_OFFLINE"] = "true"
    driver = start_chromium()
    yield driver
    driver.quit()


@pytest.fixture
def script():
    """What the fake engine answers; a test changes it in place."""
    return ["Hello **there**."]


@pytest.fixture
def me(profile, script, embedder):
    assistant = Assistant(
        FakeEngine(lambda _: script[0]), Memory(profile, embedder, Settings()), Settings()
    )
    yield assistant
    assistant.close()


@pytest.fixture
def browser(me, chromium):
    """The page in a browser, not entered yet."""
    with served(me) as (address, app):
        shown = Browser(chromium, address, app)
        yield shown
        shown.as_before()
        chromium.get("about:blank")
