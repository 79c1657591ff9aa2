"""The command `gpucnn`, with as little to import as it can: Ctrl-C may come at any time."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

INTERRUPTED = 130  # what shells report of a program that Ctrl-C ended
STOPPED = "stopped"


def main() -> NoReturn:
    """Run the command line and exit.

    The status is 0; 1 if a comparison failed or nobody reads the output any more; 2 after an error,
    which is told in one line; 130 after Ctrl-C.
    """
    with _stopping_at_once():
        from gpucnn.commands.app import run  # which imports NumPy and more: the first 0.3 s
    run()


@contextmanager
def _stopping_at_once() -> Iterator[None]:
    """A span of time in which Ctrl-C ends the process on the spot, since there is nothing to save.

    As an exception it would come out of any library's import as whatever that makes of it.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # such as ignored, in the background
        yield
        return
    signal.signal(signal.SIGINT, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _stop(*_: object) -> NoReturn:
    with suppress(OSError):
        os.write(2, f"gpucnn: {STOPPED}\n".encode())
    os._exit(INTERRUPTED)
