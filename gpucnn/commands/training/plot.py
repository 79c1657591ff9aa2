"""`gpucnn plot`: the curves of several runs in one picture."""

from pathlib import Path
from typing import Annotated

import typer

from gpucnn.commands.runs.comparison import read_trainings
from gpucnn.models.pictures.curves import draw_history, draw_trainings
from gpucnn.utils.plots import check_plot, write_figure


def plot(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs, or of sweeps")],
    output: Annotated[Path, typer.Option(help="The picture, a PNG file")] = Path("curves.png"),
) -> None:
    """Draw the curves of runs; those whose recipes differ in the seed alone as mean and range."""
    check_plot(output)
    trainings = read_trainings(runs)
    if len(trainings) == 1 and len(trainings[0].runs) == 1:
        figure = draw_history(trainings[0].runs[0])
    else:
        figure = draw_trainings(trainings)
    write_figure(output, figure)
    print(f"saved {output}")
