"""Downloading a file, with limits on its size and on the time it takes.

`urllib` limits the time between bytes but not the total time: a server that sends a byte now and
then would keep it busy forever. So a thread downloads, and the caller waits for it up to the limit.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import BinaryIO, TypeAlias

from gpucnn.errors import InvalidFileError, printable

STALL_LIMIT = 30.0  # seconds to connect, and without a new byte
TIME_LIMIT = 3600.0  # seconds for a file
SIZE_LIMIT = 2**31  # bytes of a file
CHUNK = 2**16  # bytes received at a time

Report: TypeAlias = Callable[[int], None]  # called with the number of bytes received so far


def download(url: str, target: Path) -> None:
    """Download a file, and show the progress on standard error.

    Args:
        url: of the file.
        target: the file to write; it may be left incomplete if the download fails.

    Raises:
        InvalidFileError: the download failed, is too large, or takes too long.
        OSError: `target` cannot be written.
    """
    with _show_progress(url) as report, target.open("wb") as file:
        transfer = _Transfer(url, file, report)
        transfer.start()
        try:
            transfer.join(TIME_LIMIT)
        finally:
            transfer.abandoned = True
        if transfer.is_alive():
            raise _failure(url, f"not done in {TIME_LIMIT:g} s, with {transfer.size} bytes")
        if transfer.error is not None:
            raise transfer.error


class _Transfer(Thread):
    """The thread that writes a download to a file.

    Attributes:
        size: bytes received so far.
        error: the exception that ended the download, or None.
        abandoned: set by the caller to stop writing.
    """

    def __init__(self, url: str, file: BinaryIO, report: Report) -> None:
        super().__init__(daemon=True)  # the program may exit before the thread ends
        self._url, self._file, self._report = url, file, report
        self.size = 0
        self.error: Exception | None = None
        self.abandoned = False

    def run(self) -> None:
        """Download the file; set `error` on failure."""
        try:
            for chunk in _receive(self._url):
                if self.abandoned:
                    return
                self._file.write(chunk)
                self.size += len(chunk)
                self._report(self.size)
        except Exception as error:
            self.error = error


def _receive(url: str) -> Iterator[bytes]:
    """Yield the content of a URL in chunks, as they arrive."""
    # Imported here: a twentieth of the start of a program that downloads nothing.
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import urlopen

    size = 0
    try:
        with urlopen(url, timeout=STALL_LIMIT) as response:
            promised = int(response.headers.get("Content-Length", -1))
            while promised <= SIZE_LIMIT and size <= SIZE_LIMIT:
                chunk = response.read1(CHUNK)
                if not chunk:
                    break
                size += len(chunk)
                yield chunk
    except TimeoutError as error:
        raise _failure(url, f"nothing more for {STALL_LIMIT:g} s after {size} bytes") from error
    except HTTPError as error:
        with error:  # the response, which is closed
            raise _failure(url, str(error)) from error
    except URLError as error:
        raise _failure(url, str(error.reason)) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _failure(url, str(error)) from error
    if max(promised, size) > SIZE_LIMIT:
        raise _failure(url, f"it has more than {SIZE_LIMIT} bytes, the most that are taken")
    if size < promised:
        raise _failure(url, f"got only {size} of {promised} bytes")


def _failure(url: str, reason: str) -> InvalidFileError:
    return InvalidFileError(
        f"{url} cannot be downloaded ({printable(reason)}): check the address and the connection"
    )


@contextmanager
def _show_progress(url: str) -> Iterator[Report]:
    """Show a progress bar on standard error, or one line where that is not a terminal."""
    if sys.stderr.isatty():
        with _bar(url) as report:
            yield report
    else:
        print(f"downloading {url}", file=sys.stderr, flush=True)
        yield lambda size: None


@contextmanager
def _bar(url: str) -> Iterator[Report]:
    from rich import progress  # imported here: `import gpucnn` stays light
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.FileSizeColumn(),
        progress.TransferSpeedColumn(),
    )
    console = Console(stderr=True)
    with progress.Progress(*columns, console=console, transient=True) as display:
        _, _, name = url.rpartition("/")
        task = display.add_task(f"downloading {name}", total=None)
        yield lambda size: display.update(task, completed=size)
