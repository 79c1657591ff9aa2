"""Streams, events and graphs."""

from typing import Any

import numpy as np
import pytest

ADD = """
extern "C" __global__ void add(float* x, float a) { x[threadIdx.x] += a; }
"""


def test_a_graph_does_what_was_recorded_when_it_is_launched(cupy: Any) -> None:
    add, x = cupy.RawKernel(ADD, "add"), cupy.zeros(3, dtype=cupy.float32)
    called: list[int] = []
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        add((1,), (3,), (x, np.float32(1)))
        x *= 2
        x[0] = 5
        y = (x + 1).sum()
        stream.launch_host_func(called.append, 1)
        assert stream.is_capturing()
        graph = stream.end_capture()
    assert not stream.is_capturing()
    assert x.get().tolist() == [0, 0, 0]
    assert called == []
    for expected in ([5, 2, 2], [5, 6, 6]):
        graph.launch(stream)
        assert x.get().tolist() == expected
        assert y.get() == sum(expected) + 3
    assert called == [1, 1]


@pytest.mark.parametrize(
    "reading",
    [
        lambda cupy, x: x.get(),
        lambda cupy, x: bool(x[0] > 0),
        lambda cupy, x: x.item(0),
        lambda cupy, x: x.set(np.zeros(3)),
        lambda cupy, x: cupy.cuda.Device().synchronize(),
    ],
)
def test_what_waits_is_refused_in_a_capture(cupy: Any, reading: Any) -> None:
    x, stream = cupy.zeros(3), cupy.cuda.Stream()
    with stream:
        stream.begin_capture()
        try:
            with pytest.raises(RuntimeError, match=r"^cudaErrorStreamCaptureUnsupported: "):
                reading(cupy, x)
        finally:
            stream.end_capture()


def test_captures_that_cannot_be(cupy: Any) -> None:
    with pytest.raises(RuntimeError, match=r"the null stream cannot be captured"):
        cupy.cuda.Stream.null.begin_capture()
    stream = cupy.cuda.Stream()
    with pytest.raises(RuntimeError, match=r"the stream is not captured"):
        stream.end_capture()
    stream.begin_capture()
    with pytest.raises(RuntimeError, match=r"the stream is captured already"):
        stream.begin_capture()
    assert (cupy.zeros(1) == 0).get().all()  # what other streams are given is done


def test_the_current_stream_is_that_of_the_innermost_with(cupy: Any) -> None:
    assert cupy.cuda.get_current_stream() == cupy.cuda.Stream.null
    with cupy.cuda.Stream() as outer:
        with cupy.cuda.Stream() as inner:
            assert cupy.cuda.get_current_stream() is inner
        assert cupy.cuda.get_current_stream() is outer
    assert cupy.cuda.get_current_stream() == cupy.cuda.Stream.null


def test_events_have_times(cupy: Any) -> None:
    start, end = cupy.cuda.Event(), cupy.cuda.Event()
    with pytest.raises(RuntimeError, match=r"not recorded"):
        cupy.cuda.get_elapsed_time(start, end)
    start.record()
    cupy.cuda.Stream.null.record(end)
    end.synchronize()
    assert end.done
    assert 0 <= cupy.cuda.get_elapsed_time(start, end) < 60_000
    with pytest.raises(RuntimeError, match=r"without timing"):
        cupy.cuda.get_elapsed_time(start, cupy.cuda.Event(disable_timing=True))
