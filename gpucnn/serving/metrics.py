"""Counts and times of a server, for Prometheus."""

from collections.abc import Callable, Sequence, Sized
from time import perf_counter
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
IMAGES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """Of one server; several in a process know nothing of each other."""

    def __init__(self) -> None:
        self._all = CollectorRegistry()
        self.requests = Counter(
            "gpucnn_requests", "Requests by path and status", ("path", "status"), registry=self._all
        )
        self.seconds = Histogram(
            "gpucnn_request_seconds",
            "Time from the head of a request to the end of its answer",
            ("path",),
            buckets=SECONDS,
            registry=self._all,
        )
        self._images = Histogram(
            "gpucnn_batch_images",
            "Images that were computed together",
            ("model", "device"),
            buckets=IMAGES,
            registry=self._all,
        )
        self._waiting = Gauge(
            "gpucnn_waiting_requests",
            "Requests that wait for a model",
            ("model", "device"),
            registry=self._all,
        )

    def encode(self) -> bytes:
        """All of them in Prometheus's text format."""
        return generate_latest(self._all)

    def counting(
        self, compute: Callable[[Sequence[Asked]], Sequence[Answer]], model: str, device: str
    ) -> Callable[[Sequence[Asked]], Sequence[Answer]]:
        """The same function, of whose batches the sizes are counted."""
        images = self._images.labels(model, device)

        def compute_and_count(asked: Sequence[Asked]) -> Sequence[Answer]:
            images.observe(len(asked))
            return compute(asked)

        return compute_and_count

    def watch(self, queue: Sized, model: str, device: str) -> None:
        """Tell the length of a queue whenever it is asked for."""
        self._waiting.labels(model, device).set_function(lambda: len(queue))


class Measured:
    """An application whose requests are counted and timed.

    Args:
        app: the application.
        metrics: of it.
        paths: those that are told apart; a folder ends in "/", and all else is "other".
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: Sequence[str]) -> None:
        self._app, self._metrics, self._paths = app, metrics, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As of ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = perf_counter(), 500
        path = self._label(scope["path"].removeprefix(scope.get("root_path", "")))

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            self._metrics.requests.labels(path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(perf_counter() - started)

    def _label(self, path: str) -> str:
        for each in self._paths:
            if path == each or (each.endswith("/") and each != "/" and path.startswith(each)):
                return each
        return "other"
