"""A server on a socket, and clients of all kinds."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose

import small
from gpucnn import Sequential
from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.serving import Limits, create_app, server
from gpucnn.serving.served import Placed
from gpucnn.serving.server import LOCAL, BackgroundServer, open_socket, url_of
from serving.conftest import Pixels, as_json

SLOW = 0.3  # seconds for what is to time out
LIMITS = Limits(body=20_000, head_seconds=SLOW, body_seconds=SLOW, idle_seconds=5, connections=8)


@contextmanager
def serving(model: Sequential, page: Path, limits: Limits = LIMITS) -> Iterator[int]:
    """A server; the port."""
    listening = open_socket(LOCAL, 0)
    port = listening.getsockname()[1]
    server = BackgroundServer(create_app(model, ["cpu"], limits, page), listening, limits)
    try:
        yield port
    finally:
        server.close()


@pytest.fixture(scope="module")
def port(model: Sequential, page: Path) -> Iterator[int]:
    with serving(model, page) as found:
        yield found


class Answer(NamedTuple):
    status: int
    headers: str
    body: Any


def tell(port: int, *parts: bytes, pause: float = 0) -> Answer:
    """Send parts, with pauses between them, and read until the server hangs up."""
    with socket.create_connection((LOCAL, port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        return hear(connection)


def hear(connection: socket.socket) -> Answer:
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    headers = head.decode().lower()
    return Answer(int(head.split()[1]), headers, json.loads(body))


def head(*headers: str, path: str = "/predict", method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
    return "\r\n".join(lines).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"


def check_it_answers(port: int, digits: Pixels, model: Sequential) -> None:
    with asker(port) as ask:
        assert_allclose(ask(digits[3]), model.predict(digits[3:4])[0], rtol=1e-5, atol=1e-7)


@contextmanager
def asker(port: int, path: str = "/predict") -> Iterator[Callable[[Pixels], list[float]]]:
    """What asks over one connection for probabilities."""
    connection = HTTPConnection(LOCAL, port, timeout=30)

    def ask(image: Pixels) -> list[float]:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(as_json(image)), headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        assert answer.status == 200, content
        return list(content["probabilities"].values())

    yield ask
    connection.close()


def ask_once(port: int, image: Pixels) -> list[float]:
    with asker(port) as ask:
        return ask(image)


# Good clients


def test_clients_at_the_same_time_get_their_own_answers(
    port: int, model: Sequential, digits: Pixels
) -> None:
    expected = [model.predict(each[None])[0] for each in digits]

    def client(number: int) -> None:
        with asker(port, "/explain" if number % 2 else "/predict") as ask:
            for step in range(30):
                which = (7 * number + 5 * step) % len(digits)
                assert_allclose(ask(digits[which]), expected[which], rtol=1e-5, atol=1e-7)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(client, range(4)))


def test_requests_that_wait_are_computed_together(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, may_go_on = list[int](), threading.Event()
    answer = Placed.answer

    def count(placed: Placed, asked: Any) -> Any:
        sizes.append(len(asked))
        assert may_go_on.wait(10)
        return answer(placed, asked)

    model, images = small.model(device="cpu", threads=1), small.images(6)
    with serving(model, page) as port, ThreadPoolExecutor(6) as pool:
        monkeypatch.setattr(Placed, "answer", count)
        found = [pool.submit(ask_once, port, each) for each in images]
        until(lambda: waiting(port) == 5)
        may_go_on.set()
        answers = [each.result(10) for each in found]
    assert sizes == [1, 5]
    assert_allclose(answers, np.concatenate([model.predict(each[None]) for each in images]), 1e-5)


def test_more_than_may_wait_are_sent_away(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    may_go_on = threading.Event()
    answer = Placed.answer

    def wait(placed: Placed, asked: Any) -> Any:
        assert may_go_on.wait(10)
        return answer(placed, asked)

    model, image = small.model(device="cpu", threads=1), small.images(1)[0]
    body = json.dumps(as_json(image)).encode()
    request = head(JSON, f"Content-Length: {len(body)}", "Connection: close") + body
    with serving(model, page, Limits(waiting=2)) as port, ThreadPoolExecutor(3) as pool:
        monkeypatch.setattr(Placed, "answer", wait)
        first = pool.submit(tell, port, request)
        until(lambda: waiting(port) == 0 and has_begun(port))
        others = [pool.submit(tell, port, request) for _ in range(2)]
        until(lambda: waiting(port) == 2)
        refused = tell(port, request)
        may_go_on.set()
        assert [each.result(10).status for each in (first, *others)] == [200] * 3
    assert refused.status == 503
    assert "retry-after: 1" in refused.headers
    assert refused.body == {"error": "2 requests are waiting already: ask again later"}


def metric(port: int, name: str) -> float:
    connection = HTTPConnection(LOCAL, port, timeout=10)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def waiting(port: int) -> float:
    return metric(port, "gpucnn_waiting_requests{")


def has_begun(port: int) -> bool:
    return metric(port, "gpucnn_batch_images_count{") > 0


def until(is_so: Callable[[], bool]) -> None:
    for _ in range(500):
        if is_so():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come to be so")


def test_one_connection_takes_several_requests(port: int, digits: Pixels) -> None:
    body = json.dumps(as_json(digits[0])).encode()
    request = head(JSON, f"Content-Length: {len(body)}") + body
    last = head("Connection: close", path="/health", method="GET")
    with socket.create_connection((LOCAL, port), timeout=10) as connection:
        connection.sendall(request + request + last)
        received = b""
        while found := connection.recv(65536):
            received += found
    assert received.count(b"HTTP/1.1 200 OK") == 3


# Slow clients


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([b"POST /pre"], id="half a line"),
        pytest.param([b"POST / HTTP/1.1\r\n", *[b"A: b\r\n"] * 50], id="a line now and then"),
    ],
)
def test_who_does_not_come_to_ask_is_dropped(parts: list[bytes], port: int) -> None:
    started = time.monotonic()
    with socket.create_connection((LOCAL, port), timeout=10) as connection:
        send_until_refused(connection, parts)
        answer = hear(connection)
    assert SLOW <= time.monotonic() - started < 5
    text = "the head of a request took longer than 0.3 s: send it faster"
    assert (answer.status, answer.body) == (408, {"error": text})


def test_a_connection_without_a_request_is_closed(port: int) -> None:
    """Without a word: browsers open some ahead, and would show it."""
    with socket.create_connection((LOCAL, port), timeout=10) as connection:
        assert connection.recv(100) == b""


def send_until_refused(connection: socket.socket, parts: list[bytes]) -> None:
    """Send parts one after the other, until the server has said something."""
    connection.setblocking(False)
    for part in parts:
        connection.sendall(part)
        time.sleep(0.05)
        try:
            connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            continue
        break
    connection.settimeout(10)


def test_a_body_that_does_not_come_is_not_waited_for(port: int) -> None:
    answer = tell(port, head(JSON, "Content-Length: 100"), b'{"pixels":')
    text = "the body took longer than 0.3 s: send it faster"
    assert (answer.status, answer.body) == (408, {"error": text})
    assert "connection: close" in answer.headers


def test_a_second_request_may_not_be_slow_either(port: int) -> None:
    with socket.create_connection((LOCAL, port), timeout=10) as connection:
        connection.sendall(head(path="/health", method="GET"))
        assert b"200 OK" in connection.recv(65536)
        connection.sendall(b"GET /hea")
        assert hear(connection).status == 408


def send_without_reading(connection: socket.socket, request: bytes) -> None:
    """Ask for more than the system keeps for who does not read."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(SLOW)
    with contextlib.suppress(TimeoutError):
        while True:
            connection.sendall(1000 * request)


def has_hung_up(connection: socket.socket) -> bool:
    """Whether a server that does not take more has closed a connection."""
    try:
        connection.sendall(b"x")
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return False


def test_answers_do_not_wait_for_ever_to_be_read(model: Sequential, page: Path) -> None:
    with (
        serving(model, page, replace(LIMITS, unread_seconds=SLOW)) as port,
        socket.create_connection((LOCAL, port)) as connection,
    ):
        with contextlib.suppress(ConnectionError):  # as soon as that, if sending takes long
            send_without_reading(connection, head(path="/metrics", method="GET"))
        until(lambda: has_hung_up(connection))


def test_a_server_stops_without_a_trace_in_the_log(
    model: Sequential,
    page: Path,
    digits: Pixels,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(server, "GOODBYE", 0.2)
    has_begun, may_go_on = threading.Event(), threading.Event()
    content = json.dumps(as_json(digits[0])).encode()
    request = head(JSON, f"Content-Length: {len(content)}") + content

    def never(placed: Placed, asked: Any) -> Any:
        has_begun.set()
        assert may_go_on.wait(10)
        raise AssertionError

    with contextlib.ExitStack() as stack:
        with serving(model, page) as port:
            monkeypatch.setattr(Placed, "answer", never)
            unread = stack.enter_context(socket.create_connection((LOCAL, port)))
            send_without_reading(unread, head(path="/metrics", method="GET"))
            unanswered = stack.enter_context(socket.create_connection((LOCAL, port), timeout=10))
            unanswered.sendall(request)
            assert has_begun.wait(10)
        may_go_on.set()
        assert unanswered.recv(1) == b""
    assert not [each for each in caplog.records if each.exc_info]


def test_slow_clients_hold_nobody_up(port: int, model: Sequential, digits: Pixels) -> None:
    """Not even as many as there are threads."""
    slow = [socket.create_connection((LOCAL, port), timeout=10) for _ in range(5)]
    for each in slow:
        each.sendall(head(JSON, "Content-Length: 5000") + b'{"pixels":')
    check_it_answers(port, digits, model)
    for each in slow:
        each.close()


def test_a_client_may_go_in_the_middle(port: int, model: Sequential, digits: Pixels) -> None:
    for part in (b"POST", head(JSON, "Content-Length: 5000") + b"{"):
        with socket.create_connection((LOCAL, port), timeout=10) as connection:
            connection.sendall(part)
    body = json.dumps(as_json(digits[0])).encode()
    with socket.create_connection((LOCAL, port), timeout=10) as connection:
        connection.sendall(head(JSON, f"Content-Length: {len(body)}") + body)
    check_it_answers(port, digits, model)


# Large ones


@pytest.mark.parametrize("size", [20_001, 30_000, 2_000_000])
@pytest.mark.parametrize("is_told", [True, False], ids=["told", "chunked"])
def test_a_body_that_is_too_large_is_refused(size: int, is_told: bool, port: int) -> None:
    """Whether its size is told beforehand or not."""
    with socket.create_connection((LOCAL, port), timeout=10) as connection:
        connection.sendall(head(JSON, f"Content-Length: {size}" if is_told else CHUNKED))
        try:
            for start in range(0, size, 5000):
                part = b" " * min(5000, size - start)
                connection.sendall(part if is_told else chunk(part))
            connection.sendall(b"" if is_told else chunk(b""))
        except OSError:
            assert size > 2 * LIMITS.body  # up to that all is read, and the answer too
            return
        if size > 2 * LIMITS.body:
            return
        answer = hear(connection)
    text = "the body has more than 20,000 bytes: send a smaller picture"
    assert (answer.status, answer.body) == (413, {"error": text})


def test_a_body_that_is_as_large_as_may_be(port: int, digits: Pixels) -> None:
    body = json.dumps(as_json(digits[0])).encode().ljust(LIMITS.body)
    answer = tell(
        port, head(JSON, CHUNKED, "Connection: close"), chunk(body[:9]), chunk(body[9:]), chunk(b"")
    )
    assert (answer.status, answer.body["class"]) == (200, "7")


def test_nobody_sends_for_ever_after_an_answer(port: int) -> None:
    """To where no body is read."""
    with socket.create_connection((LOCAL, port), timeout=10) as connection:
        connection.sendall(head(CHUNKED, path="/health"))
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            send_for_long(connection)


def send_for_long(connection: socket.socket) -> None:
    for _ in range(300):
        connection.sendall(chunk(b"a" * 100))
        time.sleep(0.02)


# Malformed ones


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"what is this?\r\n\r\n", id="no request"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", id="TLS"),
        pytest.param(head("Content-Length: many"), id="a length that is none"),
        pytest.param(head("Content-Length: -1"), id="a negative length"),
        pytest.param(head("Content-Length: 1", "Content-Length: 2"), id="two lengths"),
        pytest.param(head("a b: c"), id="a header that is none"),
        pytest.param(head(CHUNKED) + b"zz\r\n", id="a chunk that is none"),
        pytest.param(head("A: " + "b" * 20_000)[:-9], id="a header without an end"),
        pytest.param(b"POST /predict HTTP/1.1\r\n\r\n", id="no host"),
    ],
)
def test_what_is_not_http_is_refused(
    sent: bytes, port: int, model: Sequential, digits: Pixels
) -> None:
    answer = tell(port, sent)
    assert answer.status == 400
    assert answer.body.keys() == {"error"}
    check_it_answers(port, digits, model)


# Many


def test_more_connections_than_may_be_are_refused(
    port: int, model: Sequential, digits: Pixels
) -> None:
    open_ones = [socket.create_connection((LOCAL, port), timeout=10) for _ in range(8)]
    answer = tell(port)
    assert answer.status == 503
    assert answer.body == {"error": "too many connections are open: ask again later"}
    for each in open_ones:
        each.close()
    until(lambda: can_ask(port))
    check_it_answers(port, digits, model)


def can_ask(port: int) -> bool:
    return tell(port, head("Connection: close", path="/health", method="GET")).status == 200


# The socket


def test_a_port_in_use_is_one_line() -> None:
    with open_socket(LOCAL, 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidValueError, match=rf"^port {port} of {LOCAL} cannot be used \("):
            open_socket(LOCAL, port)


@pytest.mark.parametrize(
    ("host", "port", "text"),
    [
        (LOCAL, -1, r"the port is -1: give one from 0, for a free one, to 65535"),
        (LOCAL, 65536, r"the port is 65536"),
        ("192.0.2.1", 0, r"port 0 of 192.0.2.1 cannot be used \(Cannot assign"),
        ("", 70000, r"the port is 70000"),
        ("a" * 70, 0, r"cannot be used \("),
        (LOCAL, "8000", r"the port is '8000': give one from 0"),
        (None, 0, r"the host is None: give a name or an address, such as 127.0.0.1"),
    ],
)
def test_addresses_that_are_none(host: Any, port: Any, text: str) -> None:
    with pytest.raises((InvalidValueError, InvalidTypeError), match=text):
        open_socket(host, port)


def test_nothing_is_held_back_for_an_acknowledgement() -> None:
    """Of a socket that knows its protocol asyncio switches that off; it took 40 ms an answer."""
    with open_socket(LOCAL, 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_addresses_are_told_as_browsers_take_them() -> None:
    with open_socket("localhost", 0) as listening:
        assert url_of(listening).startswith("http://")
    with open_socket("::1", 0) as listening:
        assert url_of(listening) == f"http://[::1]:{listening.getsockname()[1]}"


def test_a_closed_server_frees_its_port(model: Sequential, page: Path) -> None:
    with serving(model, page) as port:
        assert can_ask(port)
    with open_socket(LOCAL, port):
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOCAL, port), timeout=10)
