"""A local HTTP server that serves a folder, with faults on request."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Literal

Behaviour = Literal[
    "whole", "missing", "rude", "cut short", "stalled", "headers for ever", "body for ever", "huge"
]
RUDE = "gone\033[31m\007" + 1000 * "!"  # the reason for an error


class Server(ThreadingHTTPServer):
    """Serves the files of `folder`, with the fault named by `behaviour`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.behaviour: Behaviour = "whole"
        self.requests: list[str] = []
        self.when_stalled: Callable[[], None] | None = None
        self.stalled = Event()  # set when a client is kept waiting
        self.hung_up = Event()  # set when the client disconnects
        self.shut_down = Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(SimpleHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        content = (self.server.folder / self.path.lstrip("/")).read_bytes()
        match self.server.behaviour:
            case "missing":
                self.send_error(404)
            case "rude":
                self.wfile.write(f"HTTP/1.0 410 {RUDE}\r\n\r\n".encode())
            case "headers for ever":
                self.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
                self._send_for_ever()
            case "body for ever":
                self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
                self._send_for_ever()
            case "huge":
                self._send(b"", 10**15)
            case "whole":
                self._send(content, len(content))
            case _:
                self._send(content[: len(content) // 2], len(content))
        if self.server.behaviour == "stalled":
            self._wait_for_the_client_to_go()

    def _send(self, content: bytes, promised: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        self.wfile.write(content)

    def _send_for_ever(self) -> None:
        with suppress(OSError):  # the client disconnects
            while not self.server.shut_down.wait(0.01):
                self.wfile.write(b"x")
        self.server.hung_up.set()

    def _wait_for_the_client_to_go(self) -> None:
        self.server.stalled.set()
        if self.server.when_stalled:
            self.server.when_stalled()
        self.connection.recv(1)
        self.server.hung_up.set()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass  # the base class writes a line to standard error


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    with Server(folder) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shut_down.set()
            server.shutdown()
            thread.join()
