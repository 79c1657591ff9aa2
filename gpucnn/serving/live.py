"""The callback that shows a training in a browser while it goes on."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from gpucnn.backends.ranks.launcher import rank
from gpucnn.callbacks.base import Callback, Logs
from gpucnn.models.exchange.page.to_page import BROWSER
from gpucnn.serving.course import Course, filters_of
from gpucnn.serving.live_app import create_live_app
from gpucnn.serving.server import LOCAL, BackgroundServer, open_socket, url_of


class LivePage(Callback):
    """Shows curves and filters on a page, from the beginning of a training to its end.

    The port is taken at once. A thread serves the page, with an event loop of its own: it reads
    what is set down after each epoch, and changes nothing of the training. It ends with the
    training; after an error, with `close`, or the context that this is, or the process.

    Args:
        port: 0 for a free one.
        host: the address to listen on.
        page: the folder with the files of the page.

    Attributes:
        earlier: the records of epochs done before this training, see `History`.
        url: of the page.

    Raises:
        InvalidValueError: the port cannot be used.
    """

    writes_files = True  # rank 0 alone shows what all do

    def __init__(self, port: int = 0, host: str = LOCAL, page: Path = BROWSER) -> None:
        self.earlier: Sequence[Logs] = ()
        self._folder = page
        self._server: BackgroundServer | None = None
        # Of several ranks, which run the same script, rank 0 alone serves: others take any port.
        self._listening = open_socket(host, 0 if rank() else port)
        self._host, self._port = self._listening.getsockname()[:2]
        self.url = f"{url_of(self._listening)}/"

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Serve the page, and print its address."""
        if self._server is not None:  # a training before this one has failed
            self.close()
        if self._listening.fileno() < 0:  # or has ended
            self._listening = open_socket(self._host, self._port)
        self._course = Course(self.params["epochs"], self.params["steps"], self.earlier)
        self._course.filters = filters_of(self.model)
        app = create_live_app(self._course, self._folder)
        self._server = BackgroundServer(app, self._listening)
        print(f"curves and filters, until the training ends: {self.url}", flush=True)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Begin to count anew."""
        self._course.steps_done = 0

    def on_progress(self, images: int) -> None:
        """Count the steps of the epoch."""
        self._course.steps_done += 1

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Show the metrics of the epoch, and the filters after it."""
        self._course.filters = filters_of(self.model)
        self._course.add(logs or {})

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Tell the page that this is the end, and stop."""
        self._course.is_finished = True
        self.close()

    def close(self) -> None:
        """Stop serving, and free the port."""
        if self._server is not None:
            self._course.is_over = True
            self._server.close()
            self._server = None
        self._listening.close()

    def __enter__(self) -> "LivePage":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
