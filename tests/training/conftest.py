from collections.abc import Iterator

import pytest

from ondevice import _kernels


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Compute in one thread: kernels over tiny arrays only wait for a second one."""
    before = _kernels.threads()
    _kernels.set_threads(1)
    yield
    _kernels.set_threads(before)
