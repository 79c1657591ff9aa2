"""Running an application on a socket, with clients that may be slow or mean no good."""

import asyncio
import json
import os
import socket
from contextlib import suppress
from threading import Thread
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from gpucnn.errors import InvalidTypeError, InvalidValueError, printable
from gpucnn.serving.limits import Limits

LOCAL = "127.0.0.1"
GOODBYE = 2  # seconds that answers under way have once the server is to stop


def open_socket(host: str, port: int) -> socket.socket:
    """Listen on a port.

    Args:
        host: a name or an address of this machine, of IPv4 or IPv6.
        port: 0 for a free one.

    Raises:
        InvalidTypeError: the host is no text.
        InvalidValueError: the port is none, or in use, or the host is not of this machine.
    """
    if not isinstance(host, str):  # of None the system makes all addresses of the machine
        raise InvalidTypeError(f"the host is {host!r}: give a name or an address, such as {LOCAL}")
    if not isinstance(port, int) or not 0 <= port <= 65535:
        raise InvalidValueError(f"the port is {port!r}: give one from 0, for a free one, to 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        return _listening(socket.socket(family, kind, protocol), address)
    except (OSError, UnicodeError) as error:
        reason = _reason(error)
        raise InvalidValueError(
            f"port {port} of {printable(host, 100)} cannot be used ({reason}): give another port, "
            f"or 0 for a free one, and a host of this machine such as {LOCAL}"
        ) from error


def _listening(made: socket.socket, address: Any) -> socket.socket:
    """A socket that listens on an address.

    It knows its protocol, TCP, unlike one of `socket.create_server`. Else asyncio would let the
    system hold answers back until those before are acknowledged, for 40 ms.
    """
    try:
        if os.name == "posix":  # so that a port can be used at once after its last server
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen()
    except BaseException:
        made.close()
        raise
    return made


def _reason(error: OSError | UnicodeError) -> str:
    return str(error.strerror if isinstance(error, OSError) else error)


def url_of(listening: socket.socket) -> str:
    """The address of a socket as a browser takes it."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(
    app: ASGIApp,
    listening: socket.socket,
    limits: Limits = Limits(),  # noqa: B008 - immutable
) -> None:
    """Answer until Ctrl-C or SIGTERM, which are raised again once answers under way are sent."""
    _server(app, limits).run(sockets=[listening])


class BackgroundServer:
    """A server in a thread and with an event loop of its own, until it is closed.

    The thread does not keep the process alive.

    Args:
        app: the application.
        listening: the socket.
        limits: on what clients ask.
    """

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        limits: Limits = Limits(),  # noqa: B008 - immutable
    ) -> None:
        self._server = _server(app, limits)
        options = {"sockets": [listening]}
        self._thread = Thread(
            target=self._server.run, kwargs=options, name="gpucnn-serving", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Send the answers that are under way, and stop."""
        self._server.should_exit = True
        self._thread.join()


def _server(app: ASGIApp, limits: Limits) -> uvicorn.Server:
    """A server that leaves the logging of the process as it is, and needs nothing of its loops."""
    return uvicorn.Server(
        uvicorn.Config(
            _stopping(app),
            loop="asyncio",
            http=_protocol(limits),
            ws="none",
            lifespan="off",
            log_config=None,
            server_header=False,
            timeout_keep_alive=limits.idle_seconds,
            timeout_graceful_shutdown=GOODBYE,
        )
    )


def _stopping(app: ASGIApp) -> ASGIApp:
    """The application, whose requests end without a trace in the log where the server has stopped.

    By then their connections are closed.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(asyncio.CancelledError):
            await app(scope, receive, send)

    return answer


def _protocol(limits: Limits) -> type[asyncio.Protocol]:
    class Limited(_Connection):
        bounds = limits

    return Limited


class _Connection(H11Protocol):
    """A connection that is closed if the head of a request does not come, or one is too many.

    So it is if the client does not read its answers. From a request's head on, its application has
    to see that the body comes.
    """

    bounds: Limits
    _patience: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)  # so that whatever is not read pauses writing
        if len(self.connections) > self.bounds.connections:
            self._refuse(503, "too many connections are open: ask again later")
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_waiting()
        self._stop_waiting_to_be_read()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Go on to wait, unless the head is there."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._patience is None:
            self._wait_for_head()

    def pause_writing(self) -> None:
        """Begin to wait until the client reads, also where nothing but that is left to do."""
        super().pause_writing()
        seconds = self.bounds.unread_seconds
        self._unread = self.loop.call_later(seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read all that was sent."""
        self._stop_waiting_to_be_read()
        super().resume_writing()

    def shutdown(self) -> None:
        """Close once the answer under way is sent, which may take no more than `GOODBYE`."""
        super().shutdown()
        self.loop.call_later(GOODBYE, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._refuse(400, msg)

    def _wait_for_head(self) -> None:
        self._patience = self.loop.call_later(self.bounds.head_seconds, self._lose_patience)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _stop_waiting_to_be_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _lose_patience(self) -> None:
        if not self.conn.trailing_data[0]:  # as of browsers, which open some to have them
            self.transport.close()
            return
        seconds = self.bounds.head_seconds
        self._refuse(408, f"the head of a request took longer than {seconds:g} s: send it faster")

    def _refuse(self, status: int, text: str) -> None:
        """Answer without the application, and close the connection."""
        self._stop_waiting()
        if self.transport.is_closing():
            return
        content = json.dumps({"error": text}).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
        answer = h11.Response(status_code=status, headers=[*headers, ("Connection", "close")])
        events: list[Any] = [answer, h11.Data(data=content), h11.EndOfMessage()]
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(b"".join(self.conn.send(each) or b"" for each in events))
        self.transport.close()
