"""Helpers of these tests stand beside them; importlib mode does not find them by itself."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ondevice import _kernels

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Compute in one thread: kernels over tiny arrays only wait for a second one."""
    before = _kernels.threads()
    _kernels.set_threads(1)
    yield
    _kernels.set_threads(before)
