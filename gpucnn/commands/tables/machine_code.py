"""The tables of `gpucnn kernels --sass`: what the kernels consist of on an architecture."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations

from rich.table import Table

from gpucnn.backends.cuda.kernel import Kernel, Sizes
from gpucnn.backends.cuda.machine_code.hot_loop import accesses, hot_loop, multiply_adds
from gpucnn.backends.cuda.machine_code.nvdisasm import Instruction
from gpucnn.backends.cuda.machine_code.nvrtc import Resources
from gpucnn.backends.cuda.machine_code.occupancy import occupancy
from gpucnn.commands.terminal import new_table, print_table


@dataclass(frozen=True)
class Code:
    """The machine code of a kernel that was compiled for one of its samples.

    Attributes:
        sample: tells the sample from the others of the kernel, see `sample_names`.
    """

    kernel: Kernel
    sample: str
    instructions: Sequence[Instruction]
    resources: Resources


def sample_names(samples: Sequence[Sizes]) -> list[str]:
    """A name for each sample of a kernel: as few constants as tell them apart, and their values."""
    choices = chain.from_iterable(
        combinations(samples[0], count) for count in range(len(samples[0]) + 1)
    )
    names = next(each for each in choices if len(set(_values(samples, each))) == len(samples))
    values = _values(samples, names)
    return [" ".join(map("{}={}".format, names, each)) for each in values]


def _values(samples: Sequence[Sizes], names: Sequence[str]) -> list[tuple[int, ...]]:
    return [tuple(sample[name] for name in names) for sample in samples]


def print_machine_code(codes: Sequence[Code], architecture: str) -> None:
    """Print the tables, for each sample of each kernel a row."""
    print("\nmultiply-adds (FMA) in the innermost loop that has the most of them, or in the whole")
    print("kernel where no loop has any, among all instructions there; per: of these for each FMA")
    print("(LDS: loads from shared memory; .128, here and below: of 16 bytes a thread)")
    print_table(_loops(codes))
    print("\nloads from global memory (LDG) and stores to it (STG) in the whole kernel")
    print("(reg.: registers of a thread; occ.: occupancy)")
    print_table(_accesses(codes, architecture))


def _loops(codes: Sequence[Code]) -> Table:
    headings = ("all", "FMA", "share", "per", "LDS.128", "LDS")
    table = new_table("kernel", "sample", "in", numbers=headings)
    for code in codes:
        loop = hot_loop(code.instructions)
        part = loop or code.instructions
        found = multiply_adds(part)
        if found:
            table.add_row(
                code.kernel.name,
                code.sample,
                "loop" if loop else "whole",
                f"{len(part):,}",
                f"{found:,}",
                f"{found / len(part):.1%}",
                f"{len(part) / found:.2f}",
                *map(str, accesses(part, "LDS")),
            )
    return table


def _accesses(codes: Sequence[Code], architecture: str) -> Table:
    headings = ("LDG.128", "LDG", "STG.128", "STG", "reg.", "occ.")
    table = new_table("kernel", "sample", numbers=headings)
    for code in codes:
        resources = code.resources
        table.add_row(
            code.kernel.name,
            code.sample,
            *map(str, accesses(code.instructions, "LDG")),
            *map(str, accesses(code.instructions, "STG")),
            str(resources.registers),
            f"{occupancy(resources, code.kernel.threads, architecture):.0%}",
        )
    return table
