import pytest

import small
from gpucnn import SGD, OneCycle
from gpucnn.errors import GpucnnWarning
from gpucnn.utils.warn import warn


def test_points_at_the_line_outside_of_the_package() -> None:
    with pytest.warns(GpucnnWarning, match="^look here$") as told:
        warn("look here")
    assert [each.filename for each in told] == [__file__]


def test_points_there_from_deep_within() -> None:
    model = small.model(SGD(OneCycle(0.1, 1)))
    with pytest.warns(GpucnnWarning, match="schedule ends") as told:
        model.fit(small.images(4), small.labels(4), batch_size=1, verbose=0)
    assert [each.filename for each in told] == [__file__]
