"""Weights whose changes are noticed."""

import numpy as np
import pytest

from gpucnn.backends import Array
from gpucnn.models.replica import watched
from gpucnn.models.replica.watched import Watched


def test_changes_are_noticed_once() -> None:
    vectors: list[Array] = [np.zeros(5, np.float32), np.zeros(2), np.zeros(0)]
    weights = Watched(vectors, can_compare=True)
    seen = [weights.notice(), weights.notice()]
    vectors[0][3:] = 5
    seen += [weights.changes, weights.notice(), weights.notice()]
    vectors[1][1] = np.nan
    seen += [weights.notice(), weights.notice()]
    vectors[0][0] = -0.0  # whose bytes are others than those of 0
    seen += [weights.notice(), weights.changes]
    assert seen == [1, 1, 1, 2, 2, 3, 3, 4, 4]


def test_what_is_not_compared_changes_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    of_device = Watched([np.zeros(5)], can_compare=False)
    monkeypatch.setattr(watched, "MOST", 39)
    large = Watched([np.zeros(5)], can_compare=True)
    for weights in (of_device, large):
        assert [weights.notice(), weights.notice(), weights.changes] == [1, 2, 2]
