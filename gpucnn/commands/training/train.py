"""`gpucnn train`: train a preset in a run folder, or resume a run."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpucnn.applications import default_config
from gpucnn.backends import list_devices
from gpucnn.backends.ranks.world import World, world
from gpucnn.commands.options import (
    BatchSize,
    Data,
    Dtype,
    Epochs,
    ImageSize,
    LearningRate,
    LearningRateSchedule,
    Model,
    Optimizer,
    Threads,
    check_unchanged,
    check_workers,
    given,
)
from gpucnn.commands.runs import Run, read_config
from gpucnn.commands.runs.follower import Follower, lead
from gpucnn.errors import (
    DeviceError,
    DeviceMemoryError,
    InvalidValueError,
    StoppedError,
    printable,
)
from gpucnn.utils import arguments
from gpucnn.utils.plots import check_matplotlib

if TYPE_CHECKING:
    from gpucnn.serving import LivePage


def train(
    model: Model = None,
    data: Data = None,
    image_size: ImageSize = None,
    device: Annotated[
        str | None, typer.Option(help="Where to train, see gpucnn devices (default: auto)")
    ] = None,
    threads: Threads = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    per_rank_batch_size: Annotated[
        int | None,
        typer.Option(help="Images in a training step for each rank that mpiexec has started"),
    ] = None,
    optimizer: Optimizer = None,
    learning_rate: LearningRate = None,
    schedule: LearningRateSchedule = None,
    seed: Annotated[
        int | None, typer.Option(help="Of first weights, shuffles and dropout (default: 0)")
    ] = None,
    dtype: Dtype = None,
    output: Annotated[
        Path | None, typer.Option(help="The run's folder (default: a new one in runs/)")
    ] = None,
    no_graph: Annotated[
        bool,
        typer.Option(
            "--no-graph",
            help="On a GPU, launch each kernel of a step, not the recorded step as one graph",
        ),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --output")
    ] = False,
    plot: Annotated[
        bool, typer.Option("--plot", help="Draw curves.png in the run's folder after each epoch")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show curves and filters in a browser meanwhile")
    ] = False,
    port: Annotated[
        int | None, typer.Option(help="The port of --serve (default: a free one)")
    ] = None,
) -> None:
    """Train a network on MNIST, or on images of your own; by default the notebook's, to 98 %.

    The run's folder receives checkpoint.safetensors and history.json after each epoch. A run that
    was stopped goes on with --resume, to the same result; with more --epochs, for longer.
    """
    options = given(
        model=model,
        data=data,
        image_size=image_size,
        device=device,
        threads=threads,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        schedule=schedule,
        seed=seed,
        dtype=dtype,
    )
    ranks = world()
    if per_rank_batch_size is not None:
        options["batch_size"] = _batch_size_of_all(per_rank_batch_size, batch_size, ranks)
    if ranks.rank:
        _follow(ranks, no_graph=no_graph)
        return
    if plot:
        check_matplotlib()
    if port is not None and not serve:
        raise InvalidValueError("--port is that of --serve, which is not given: give both")
    if not resume:
        check_workers(threads, [device or "auto"])
    with ExitStack() as stack:
        page = stack.enter_context(_live_page(port or 0)) if serve else None
        begun = _resume(output, options) if resume else Run.start(output, default_config(**options))
        run = stack.enter_context(begun)
        if page is not None:
            page.earlier, run.callbacks = run.history.epochs, [page]
        try:
            run.model.run_eagerly, run.draws = no_graph, plot
            _describe(run, by_auto=not resume and options.get("device", "auto") == "auto")
            lead(ranks, run)
            run.train()
        except KeyboardInterrupt:
            raise StoppedError(f"stopped: {_how_to_go_on(run)}") from None
        except DeviceMemoryError:  # resuming would run out of memory again
            raise
        except DeviceError as error:
            raise DeviceError(f"{error}; {_how_to_go_on(run)}") from error
        _conclude(run)


def _live_page(port: int) -> "LivePage":
    from gpucnn.serving import LivePage  # imported here: it needs an extra

    return LivePage(port)


def _follow(ranks: World, *, no_graph: bool) -> None:
    with Follower.follow(ranks) as run:
        run.model.run_eagerly = no_graph
        run.train()


def _batch_size_of_all(of_one: int, of_all: int | None, ranks: World) -> int:
    if of_all is not None:
        raise InvalidValueError(
            "--batch-size and --per-rank-batch-size are both given: give one of them"
        )
    return arguments.positive_integer(of_one, "per_rank_batch_size") * ranks.size


def _resume(output: Path | None, given: dict[str, Any]) -> Run:
    if output is None:
        raise InvalidValueError("--resume needs to know which run: give its folder as --output")
    begun_with = read_config(output)
    asked_for = replace(begun_with, **given).resolved()
    goes_further = asked_for.epochs > begun_with.epochs
    names = (name for name in given if not (name == "epochs" and goes_further))
    check_unchanged("run", output, begun_with, asked_for, names)
    return Run.resume(output, asked_for.epochs)


def _how_to_go_on(run: Run) -> str:
    return f"gpucnn train --resume --output {quote(str(run.folder))} goes on"


def _describe(run: Run, *, by_auto: bool) -> None:
    config, model, backend = run.config, run.model, run.model.backend
    source = printable(config.data or "the built-in MNIST")
    print(
        f"{config.model}: {model.parameters.size:,} parameters of {config.dtype} on "
        f"{backend.device} ({backend.description})"
    )
    if backend.device == "simulator":
        print(
            "the simulator executes each CUDA thread on the CPU, at tens to hundreds of images/s: "
            "it is for tests, and --device cpu is many times faster"
        )
    if by_auto and backend.device == "cpu":
        first = list_devices()[0]
        if not first.broken:  # else a warning has said so
            print(f"auto took the CPU, since {first.name} cannot be used: {first.description}")
    print(
        f"{len(run.train_data[0]):,} images to train on, {len(run.test_data[0]):,} to test on, "
        f"from {source}"
    )
    print(
        f"{config.optimizer}, learning rate {config.learning_rate:g}, {config.schedule}; "
        f"batches of {config.batch_size}, seed {config.seed}; run folder {run.folder}",
        flush=True,
    )
    if run.history.epochs:
        print(f"resumed: {len(run.history.epochs)} of {config.epochs} epochs are done", flush=True)
    if run.epochs_left == 0:
        print("nothing is left to do")


def _conclude(run: Run) -> None:
    last = run.history.epochs[-1]
    print(
        f"test accuracy {last['val_accuracy']:.2%} after epoch {last['epoch']}; "
        f"{last['images_per_second']:,.0f} images/s in training steps"
    )
    print(f"saved {run.checkpoint}")
