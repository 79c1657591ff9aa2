import pytest

from gpucnn.commands.sweeps.result import spread


def test_spread_of_several() -> None:
    # Deviations from the mean of 3: -2, 0, 2, so that the sample's variance is 8 / 2.
    assert spread([1, 3, 5]) == (3, 2, 1, 5)


def test_one_has_no_deviation() -> None:
    assert spread([0.5]) == (0.5, None, 0.5, 0.5)


def test_equal_ones_do_not_deviate() -> None:
    assert spread([0.98] * 3) == pytest.approx((0.98, 0, 0.98, 0.98))
