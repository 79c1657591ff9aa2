"""`gpucnn bench`: time devices and other libraries on the same work, or compare two reports."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from gpucnn.applications.recipes import RECIPES
from gpucnn.backends import available_devices
from gpucnn.benchmark import PEERS, Plan, run_benchmark
from gpucnn.benchmark.report import Report, read_report, write_report
from gpucnn.benchmark.report.comparison import compare as compare_reports
from gpucnn.benchmark.report.plot import write_plot
from gpucnn.commands.options import WORKERS, Threads, check_workers
from gpucnn.commands.tables.bench import print_comparison, print_report
from gpucnn.errors import InvalidValueError
from gpucnn.models import MODELS
from gpucnn.models.network import DTYPES
from gpucnn.utils import arguments
from gpucnn.utils.plots import check_plot
from gpucnn.utils.storage.files import check_writable

TOLERANCE = 10  # per cent


def bench(
    device: Annotated[
        list[str] | None,
        typer.Option(help="May be given again; see gpucnn devices (default: all but simulator)"),
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(help=f"What to time beside them, may be given again: {', '.join(PEERS)}"),
    ] = None,
    model: Annotated[
        str, typer.Option(help=f"{', '.join(MODELS)}; without what draws at random")
    ] = "notebook",
    batch_size: Annotated[
        list[int] | None, typer.Option(help="May be given again (default: by model)")
    ] = None,
    dtype: Annotated[str, typer.Option(help=", ".join(DTYPES))] = "float32",
    threads: Threads = None,
    to_accuracy: Annotated[
        float | None,
        typer.Option(help="Also train to this accuracy on the test images, in per cent"),
    ] = None,
    ranks: Annotated[
        list[int] | None,
        typer.Option(help="Also train on this many ranks, started by mpiexec; may be given again"),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Keep the report in this file")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the report to this .png file")] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="OLD NEW", help="Measure nothing: compare two files of --json"),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            help=f"How much slower --compare lets something be, in per cent (default: {TOLERANCE})"
        ),
    ] = None,
) -> None:
    """Time training steps, inference and each layer on several devices, and libraries beside them.

    With --compare, exit 1 if something became slower, or needs more memory, by more than its noise
    and --tolerance, or if an accuracy is no longer reached.
    """
    if compare is not None:
        measuring = {
            "--device": device,
            "--peer": peer,
            "--batch-size": batch_size,
            WORKERS: threads,
            "--to-accuracy": to_accuracy,
            "--ranks": ranks,
            "--json": json,
            "--plot": plot,
        }
        _refuse_with_compare([name for name, value in measuring.items() if value is not None])
        allowed = TOLERANCE if tolerance is None else tolerance
        _compare(*compare, arguments.non_negative_number(allowed, "tolerance") / 100)
        return
    if tolerance is not None:
        raise InvalidValueError("--tolerance is for --compare: give two reports, or leave it out")
    _check_outputs(json, plot)
    plan = Plan(
        devices=tuple(device or _default_devices()),
        peers=tuple(peer or ()),
        model=model,
        batch_sizes=tuple(batch_size or _default_batch_sizes(model)),
        dtype=dtype,
        threads=threads,
        to_accuracy=None if to_accuracy is None else _share(to_accuracy),
        ranks=tuple(ranks or ()),
    )
    if not plan.peers:  # they have workers, or threads, on the CPU
        check_workers(threads, plan.devices)
    report = _measure(plan)
    print_report(report)
    _write(report, json, plot)


def _refuse_with_compare(given: list[str]) -> None:
    """Refuse options of measuring that were given with --compare."""
    if given:
        raise InvalidValueError(
            f"--compare measures nothing and writes no file: leave {' and '.join(given)} out"
        )


def _compare(old: Path, new: Path, tolerance: float) -> None:
    """Print the comparison of two files of --json, and exit 1 if anything got worse."""
    comparison = compare_reports(read_report(old), read_report(new))
    print_comparison(comparison, tolerance)
    if comparison.regressions(tolerance) or comparison.lost:
        raise typer.Exit(1)


def _check_outputs(json: Path | None, plot: Path | None) -> None:
    """Check that the files can be written, before time is spent on measuring."""
    if json is not None and json == plot:
        raise InvalidValueError(f"{json} is given for both --json and --plot: give two files")
    if json is not None:
        check_writable(json)
    if plot is not None:
        check_plot(plot)


def _default_devices() -> list[str]:
    """All usable devices but the simulator, which is for tests and slow."""
    return [name for name in available_devices() if name != "simulator"]


def _default_batch_sizes(model: str) -> list[int]:
    return [RECIPES[arguments.one_of(model, "model", tuple(MODELS))].batch_size]


def _share(accuracy: float) -> float:
    """An accuracy in per cent, as a share."""
    if not 0 < accuracy < 100:
        raise InvalidValueError(
            f"to_accuracy is {accuracy:g}: it must be above 0 and below 100, in per cent"
        )
    return accuracy / 100


def _measure(plan: Plan) -> Report:
    """Run the benchmark with a progress bar, drawn between the measurements only."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        console=Console(),
        auto_refresh=False,  # its thread would take time from what is measured
        transient=True,
        disable=not sys.stdout.isatty(),
    ) as display:
        task = display.add_task("", total=1)

        def progress(what: str, share: float) -> None:
            display.update(task, description=what, completed=share, refresh=True)

        return run_benchmark(plan, progress)


def _write(report: Report, json: Path | None, plot: Path | None) -> None:
    if json is not None:
        write_report(json, report)
        print(f"saved {json}")
    if plot is not None:
        write_plot(plot, report)
        print(f"saved {plot}")
