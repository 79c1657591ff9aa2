"""`cupyx.profiler`: how long calls take, on the host whose time is the device's too."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ContextDecorator, contextmanager
from math import inf
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.float64]


class Result:
    """What `benchmark` measured.

    Attributes:
        name: of what was called.
        cpu_times: seconds of each call, of shape (repeats,).
        gpu_times: the same for each device, of shape (1, repeats).
    """

    def __init__(self, name: str, times: Times) -> None:
        self.name, self.cpu_times, self.gpu_times = name, times, times[np.newaxis].copy()

    def to_str(self, show_gpu: bool = False) -> str:
        """The mean, deviation, least and most microseconds of a call, as a line."""
        parts = [f"{self.name:<20s}:", _line("CPU", self.cpu_times)]
        return " ".join([*parts, _line("GPU-0", self.gpu_times[0])] if show_gpu else parts)

    def __str__(self) -> str:
        return self.to_str(show_gpu=True)

    __repr__ = __str__


def _line(device: str, seconds: Times) -> str:
    us = 1e6 * seconds
    return (
        f"   {device}: {us.mean():9.3f} us   +/- {us.std():6.3f} "
        f"(min: {us.min():9.3f} / max: {us.max():9.3f}) us"
    )


def benchmark(
    func: Callable[..., Any],
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    n_repeat: int = 10000,
    *,
    name: str | None = None,
    n_warmup: int = 10,
    max_duration: float = inf,
    devices: Sequence[int] | None = None,
) -> Result:
    """Time a function, call by call.

    Args:
        func: what is called.
        args: its arguments.
        kwargs: its arguments by name.
        n_repeat: how many times it is called.
        name: in the result, by default the function's.
        n_warmup: how many times it is called before.
        max_duration: seconds after which no further call begins.
        devices: of which there is one.

    Raises:
        ValueError: an argument is of another type, or there would be no call.
    """
    if not callable(func):
        raise ValueError("`func` should be a callable object.")
    if not isinstance(args, tuple):
        raise ValueError("`args` should be of tuple type.")
    if not isinstance(n_repeat, int) or n_repeat < 1:
        raise ValueError("`n_repeat` should be an integer of at least 1.")
    given = dict(kwargs or {})
    for _ in range(n_warmup):
        func(*args, **given)
    times: list[float] = []
    duration = 0.0
    for _ in range(n_repeat):
        begin = perf_counter()
        func(*args, **given)
        times.append(perf_counter() - begin)
        duration += times[-1]
        if duration >= max_duration:
            break
    return Result(name or str(getattr(func, "__name__", func)), np.array(times))


class time_range(ContextDecorator):  # noqa: N801 - CuPy's name
    """A range that a profiler would show: a context, or a decorator of functions.

    Args:
        message: its name.
        color_id: of no meaning here, as are the others.
        argb_color: as `color_id`.
        sync: whether the device is waited for, which is never busy here.
    """

    def __init__(
        self,
        message: str | None = None,
        color_id: int | None = None,
        argb_color: int | None = None,
        sync: bool = False,
    ) -> None:
        if color_id is not None and argb_color is not None:
            raise ValueError("Only either color_id or argb_color can be specified")
        self.message, self.color_id, self.argb_color = message, color_id, argb_color
        self.sync = sync

    def __enter__(self) -> "time_range":
        return self

    def __exit__(self, *_: object) -> None:
        """There is no profiler."""


@contextmanager
def profile() -> Iterator[None]:
    """What a profiler would record: nothing."""
    yield


def profiler_names() -> dict[str, Any]:
    """What `cupyx.profiler` has."""
    return {each.__name__: each for each in (benchmark, time_range, profile)}
