"""`cupyx.profiler`: benchmark, time_range and profile."""

import importlib
import re
from typing import Any

import pytest


@pytest.fixture
def profiler(cupy: Any) -> Any:
    return importlib.import_module("cupyx.profiler")


def test_a_function_is_called_and_timed(cupy: Any, profiler: Any) -> None:
    given: list[object] = []

    def note(x: Any, *, y: int) -> None:
        given.append((x.shape, y))

    found = profiler.benchmark(note, (cupy.zeros(3),), {"y": 5}, n_repeat=4, n_warmup=2)
    assert given == [((3,), 5)] * 6
    assert found.name == "note"
    assert found.cpu_times.shape == (4,)
    assert found.gpu_times.shape == (1, 4)
    assert (found.cpu_times > 0).all()
    line = r"note {16}: {4}CPU: +[\d.]+ us   \+/- +[\d.]+ \(min: +[\d.]+ / max: +[\d.]+\) us"
    assert re.fullmatch(line, found.to_str())
    assert re.fullmatch(rf"{line} {{4}}GPU-0: .* us", str(found))


def test_no_call_begins_when_the_time_is_over(profiler: Any) -> None:
    found = profiler.benchmark(lambda: None, n_repeat=100, max_duration=0.0, name="nothing")
    assert (found.name, found.cpu_times.shape) == ("nothing", (1,))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"func": 5}, "`func` should be a callable"),
        ({"args": [1]}, "`args` should be of tuple type"),
        ({"n_repeat": 0}, "`n_repeat` should be an integer of at least 1"),
    ],
)
def test_what_cannot_be_timed(profiler: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        profiler.benchmark(**{"func": abs, **given})


def test_ranges_are_contexts_and_decorators(cupy: Any, profiler: Any) -> None:
    with profiler.profile(), profiler.time_range("range", color_id=1) as shown:
        assert shown.message == "range"
    assert profiler.time_range(sync=True)(abs)(-3) == 3
    with pytest.raises(ValueError, match=r"^Only either color_id or argb_color"):
        profiler.time_range(color_id=1, argb_color=2)
