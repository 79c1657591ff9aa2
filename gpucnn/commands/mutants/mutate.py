"""`gpucnn mutate`: make each mutant of kernels, and see that tests notice it."""

from contextlib import closing
from json import dumps
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from gpucnn.commands.terminal import print_table, tracked
from gpucnn.errors import InvalidValueError
from gpucnn.utils.storage.files import check_writable, write_bytes

TESTS = "the command that runs the tests"


class WithTests(TyperCommand):
    """A command with another behind `--`, which its context keeps as `meta[TESTS]`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Leave the other command out."""
        end = args.index("--") if "--" in args else len(args)
        ctx.meta[TESTS] = args[end + 1 :]
        return super().parse_args(ctx, args[:end])

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Name the other command too."""
        return [*super().collect_usage_pieces(ctx), "-- COMMAND..."]


def mutate(
    context: typer.Context,
    kernels: Annotated[
        list[str],
        typer.Argument(
            metavar="KERNELS.cu[:LINE]...",
            help="Files of CUDA C, or of Python with CUDA C in its strings; or a line of one",
        ),
    ],
    share: Annotated[
        str, typer.Option(metavar="I/N", help="Try every Nth mutant, from the Ith on")
    ] = "1/1",
    json: Annotated[Path | None, typer.Option(help="Keep what became of each in this file")] = None,
) -> None:
    """Make small faults in kernels, one at a time, and show those that no test notices.

    Behind -- stands the command that runs the tests, such as pytest tests/test_kernels.py, in which
    the simulator runs the kernels. Files stay as they are. Exit 1 if a mutant survives: a survivor
    wants a test, or a comment on its line, // mutant: and why nothing can notice it.
    """
    # The simulator, and what runs at a time: other commands begin without them.
    from gpucnn.commands.mutants.report import gathered, is_left, report_of, table_of
    from gpucnn.commands.mutants.study import chosen, outcomes_of

    command = context.meta[TESTS]
    if not command:
        raise InvalidValueError("no command runs the tests: give it behind --, as -- pytest tests")
    if json is not None:
        check_writable(json)
    mutants = chosen(kernels, share)
    with closing(outcomes_of(mutants, command)) as outcomes:
        found = gathered(tracked(outcomes, "mutants", len(mutants)))
    in_order = {mutant: found[mutant] for mutant in mutants}
    print_table(table_of(in_order))
    if json is not None:
        write_bytes(json, (dumps(report_of(command, in_order), indent=2) + "\n").encode())
        print(f"saved {json}")
    if any(is_left(*each) for each in found.items()):
        raise typer.Exit(1)
