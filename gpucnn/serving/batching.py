"""Requests that arrive while a model computes are computed together next.

None is waited for: a request that finds the model idle is computed at once, alone.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from gpucnn.errors import GpucnnError

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class BusyError(GpucnnError, RuntimeError):
    """As many requests wait already as may."""


class Batcher(Generic[Asked, Answer]):
    """Gives what callers ask, from whatever thread, to a thread of its own, in batches.

    The thread starts with the first request, and ends when nothing refers to the batcher any more.

    Args:
        compute: called in that thread with what is asked, returns the answers in the same order.
        most: requests in a batch.
        waiting: requests that may wait.
    """

    def __init__(
        self, compute: Callable[[Sequence[Asked]], Sequence[Answer]], most: int, waiting: int
    ) -> None:
        self._compute, self._most, self._longest = compute, most, waiting
        self._queue: deque[tuple[Asked, Future[Answer]]] = deque()
        self._thread = ThreadPoolExecutor(1, "gpucnn-serving")

    def __len__(self) -> int:
        """The number of requests that wait."""
        return len(self._queue)

    def submit(self, asked: Asked) -> Future[Answer]:
        """Ask for an answer; a future that is cancelled before its turn is passed over.

        Raises:
            BusyError: too many wait already.
        """
        if len(self._queue) >= self._longest:
            raise BusyError(f"{self._longest} requests are waiting already: ask again later")
        future: Future[Answer] = Future()
        self._queue.append((asked, future))
        self._thread.submit(self._work)  # finds nothing to do where an earlier one has taken it
        return future

    def _work(self) -> None:
        batch = self._take()
        if not batch:
            return
        try:
            answers = self._compute([asked for asked, _ in batch])
        except BaseException as error:  # which is the callers' to handle
            for _, future in batch:
                future.set_exception(error)
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                future.set_result(answer)

    def _take(self) -> list[tuple[Asked, Future[Answer]]]:
        batch: list[tuple[Asked, Future[Answer]]] = []
        while self._queue and len(batch) < self._most:
            asked, future = self._queue.popleft()
            if future.set_running_or_notify_cancel():
                batch.append((asked, future))
        return batch
