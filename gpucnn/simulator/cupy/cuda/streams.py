"""Streams, events and graphs.

What is launched has ended when the call returns, so a stream never has to wait, except that one
that is captured keeps what it is given for the graph.
"""

import time
from collections.abc import Callable
from contextvars import Token
from typing import Any

from gpucnn.simulator.cupy.errors import CUDARuntimeError, missing
from gpucnn.simulator.cupy.recording import Step, current_stream, refuse_in_capture, steps


class Stream:
    """A stream of launches.

    Args:
        null: whether it is the null stream.
        non_blocking: whether it would run beside the null stream.
        ptds: whether it is the default stream of a thread.
        priority: its priority.
    """

    null: "Stream"
    ptds: "Stream"

    def __init__(
        self,
        null: bool = False,
        non_blocking: bool = False,
        ptds: bool = False,
        priority: int | None = None,
    ) -> None:
        self.is_null, self.is_non_blocking = null, non_blocking
        self.priority = priority or 0
        self.device_id = 0
        self.ptr = 0 if null else 2 if ptds else id(self)
        self.steps: list[Step] | None = None  # what is recorded in a capture
        self._entered: list[Token[Any]] = []

    done = property(lambda _: True, doc="Whether all that was launched has ended.")

    def __enter__(self) -> "Stream":
        self._entered.append(current_stream.set(self))
        return self

    def __exit__(self, *_: Any) -> None:
        current_stream.reset(self._entered.pop())

    def use(self) -> "Stream":
        """Make it the current stream."""
        current_stream.set(self)
        return self

    def synchronize(self) -> None:
        """Wait for what was launched: it has ended already."""
        refuse_in_capture("a synchronisation")

    def record(self, event: "Event | None" = None) -> "Event":
        """Record an event."""
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: "Event") -> None:
        """Let what follows wait for an event, which is past already."""

    def add_callback(self, callback: Callable[..., Any], arg: Any) -> None:
        """Call a function, with the stream, a status of 0 and `arg`."""
        refuse_in_capture("a callback")
        callback(self, 0, arg)

    def launch_host_func(self, callback: Callable[..., Any], arg: Any) -> None:
        """Call a function with `arg`, in a graph too."""
        recorded = steps()
        if recorded is None:
            callback(arg)
        else:
            recorded.append(lambda: callback(arg))

    def begin_capture(self, mode: int | None = None) -> None:
        """Begin to record what is launched.

        Raises:
            CUDARuntimeError: it is the null stream, or a stream is captured already.
        """
        if self.is_null:
            raise CUDARuntimeError(
                "cudaErrorStreamCaptureUnsupported: the null stream cannot be captured: use "
                "another, with cupy.cuda.Stream(non_blocking=True)"
            )
        if self.steps is not None:
            raise CUDARuntimeError("cudaErrorIllegalState: the stream is captured already")
        self.steps = []

    def end_capture(self) -> "Graph":
        """End the capture, and return the graph of what was recorded.

        Raises:
            CUDARuntimeError: the stream is not captured.
        """
        if self.steps is None:
            raise CUDARuntimeError("cudaErrorIllegalState: the stream is not captured")
        recorded, self.steps = self.steps, None
        return Graph(recorded)

    def is_capturing(self) -> bool:
        """Whether it is captured."""
        return self.steps is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and other.ptr == self.ptr

    def __hash__(self) -> int:
        return hash(self.ptr)

    def __repr__(self) -> str:
        return f"<Stream {self.ptr} (device 0)>"


Stream.null = Stream(null=True)
Stream.ptds = Stream(ptds=True)


class ExternalStream(Stream):
    """A stream that another library made.

    Args:
        ptr: its address.
        device_id: the number of its device.
    """

    def __init__(self, ptr: int, device_id: int = -1) -> None:
        super().__init__()
        self.ptr = ptr


def get_current_stream(device_id: int = -1) -> Stream:
    """The stream of the innermost `with`, or the null stream."""
    return current_stream.get() or Stream.null


class Graph:
    """What a stream recorded, to be launched any number of times."""

    def __init__(self, recorded: list[Step]) -> None:
        self._steps = recorded

    def launch(self, stream: Stream | None = None) -> None:
        """Do all that was recorded, in its order."""
        for step in self._steps:
            step()

    def upload(self, stream: Stream | None = None) -> None:
        """Nothing: there is no device to bring it to."""

    def debug_dot_str(self, flags: int = 0) -> str:
        """Refused: it is the driver's text.

        Raises:
            MissingNameError: always.
        """
        raise missing("cupy.cuda.graph.Graph.debug_dot_str")


class Event:
    """A point in time of a stream.

    Args:
        block: whether waiting for it would let the processor sleep.
        disable_timing: whether it has no time.
        interprocess: whether other processes would see it.
    """

    def __init__(
        self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
    ) -> None:
        self.disable_timing = disable_timing
        self.ptr = id(self)
        self.time: float | None = None

    done = property(lambda _: True, doc="Whether it is past.")

    def record(self, stream: Stream | None = None) -> None:
        """Let it be now."""
        self.time = time.perf_counter()

    def synchronize(self) -> None:
        """Wait for it: it is past already."""
        refuse_in_capture("a synchronisation")


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Milliseconds between two events, of the host's clock.

    Raises:
        CUDARuntimeError: one was not recorded, or has no time.
    """
    if start_event.disable_timing or end_event.disable_timing:
        raise CUDARuntimeError("cudaErrorInvalidResourceHandle: an event without timing")
    if start_event.time is None or end_event.time is None:
        raise CUDARuntimeError("cudaErrorInvalidResourceHandle: an event was not recorded")
    return 1000 * (end_event.time - start_event.time)
