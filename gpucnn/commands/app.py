"""The subcommands of `gpucnn`, and how errors end them."""

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import typer

from gpucnn.commands.bench import bench
from gpucnn.commands.devices import devices
from gpucnn.commands.evaluate import evaluate
from gpucnn.commands.kernels import kernels
from gpucnn.commands.main import INTERRUPTED, STOPPED
from gpucnn.commands.notebook import notebook
from gpucnn.commands.predict import predict
from gpucnn.commands.train import train
from gpucnn.commands.verify import verify
from gpucnn.errors import GpucnnError, GpucnnWarning, StoppedError, printable
from gpucnn.version import __version__

# The error of a wrong command line, wherever this version of Typer keeps it.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    help="Convolutional networks with nothing between you and the arithmetic.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",  # which fills the lines of a paragraph
)
for command in (train, evaluate, predict, notebook, devices, kernels, verify, bench):
    app.command()(command)


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"gpucnn {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def run() -> NoReturn:
    """Run the command line and exit, as `gpucnn.commands.main.main` says."""
    if sys.stdout is None or sys.stderr is None:
        _open_missing_streams()
    try:
        with _warnings_in_a_line():
            status = app(standalone_mode=False) or 0
    except UsageError as error:
        _end(2, f"error: {error.format_message()}")  # type: ignore[attr-defined]
    except StoppedError as error:
        _end(INTERRUPTED, str(error))
    except GpucnnError as error:
        _end(2, f"error: {error}")
    except OSError as error:
        _end(2, f"error: {error.filename or 'standard output'}: {error.strerror or error}")
    except MemoryError:
        _end(2, "error: not enough memory: use a smaller model, batch or set of images")
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    if status == INTERRUPTED:
        _end(INTERRUPTED, STOPPED)
    sys.exit(status)


def _end(status: int, message: str) -> NoReturn:
    _tell(message)
    sys.exit(status)


def _tell(message: str) -> None:
    """Print one line on standard error, whatever the message holds."""
    one_line = " ".join(message.splitlines())
    print(f"gpucnn: {printable(one_line, len(one_line))}", file=sys.stderr)


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Print what the package warns of as its errors are printed; other warnings as Python does."""
    with warnings.catch_warnings():
        show: Callable[..., None] = warnings.showwarning

        def tell(message: Warning | str, *about: Any) -> None:
            if isinstance(message, GpucnnWarning):
                _tell(f"warning: {message}")
            else:
                show(message, *about)

        warnings.showwarning = cast("Any", tell)
        yield


def _open_missing_streams() -> None:
    """Write to nowhere what has no stream to go to, as in `gpucnn train >&-`."""
    nowhere = Path(os.devnull).open("w")  # noqa: SIM115 - stays open, as streams do
    sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
