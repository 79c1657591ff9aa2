from collections.abc import Iterator
from typing import Any

import pytest

from gpucnn.simulator import as_cupy


@pytest.fixture
def cupy() -> Iterator[Any]:
    with as_cupy() as module:
        yield module
