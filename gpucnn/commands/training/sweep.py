"""`gpucnn sweep`: train one recipe with several seeds, at once, into one table."""

import sys
from contextlib import closing
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

from gpucnn.applications import TrainConfig, default_config
from gpucnn.backends.ranks.world import world
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
    given,
)
from gpucnn.commands.sweeps import Result, Slot, Sweep, find_slots, parse_seeds
from gpucnn.commands.tables.sweep import print_results
from gpucnn.commands.terminal import tracked
from gpucnn.errors import InvalidValueError, StoppedError, printable


def sweep(
    seeds: Annotated[
        str | None, typer.Option(help="Of the trainings, such as 0-9 or 0,3,5-7")
    ] = None,
    model: Model = None,
    data: Data = None,
    image_size: ImageSize = None,
    device: Annotated[
        str | None,
        typer.Option(help="Where to train; auto and cuda: on all GPUs (default: auto)"),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--workers",
            "--threads",
            help="On the CPU, worker processes of a training, its own included (default: 1)",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="On the CPU, trainings at a time (default: what the cores suffice for)"),
    ] = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    optimizer: Optimizer = None,
    learning_rate: LearningRate = None,
    schedule: LearningRateSchedule = None,
    dtype: Dtype = None,
    output: Annotated[
        Path | None, typer.Option(help="The sweep's folder (default: a new one in runs/)")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Train what is missing of the sweep in --output"),
    ] = False,
) -> None:
    """Train a network with several seeds, and print each result, their mean and their spread.

    Each training is a process of its own with a run folder of its own, as of gpucnn train; on the
    CPU one for each core, each with one worker, and on GPUs one on each. One that fails loses its
    own result alone: exit 1 then; --resume trains what is missing, as after Ctrl-C. Ranks that
    mpiexec has started divide the seeds among them.
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
        dtype=dtype,
    )
    numbers = None if seeds is None else parse_seeds(seeds)
    ranks = world()
    if ranks.rank:
        begun = ranks.gather(None)[0]
        slots = _slots(begun.config, jobs)
    else:
        begin = _resume if resume else _start
        begun, slots = begin(output, numbers, options, jobs)
        ranks.gather(begun)
        _describe(begun, slots)
    try:
        _train(begun, slots)
    except KeyboardInterrupt:
        how = f"gpucnn sweep --resume --output {quote(str(begun.folder))} goes on"
        raise StoppedError(f"stopped: {how}") from None
    if ranks.rank == 0:
        _conclude(begun)


def _start(
    output: Path | None, seeds: list[int] | None, given: dict[str, Any], jobs: int | None
) -> tuple[Sweep, list[Slot]]:
    if seeds is None:
        raise InvalidValueError("a sweep needs seeds: give them, such as --seeds 0-9")
    config = default_config(**given)
    slots = _slots(config, jobs)  # so that a device that cannot be used leaves no folder
    return Sweep.start(output, config, seeds), slots


def _resume(
    output: Path | None, seeds: list[int] | None, given: dict[str, Any], jobs: int | None
) -> tuple[Sweep, list[Slot]]:
    if output is None:
        raise InvalidValueError("--resume needs to know which sweep: give its folder as --output")
    begun = Sweep.resume(output, seeds, **given)
    return begun, _slots(begun.config, jobs)


def _slots(config: TrainConfig, jobs: int | None) -> list[Slot]:
    return find_slots(config.device, jobs, config.threads)


def _describe(begun: Sweep, slots: list[Slot]) -> None:
    config, ranks = begun.config, world()
    seeds = f"{len(begun.seeds):,} seed{'s' * (len(begun.seeds) > 1)}"
    by_each = f" by each of {ranks.size} ranks" if ranks.size > 1 else ""
    print(
        f"{config.model}: {seeds}, {len(slots)} at a time on {slots[0].device}{by_each}; "
        f"from {printable(config.data or 'the built-in MNIST')}"
    )
    print(
        f"{config.optimizer}, learning rate {config.learning_rate:g}, {config.schedule}; "
        f"batches of {config.batch_size}, epochs: {config.epochs}; folder {begun.folder}",
        flush=True,
    )
    if begun.results:
        print(f"resumed: {len(begun.results):,} of {len(begun.seeds):,} are done", flush=True)


def _train(begun: Sweep, slots: list[Slot]) -> None:
    """Train with this rank's seeds, with a progress bar on a terminal, and else in lines."""
    count, is_terminal = len(begun.share), sys.stdout.isatty()
    with closing(begun.train(slots)) as trainings:
        for number, result in enumerate(tracked(trainings, "training", count), 1):
            if not is_terminal:
                print(f"{_in_words(result)} ({number} of {count}{_whose()})", flush=True)


def _in_words(result: Result) -> str:
    if result.failure is not None:
        return f"seed {result.seed}: failed: {result.failure}"
    return f"seed {result.seed}: test accuracy {result.val_accuracy:.2%}, {result.seconds:.0f} s"


def _whose() -> str:
    return f" of rank {world().rank}" if world().size > 1 else ""


def _conclude(begun: Sweep) -> None:
    print_results(begun.ended)
    print(f"saved {begun.file}")
    failed = [result for result in begun.ended if result.failure is not None]
    if failed:
        how = f"gpucnn sweep --resume --output {quote(str(begun.folder))} tries again"
        print(f"failed: {len(failed):,} of {len(begun.seeds):,}; {how}")
        raise typer.Exit(1)
