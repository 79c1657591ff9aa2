"""`gpucnn serve`: a page to draw on, and answers to programs, by saved models."""

from pathlib import Path
from typing import Annotated

import typer

from gpucnn.backends import available_devices, get_backend
from gpucnn.commands.options import Device
from gpucnn.commands.runs import model_name
from gpucnn.errors import InvalidValueError
from gpucnn.models.model import Model

Host = Annotated[str, typer.Option(help="The address to listen on: 0.0.0.0 for all of the machine")]


def serve(
    models: Annotated[list[Path], typer.Argument(help="Files saved by gpucnn, or .keras files")],
    device: Device = "auto",
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on, 0 for a free one")] = 8000,
) -> None:
    """Show a page on which digits are drawn, and answer programs, until Ctrl-C."""
    from gpucnn.serving import create_app
    from gpucnn.serving.server import open_socket, run, url_of

    with open_socket(host, port) as listening:
        first = get_backend(device).device
        loaded = {name: Model.load(file, first) for name, file in _named(models).items()}
        app = create_app(loaded, [first, *available_devices()])
        print(f"{', '.join(loaded)} on {first}: {url_of(listening)}/ (Ctrl-C stops)", flush=True)
        run(app, listening)


def _named(files: list[Path]) -> dict[str, Path]:
    """Files by the names that they are served under.

    Raises:
        InvalidValueError: two would have the same.
    """
    named: dict[str, Path] = {}
    for file in files:
        name = model_name(file)
        if name in named:
            raise InvalidValueError(
                f"{named[name]} and {file} would both be served as {name}: rename one"
            )
        named[name] = file
    return named
