import pytest

from gpucnn.utils.arithmetic import ceil_div


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (8, 1), (9, 2)])
def test_ceil_div(count: int, expected: int) -> None:
    assert ceil_div(count, 8) == expected
