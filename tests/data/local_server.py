"""An HTTP server on this machine that serves a folder, well or badly."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Literal


class Server(ThreadingHTTPServer):
    """Answers requests for the files of `folder` as `behaviour` says."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.behaviour: Literal["whole", "missing", "cut short", "stalled"] = "whole"
        self.requests: list[str] = []
        self.when_stalled: Callable[[], None] | None = None
        self.hung_up = Event()  # set when a client that was kept waiting goes

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(SimpleHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        if self.server.behaviour == "missing":
            self.send_error(404)
            return
        content = (self.server.folder / self.path.lstrip("/")).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: self._length_sent(content)])
        if self.server.behaviour == "stalled":
            self._wait_for_the_client_to_go()

    def _length_sent(self, content: bytes) -> int:
        return len(content) if self.server.behaviour == "whole" else len(content) // 2

    def _wait_for_the_client_to_go(self) -> None:
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
            server.shutdown()
            thread.join()
