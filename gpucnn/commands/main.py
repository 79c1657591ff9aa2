"""The entry point of `gpucnn`; it imports little, so that Ctrl-C is handled from the start."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from gpucnn.commands import INTERRUPTED, STOPPED


def main() -> NoReturn:
    """Run the command line and exit.

    The exit status is 0 on success, 1 if a comparison or a training of a sweep failed, a mutant
    survived, or the output's reader is gone, 2 after an error, which is printed in one line, and
    130 after Ctrl-C.
    """
    with _exiting_on_interrupt():
        from gpucnn.commands.app import run  # imports NumPy and more: the first 0.3 s
    run()


@contextmanager
def _exiting_on_interrupt() -> Iterator[None]:
    """A context in which Ctrl-C exits the process immediately: there is nothing to save yet.

    A KeyboardInterrupt could be caught, or turned into another error, by a library being imported.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # ignored, for example, in the background
        yield
        return
    signal.signal(signal.SIGINT, _exit_interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _exit_interrupted(*_: object) -> NoReturn:
    with suppress(OSError):
        os.write(2, f"gpucnn: {STOPPED}\n".encode())
    os._exit(INTERRUPTED)
