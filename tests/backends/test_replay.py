from collections.abc import Callable

import pytest

from gpucnn.backends.memory import Memory, Recording
from gpucnn.backends.replay import Replayed
from gpucnn.errors import DeviceError, GpucnnWarning


class Recorder(Memory):
    """Says what is done, recorded and replayed, with a `work` that may allocate."""

    can_record = True

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []
        self.fails = False

    def work(self) -> None:
        self.done.append("work")

    def record(self, work: Callable[[], None]) -> Recording:
        if self.fails:
            raise DeviceError("no graph today")
        self.done.append("record")
        work()
        return self

    def replay(self) -> None:
        self.done.append("replay")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_work_is_recorded_when_it_is_done_again(recorder: Recorder) -> None:
    step = Replayed(recorder, recorder.work)
    for _ in range(3):
        step()
    assert recorder.done == ["work", "record", "work", "replay", "replay"]


def test_work_is_recorded_again_where_memory_was_replaced(recorder: Recorder) -> None:
    step = Replayed(recorder, recorder.work)
    step()
    step()
    recorder.done.clear()
    recorder.allocations += 1
    for _ in range(3):
        step()
    assert recorder.done == ["work", "record", "work", "replay", "replay"]


def test_work_is_done_where_nothing_can_be_recorded(recorder: Recorder) -> None:
    recorder.can_record = False
    step = Replayed(recorder, recorder.work)
    step()
    step()
    assert recorder.done == ["work", "work"]


def test_work_that_cannot_be_recorded_is_done_with_a_warning(recorder: Recorder) -> None:
    recorder.fails = True
    step = Replayed(recorder, recorder.work)
    step()
    with pytest.warns(GpucnnWarning, match="^the operations of a step are launched one by one, "):
        step()
    step()
    assert recorder.done == ["work", "work", "work"]
