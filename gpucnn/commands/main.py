"""The command `gpucnn`: its subcommands, and how errors end it."""

import sys
from typing import Annotated, NoReturn

import typer

from gpucnn.commands.devices import devices
from gpucnn.commands.evaluate import evaluate
from gpucnn.commands.notebook import notebook
from gpucnn.commands.predict import predict
from gpucnn.commands.train import train
from gpucnn.errors import GpucnnError
from gpucnn.version import __version__

# The error of a wrong command line, wherever this version of Typer keeps it.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    help="Convolutional networks with nothing between you and the arithmetic.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # which fills the lines of a paragraph
)
for command in (train, evaluate, predict, notebook, devices):
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


def main() -> NoReturn:
    """Run the command line and exit: 0, 2 after an error told in one line, 130 after Ctrl-C."""
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except UsageError as error:
        _fail(error.format_message())  # type: ignore[attr-defined]
    except GpucnnError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except MemoryError:
        _fail("not enough memory: use a smaller batch size")
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)


def _fail(message: str) -> NoReturn:
    one_line = " ".join(message.split())
    print(f"gpucnn: error: {one_line}", file=sys.stderr)
    sys.exit(2)
