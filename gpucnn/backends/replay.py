"""Work on a device that is recorded once, and replayed."""

from collections.abc import Callable

from gpucnn.backends.memory import Memory, Recording
from gpucnn.errors import DeviceError
from gpucnn.utils.warn import warn


class Replayed:
    """Work that is done again and again, as the same operations on the same memory.

    The first time it is done as it is, and may allocate what it needs; the second time it is
    recorded, and from then on replayed. It begins anew when memory that is kept on the device was
    replaced by larger. On a device that cannot record, it is always done as it is.

    Args:
        backend: where the work is done.
        work: calls operations of `backend`.
    """

    def __init__(self, backend: Memory, work: Callable[[], None]) -> None:
        self._backend, self._work = backend, work
        self._recording: Recording | None = None
        self._allocations = -1  # of the backend, when the work was last done
        self._can_record = backend.can_record

    def __call__(self) -> None:
        """Do the work."""
        if self._allocations != self._backend.allocations:
            self._recording = None
            self._work()
            self._allocations = self._backend.allocations
        elif not self._can_record:
            self._work()
        else:
            self._replay()

    def _replay(self) -> None:
        if self._recording is None:
            try:
                self._recording = self._backend.record(self._work)
            except DeviceError as error:
                self._can_record = False
                warn(
                    f"the operations of a step are launched one by one, since they could not be "
                    f"recorded: {error}",
                )
                self._work()
                return
        self._recording.replay()
