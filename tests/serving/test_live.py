"""A training in a browser: what is told, when it ends, and that it changes nothing."""

import asyncio
import json
import socket
import sys
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import small
from gpucnn import Dense, Flatten, Sequential
from gpucnn.callbacks import Callback, LambdaCallback
from gpucnn.errors import InvalidValueError
from gpucnn.serving import LivePage
from gpucnn.serving.course import Course, filters_of
from gpucnn.serving.server import LOCAL, open_socket
from mpiexec import run_ranks

X, Y = small.images(40), small.labels(40)
FIT: dict[str, Any] = {"epochs": 3, "batch_size": 8, "verbose": 0}


@pytest.fixture
def live(page: Path) -> Iterator[LivePage]:
    with LivePage(page=page) as made:
        yield made


def get(live: LivePage, path: str) -> tuple[int, str]:
    with asking(live, path) as answer:
        return answer.status, answer.read().decode()


@contextmanager
def asking(live: LivePage, path: str) -> Iterator[Any]:
    connection = HTTPConnection(LOCAL, port_of(live), timeout=10)
    connection.request("GET", path)
    yield connection.getresponse()
    connection.close()


def port_of(live: LivePage) -> int:
    return int(live.url.split(":")[2].rstrip("/"))


def is_served(live: LivePage) -> bool:
    try:
        socket.create_connection((LOCAL, port_of(live)), timeout=10).close()
    except ConnectionRefusedError:
        return False
    return True


# What is told


def test_each_epoch_is_told(live: LivePage) -> None:
    told = []
    after = LambdaCallback(
        on_epoch_end=lambda *_: told.append(json.loads(get(live, "/api/training")[1]))
    )
    model = small.model(threads=1)
    history = model.fit(X, Y, validation_data=(X, Y), callbacks=[live, after], **FIT).history
    assert [each["epoch"] for each in told] == [1, 2, 3]
    for each in told:
        assert (each["epochs"], each["finished"]) == (3, False)
        assert each["steps"] == {"done": 5, "of": 5}
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert told[-1]["history"][name] == history[name]
        assert told[0]["history"][name] == history[name][:1]
    assert told[-1]["filters"] == filters_of(model)
    assert told[0]["filters"] != told[1]["filters"]


def test_the_page_is_served_until_the_training_ends(
    live: LivePage, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = []

    def look(*_: object) -> None:
        pages.append([get(live, path) for path in ("/", "/live", "/page/page.js", "/health", "/x")])

    small.model(threads=1).fit(X, Y, callbacks=[live, LambdaCallback(on_epoch_end=look)], **FIT)
    assert capsys.readouterr().out == f"curves and filters, until the training ends: {live.url}\n"
    for shown, also, script, health, other in pages:
        assert shown == also == (200, "<!doctype html><title>live</title>")
        assert script == (200, "let a = 1")
        assert health == (200, '{"status":"ok"}')
        assert other[0] == 404
    assert not is_served(live)


def test_events_follow_a_training_to_its_end(live: LivePage) -> None:
    events: list[str] = []
    threads: list[threading.Thread] = []

    def follow() -> None:
        with asking(live, "/api/training/events") as answer:
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            first = answer.readline()  # told at once, before the first step
            begun.set()
            events.extend((first + answer.read()).decode().split("\n\n"))

    def begin(*_: object) -> None:
        threads.append(threading.Thread(target=follow))
        threads[-1].start()
        assert begun.wait(10)

    begun = threading.Event()
    after = LambdaCallback(on_train_begin=begin)
    history = small.model(threads=1).fit(X, Y, callbacks=[live, after], **FIT).history
    threads[0].join(10)
    assert not threads[0].is_alive()
    assert events.pop() == ""
    told = [json.loads(each.removeprefix("data: ")) for each in events]
    assert told[0]["epoch"] < 3
    assert not told[0]["finished"]
    assert (told[-1]["epoch"], told[-1]["finished"]) == (3, True)
    assert told[-1]["history"]["loss"] == history["loss"]
    assert [each["epoch"] for each in told] == sorted(each["epoch"] for each in told)


def test_earlier_epochs_are_told_as_well(live: LivePage) -> None:
    live.earlier = [{"epoch": 1, "loss": 2.5, "confusion": [[1]]}, {"epoch": 2, "loss": 2.0}]
    told = []
    after = LambdaCallback(
        on_epoch_end=lambda *_: told.append(json.loads(get(live, "/api/training")[1]))
    )
    model = small.model(threads=1)
    model.fit(X, Y, callbacks=[live, after], **FIT | {"initial_epoch": 2})
    assert told[0]["epoch"] == 3
    assert told[0]["history"]["loss"][:2] == [2.5, 2.0]
    assert told[0]["history"]["accuracy"][:2] == [None, None]
    assert "confusion" not in told[0]["history"]


def test_what_is_not_finite_is_null() -> None:
    course = Course(2, None, [{"loss": float("nan")}, {"loss": float("inf")}])
    told = json.loads(course.encode())
    assert told["history"] == {"loss": [None, None]}
    assert told["steps"] == {"done": 0, "of": None}


def test_filters_are_of_the_first_convolution() -> None:
    model = small.model(threads=1)
    kernel = model.get_weights()[0]
    told = filters_of(model)
    assert told is not None
    data = np.frombuffer(b64decode(told.pop("data")), np.uint8).reshape(4, 3, 3)
    assert told == {"layer": "conv2d", "count": 4, "rows": 3, "columns": 3, "channels": 1}
    expected = np.rint(128 + 127 * np.moveaxis(kernel[:, :, 0], 2, 0) / np.abs(kernel).max())
    assert_array_equal(data, expected)
    assert filters_of(Sequential([Flatten(), Dense(2)], small.SHAPE, threads=1)) is None


# The training


@pytest.mark.parametrize("threads", [1, 2])
def test_a_training_ends_in_the_same_bytes(threads: int, live: LivePage) -> None:
    """And the port is free, although workers began after it was taken."""
    watched, alone = (small.model(device="cpu", threads=threads, seed=1) for _ in range(2))
    given = FIT | {"validation_data": (X, Y)}
    histories = [
        watched.fit(X, Y, callbacks=live, **given).history,
        alone.fit(X, Y, **given).history,
    ]
    assert small.weight_bytes(watched) == small.weight_bytes(alone)
    assert histories[0]["val_loss"] == histories[1]["val_loss"]
    assert not is_served(live)
    with open_socket(LOCAL, port_of(live)):
        pass


def test_it_serves_one_training_after_another(live: LivePage) -> None:
    served = []
    look = LambdaCallback(on_epoch_end=lambda *_: served.append(is_served(live)))
    for _ in range(2):
        small.model(threads=1).fit(X, Y, callbacks=[live, look], **FIT)
        assert not is_served(live)
    assert served == [True] * 6


def test_after_an_error_it_ends_with_its_context(page: Path) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    def train(live: LivePage) -> None:
        with live:
            callbacks: list[Callback] = [live, LambdaCallback(on_epoch_end=fail)]
            small.model(threads=1).fit(X, Y, callbacks=callbacks, **FIT)

    live = LivePage(page=page)
    with pytest.raises(ZeroDivisionError):
        train(live)
    assert not is_served(live)
    live.close()  # again changes nothing


def test_after_an_error_another_training_begins(live: LivePage) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            small.model(threads=1).fit(X, Y, callbacks=[live, LambdaCallback(fail)], **FIT)
    assert is_served(live)
    small.model(threads=1).fit(X, Y, callbacks=live, **FIT)
    assert not is_served(live)


def test_it_works_where_an_event_loop_runs(live: LivePage) -> None:
    told = []

    async def train() -> None:
        look = LambdaCallback(on_epoch_end=lambda *_: told.append(get(live, "/health")[0]))
        small.model(threads=1).fit(X, Y, callbacks=[live, look], **FIT)

    asyncio.run(train())
    assert told == [200] * 3


def test_a_port_in_use_is_told_before_the_training() -> None:
    with open_socket(LOCAL, 0) as taken, pytest.raises(InvalidValueError, match="cannot be used"):
        LivePage(taken.getsockname()[1])


ON_A_PORT = """
import sys, small
from gpucnn.serving import LivePage

model = small.model(threads=1)
with LivePage(int(sys.argv[1])) as live:
    model.fit(small.images(8), small.labels(8), epochs=1, verbose=0, callbacks=[live])
"""


def test_of_several_ranks_one_serves() -> None:
    with open_socket(LOCAL, 0) as free:
        port = free.getsockname()[1]
    ranks = run_ranks(
        2, sys.executable, "-c", ON_A_PORT, str(port), folder=Path(__file__).parents[1]
    )
    assert ranks.told == []
    assert ranks.out == [
        f"curves and filters, until the training ends: http://{LOCAL}:{port}/",
    ]
