"""Threads that work on the parts of one batch."""

import weakref
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread

import numpy as np

Task = Callable[[], None]


class Team:
    """The calling thread and some more, which wait for tasks for as long as the team is used.

    NumPy lets other threads run while it computes. Waiting on a queue costs a few microseconds, an
    executor of the standard library several times that, which small batches would feel.

    Args:
        threads: how many there are, the caller included.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._tasks: list[SimpleQueue[Task | None]] = []
        self._results: SimpleQueue[BaseException | None] = SimpleQueue()

    def run(self, tasks: Sequence[Task]) -> None:
        """Run tasks, no more than there are threads, at once; the first in the calling thread.

        Raises:
            BaseException: what the first of them that failed has raised, once all have ended.
        """
        if len(tasks) == 1:
            tasks[0]()
            return
        if not self._tasks:
            self._start()
        others = tasks[1:]
        for queue, task in zip(self._tasks, others, strict=False):
            queue.put(task)
        errors = [_error_of(tasks[0]), *(self._results.get() for _ in others)]
        for error in errors:
            if error is not None:
                raise error

    def _start(self) -> None:
        for _ in range(self.threads - 1):
            tasks: SimpleQueue[Task | None] = SimpleQueue()
            Thread(target=_work, args=(tasks, self._results), daemon=True).start()
            weakref.finalize(self, tasks.put, None)
            self._tasks.append(tasks)


def _work(tasks: "SimpleQueue[Task | None]", results: "SimpleQueue[BaseException | None]") -> None:
    # A network that diverges overflows in every operation; see `Backend.session`, whose setting
    # belongs to the thread that entered it.
    with np.errstate(over="ignore", invalid="ignore"):
        while (task := tasks.get()) is not None:
            results.put(_error_of(task))


def _error_of(task: Task) -> BaseException | None:
    try:
        task()
    except BaseException as error:  # Ctrl-C too: the others' results are still to be taken
        return error
    return None
