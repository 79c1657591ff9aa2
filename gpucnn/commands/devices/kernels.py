"""`gpucnn kernels`: the resources that the CUDA kernels take on each architecture."""

from collections.abc import Callable, Iterable
from functools import reduce
from itertools import chain
from operator import or_
from typing import Annotated

import typer
from rich.table import Table

from gpucnn.backends.backend import KERNELS
from gpucnn.backends.cuda.kernel import Kernel
from gpucnn.backends.cuda.machine_code import nvrtc
from gpucnn.backends.cuda.machine_code.nvdisasm import disassemble
from gpucnn.backends.cuda.machine_code.nvrtc import ARCHITECTURES, Compiled, Resources
from gpucnn.backends.cuda.machine_code.occupancy import occupancy
from gpucnn.backends.cuda.machine_code.resources import Compilation, compilations
from gpucnn.commands.tables.machine_code import Code, print_machine_code, sample_names
from gpucnn.commands.terminal import new_table, print_table, tracked
from gpucnn.models.network import DTYPES
from gpucnn.utils import arguments

Needs = dict[tuple[str, str], Resources]
"""The resources of each kernel on each architecture, by the names of both.

Of a kernel that is compiled for the sizes it is launched with, what suffices for all its samples.
"""


def kernels(
    dtype: Annotated[str, typer.Option(help=", ".join(DTYPES))] = "float32",
    sass: Annotated[
        str | None,
        typer.Option(
            metavar="ARCHITECTURE",
            help="Show what the machine code for an architecture, such as sm_90, consists of",
        ),
    ] = None,
) -> None:
    """Compile every CUDA kernel for each architecture, and show its resources; needs no GPU."""
    arguments.one_of(dtype, "dtype", DTYPES)
    if sass is not None:
        _show_machine_code(dtype, arguments.one_of(sass, "sass", ARCHITECTURES))
        return
    version = nvrtc.version()
    needs = _compile_all(dtype)
    print(
        f"{len(KERNELS)} kernels on {dtype} for {len(ARCHITECTURES)} architectures, "
        f"compiled by NVRTC {version}"
    )
    print("\nregisters of a thread")
    print_table(_registers(needs))
    print("\noccupancy: warps on a multiprocessor at once, of the most that it can hold")
    print("(block: threads of a block; shared: bytes of shared memory of a block)")
    print_table(_occupancies(needs))
    print()
    for line in _overflows(needs) or ["no kernel spills registers or needs a stack"]:
        print(line)


def _compile_all(dtype: str) -> Needs:
    wanted = {
        (kernel.name, architecture): compilations(kernel, dtype, architecture)
        for kernel in KERNELS.values()
        for architecture in ARCHITECTURES
    }
    results = _compiled(chain.from_iterable(wanted.values()))
    return {
        key: reduce(or_, (results[each].resources[KERNELS[key[0]].function] for each in samples))
        for key, samples in wanted.items()
    }


def _compiled(compilations: Iterable[Compilation]) -> dict[Compilation, Compiled]:
    """What the compiler makes of each, several at once."""
    from concurrent.futures import ThreadPoolExecutor  # here: other commands begin without it

    distinct = list(dict.fromkeys(compilations))
    with ThreadPoolExecutor() as pool:
        done = tracked(pool.map(Compilation.run, distinct), "compiling", len(distinct))
        return dict(zip(distinct, done, strict=True))


def _show_machine_code(dtype: str, architecture: str) -> None:
    version = nvrtc.version()
    wanted = [
        (kernel, *sample)
        for kernel in KERNELS.values()
        for sample in zip(
            sample_names(kernel.samples(dtype)),
            compilations(kernel, dtype, architecture),
            strict=True,
        )
    ]
    compiled = _compiled(each for *_, each in wanted)
    read = disassemble([each.machine_code for each in compiled.values()], architecture)
    functions = dict(zip(compiled, read, strict=True))
    print(
        f"machine code of {len(KERNELS)} kernels on {dtype} for {architecture}, "
        f"compiled by NVRTC {version}"
    )
    codes = [
        Code(
            kernel,
            name,
            functions[each][kernel.function],
            compiled[each].resources[kernel.function],
        )
        for kernel, name, each in wanted
    ]
    print_machine_code(codes, architecture)


def _registers(needs: Needs) -> Table:
    return _table({}, lambda kernel, architecture: str(needs[kernel.name, architecture].registers))


def _occupancies(needs: Needs) -> Table:
    def shared_memory(kernel: Kernel) -> str:
        sizes = {needs[kernel.name, architecture].shared_memory for architecture in ARCHITECTURES}
        return " or ".join(f"{size:,}" for size in sorted(sizes))

    def share(kernel: Kernel, architecture: str) -> str:
        resources = needs[kernel.name, architecture]
        return f"{occupancy(resources, kernel.threads, architecture):.0%}"

    return _table({"block": lambda kernel: f"{kernel.threads:,}", "shared": shared_memory}, share)


def _table(
    columns: dict[str, Callable[[Kernel], str]], cell: Callable[[Kernel, str], str]
) -> Table:
    """A row for each kernel: its name, then `columns`, then a `cell` for each architecture."""
    table = new_table("kernel", numbers=(*columns, *ARCHITECTURES))
    for kernel in KERNELS.values():
        before = [column(kernel) for column in columns.values()]
        cells = [cell(kernel, architecture) for architecture in ARCHITECTURES]
        table.add_row(kernel.name, *before, *cells)
    return table


def _overflows(needs: Needs) -> list[str]:
    return [
        f"{name} on {architecture}: {each.stack} bytes of stack for each thread, "
        f"{each.spill_stores} bytes spilled, {each.spill_loads} bytes read back"
        for (name, architecture), each in needs.items()
        if each.stack or each.spill_stores or each.spill_loads
    ]
