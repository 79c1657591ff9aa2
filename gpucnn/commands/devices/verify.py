"""`gpucnn verify`: train on two devices at once, and compare them."""

from typing import Annotated

import typer
from rich.table import Table

from gpucnn.applications import default_config
from gpucnn.backends import get_backend
from gpucnn.commands.options import Data
from gpucnn.commands.terminal import new_table, print_table, tracked
from gpucnn.models import MODELS
from gpucnn.models.network import DTYPES
from gpucnn.utils import arguments
from gpucnn.verification import Finding, Verification

IMAGES = 2000

Device = Annotated[str, typer.Argument(help="See gpucnn devices")]


def verify(
    device_a: Device,
    device_b: Device,
    model: Annotated[str, typer.Option(help=f"What to train: {', '.join(MODELS)}")] = "notebook",
    data: Data = None,
    steps: Annotated[int, typer.Option(help="How many training steps to compare")] = 50,
    batch_size: Annotated[
        int | None, typer.Option(help="Images in a training step (default: by model)")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of first weights, shuffles and dropout")] = 0,
    dtype: Annotated[str, typer.Option(help=", ".join(DTYPES))] = "float32",
) -> None:
    """Train on two devices from one seed; exit 0 only if they differ by no more than rounding.

    Every operation of a step, layer by layer and as each device runs it, is done on both and held
    to its definition, within a bound for its roundings; and each trains by itself, to the losses of
    the CPU, within what disturbed training there shows rounding to make of them. The first
    difference beyond its bound is named.
    """
    arguments.positive_integer(steps, "steps")
    given = {} if batch_size is None else {"batch_size": batch_size}
    config = default_config(model, data=data, seed=seed, dtype=dtype, device="cpu", **given)
    a, b = get_backend(device_a), get_backend(device_b)
    dataset = config.load_data()
    images, labels = (part[:IMAGES] for part in dataset.train)
    print(
        f"{model} in {dtype}, steps 1 to {steps} of {config.optimizer}, batches of "
        f"{config.batch_size}, seed {seed}, first {len(images):,} training images of "
        f"{data or 'the built-in MNIST'}"
    )
    print(f"A is {a.device} ({a.description}), B is {b.device} ({b.description})", flush=True)
    verification = Verification(config, images, labels, a, b, dataset.classes)
    _run(verification, steps)
    _show(verification)
    if verification.finding is not None:
        print(f"A and B do not agree: {verification.finding}")
        raise typer.Exit(1)
    print(f"A and B agree in steps 1 to {steps}")


def _run(verification: Verification, steps: int) -> None:
    """Run the steps, up to the first with a difference beyond its bound."""
    for _ in tracked(range(steps), "training on A and B", steps):
        verification.step()
        if verification.finding is not None:
            return


def _show(verification: Verification) -> None:
    print("\nfurthest from the definition, as a share of what is allowed")
    print_table(_operations(verification))
    print("\nmean loss of a step, each device training by itself, and how far off the CPU's")
    print_table(_losses(verification))
    print()


def _operations(verification: Verification) -> Table:
    table = new_table("", "operation", "array", numbers=("A", "B"))
    for place, worst in verification.worst.items():
        table.add_row(*place, *map(_share, worst))
    return table


def _share(found: Finding) -> str:
    deviation = found.deviation
    if deviation.allowed == 0:
        return "unequal" if deviation.difference else "equal"
    return f"{deviation.share:.2g}"


def _losses(verification: Verification) -> Table:
    table = new_table(numbers=("step", "CPU", "A", "B", "A off", "B off", "allowed"))
    last = verification.losses[-1].step
    for step, cpu, devices, deviations in verification.losses:
        if step in (1, last) or step % 10 == 0:
            losses = (f"{loss:.6f}" for loss in (cpu, *devices))
            off = (f"{each.difference:.1e}" for each in deviations)
            table.add_row(str(step), *losses, *off, f"{deviations[0].allowed:.1e}")
    return table
