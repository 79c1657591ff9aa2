"""The subcommands of `gpucnn`, and how their errors are reported."""

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import typer

from gpucnn.backends.ranks.launcher import place
from gpucnn.backends.ranks.world import is_launched, world
from gpucnn.commands import INTERRUPTED, STOPPED
from gpucnn.commands.checkpoints.evaluate import evaluate
from gpucnn.commands.checkpoints.export import export
from gpucnn.commands.checkpoints.import_ import import_
from gpucnn.commands.checkpoints.predict import predict
from gpucnn.commands.checkpoints.serve import serve
from gpucnn.commands.devices.bench import bench
from gpucnn.commands.devices.devices import devices
from gpucnn.commands.devices.kernels import kernels
from gpucnn.commands.devices.notebook import notebook
from gpucnn.commands.devices.verify import verify
from gpucnn.commands.mutants.mutate import WithTests, mutate
from gpucnn.commands.training.plot import plot
from gpucnn.commands.training.sweep import sweep
from gpucnn.commands.training.train import train
from gpucnn.errors import GpucnnError, GpucnnWarning, RankLostError, StoppedError, printable
from gpucnn.version import __version__

TOGETHER = ("train", "sweep")
"""The commands that all ranks run, where a launcher has started several."""

# The exception of a wrong command line, from wherever this version of Typer defines it.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    help="Convolutional networks with nothing between you and the arithmetic.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",  # rewraps paragraphs
)
for command in (
    train,
    sweep,
    plot,
    evaluate,
    predict,
    serve,
    export,
    import_,
    notebook,
    devices,
    kernels,
    verify,
    bench,
):
    app.command(command.__name__.rstrip("_"))(command)  # import is a word of Python's
app.command("mutate", cls=WithTests)(mutate)


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
    elif place().rank and context.invoked_subcommand not in TOGETHER:
        raise typer.Exit  # the work of rank 0 alone


def run() -> NoReturn:
    """Run the command line and exit; see `gpucnn.commands.main.main` for the exit status."""
    if sys.stdout is None or sys.stderr is None:
        _open_missing_streams()
    try:
        with _warnings_in_one_line():
            status = app(standalone_mode=False) or 0
    except UsageError as error:
        _end(2, f"error: {error.format_message()}")  # type: ignore[attr-defined]
    except StoppedError as error:
        _end(INTERRUPTED, str(error))
    except RankLostError as error:  # that rank says why
        world().fail(str(error), 1)
        sys.exit(1)
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
    if not is_launched():
        _print_line(message)
    elif _fail(message, status):
        _print_line(f"rank {place().rank}: {message}")
    sys.exit(status)


def _fail(message: str, status: int) -> bool:
    """Tell the other ranks, which end; whether to tell the user."""
    try:
        return world().fail(message, status)
    except GpucnnError:  # which `message` is about
        return True


def _print_line(message: str) -> None:
    """Print a message on standard error, as one printable line."""
    one_line = " ".join(message.splitlines())
    print(f"gpucnn: {printable(one_line, len(one_line))}", file=sys.stderr)


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Print the package's warnings in one line, like its errors; leave others to Python."""
    with warnings.catch_warnings():
        show: Callable[..., None] = warnings.showwarning

        def show_in_a_line(message: Warning | str, *about: Any) -> None:
            if isinstance(message, GpucnnWarning):
                if place().rank == 0:  # of several ranks, which warn alike
                    _print_line(f"warning: {message}")
            else:
                show(message, *about)

        warnings.showwarning = cast("Any", show_in_a_line)
        yield


def _open_missing_streams() -> None:
    """Replace closed standard streams, as in `gpucnn train >&-`, by the null device."""
    nowhere = Path(os.devnull).open("w")  # noqa: SIM115 - stays open
    sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
