"""Compiling and launching kernels on the CPU, with CuPy's interface."""

import ctypes
from collections.abc import Callable, Iterable, Sequence
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from gpucnn.simulator.counting import Counter, Traffic, counted_launches
from gpucnn.simulator.errors import SimulatorError
from gpucnn.simulator.launches import Launch, disjoint
from gpucnn.simulator.library import Library, load
from gpucnn.simulator.mutation.watching import watched
from gpucnn.simulator.parameters import Argument, Arguments, Parameter

LARGEST_GRID = (2**31 - 1, 65535, 65535)
LARGEST_BLOCK = (1024, 1024, 64)
MOST_THREADS = 1024
MOST_STATIC_SHARED = 48 * 1024
MOST_SHARED = 227 * 1024
MOST_IN_CLUSTER = 8
MOST_COOPERATING = 16384
"""Threads of a cooperative launch, each of which has a stack at the same time."""

Order = Literal["forward", "reversed"] | int
"""The order in which blocks and threads run, or the seed of a shuffled order."""


_ORDERS = {"forward": 0, "reversed": 1}
_SHUFFLED = 2


def check_order(order: object) -> None:
    """Raise SimulatorError unless `order` is one in which blocks and threads can run."""
    if order not in tuple(_ORDERS) and not isinstance(order, int):
        raise SimulatorError(
            f"the order {order!r} is not known: give forward, reversed, or a whole number as the "
            "seed of a shuffled one"
        )


def _check_source(source: object) -> None:
    """Refuse what is neither CUDA C nor a path, and a path that is given as CUDA C."""
    if not isinstance(source, str | Path):
        raise SimulatorError(
            f"the source is of type {type(source).__name__}: give CUDA C as a string, or the path "
            "of a file of it as a pathlib.Path"
        )
    if isinstance(source, str) and source.endswith((".cu", ".cuh")) and "\n" not in source:
        raise SimulatorError(f"{source!r} is no CUDA C: give a file as pathlib.Path({source!r})")


class Module:
    """The kernels of a CUDA C source, compiled for the CPU.

    Compiled code is cached in the user's cache folder. Modules of the same source and options share
    their `__device__` variables.

    Args:
        source: CUDA C, or the path of a file of it, whose folder is searched for includes.
        options: compiler options: -DNAME=VALUE, -UNAME, -IFOLDER, -std=c++17 or -std=c++20.
        order: the order in which the blocks of a grid and the threads of a block run, and resume
            after each barrier: "forward", "reversed", or the seed of a shuffled order. A correct
            kernel gives the same result in each.
        name_expressions: C++ expressions of kernels and variables that have no `extern "C"` name,
            as NVRTC takes them: of a template, "scale<float, 4>", or in a namespace, "mine::scale".
            They are the names by which `get_function` and `get_global` find them.
        checked: whether each access to memory is checked. Without it a launch is faster, and a
            stray access or a race may pass unseen.

    Raises:
        SimulatorError: the source does not compile, no compiler is installed, an option or the
            order is unknown, or an argument of another kind.
    """

    def __init__(
        self,
        source: str | Path,
        options: Sequence[str] = (),
        order: Order = "forward",
        *,
        name_expressions: Sequence[str] | None = None,
        checked: bool = True,
    ) -> None:
        check_order(order)
        self._order = order
        names = name_expressions or ()
        _check_source(source)
        if isinstance(names, str):
            raise SimulatorError(
                f"name_expressions is {names!r}: give a sequence of expressions, [{names!r}]"
            )
        self._library, self._launched = watched(
            lambda source, options: load(source, options, names, is_checked=checked),
            source,
            options,
            names,
        )

    def get_function(self, name: str) -> "Function":
        """The kernel of that name: its symbol, or one of the module's name expressions.

        Raises:
            SimulatorError: there is none.
        """
        return Function(self._library, name, self._order, self._launched)

    def get_global(self, name: str) -> npt.NDArray[np.uint8]:
        """The memory of a `__device__`, `__constant__` or `__managed__` variable, as bytes.

        Raises:
            SimulatorError: there is no variable of that symbol or name expression.
        """
        variable = self._library.listing.variable(name)
        memory = (ctypes.c_uint8 * variable.size).from_address(variable.address)
        memory.library = self._library  # type: ignore[attr-defined]  # keeps it loaded
        return np.ctypeslib.as_array(memory)


class Function:
    """A kernel that can be launched; get it from `Module.get_function`."""

    def __init__(
        self, library: Library, name: str, order: Order, launched: Callable[[], None]
    ) -> None:
        self.name = name
        self._library = library
        self._order = order
        self._launched = launched
        kernel = library.kernel(name)
        self._kernel, self._static_shared = kernel.description, kernel.static_shared

    @property
    def attributes(self) -> dict[str, int]:
        """What CUDA tells of a kernel and the simulator knows, in CuPy's words."""
        return {
            "max_threads_per_block": self._kernel.largest_block or MOST_THREADS,
            "shared_size_bytes": self._static_shared,
            "max_dynamic_shared_size_bytes": MOST_SHARED - self._static_shared,
        }

    @property
    def parameters(self) -> Sequence[Parameter]:
        """What it takes."""
        parameters: Sequence[Parameter] = self._kernel.parameters[: self._kernel.parameter_count]
        return parameters

    def __call__(
        self,
        grid: Sequence[int],
        block: Sequence[int],
        args: Sequence[Argument],
        *,
        shared_mem: int = 0,
        blocks: Iterable[int] | None = None,
        cooperative: bool = False,
    ) -> None:
        """Launch the kernel, and wait until it ends; the arguments are those of `prepare`.

        Raises:
            SimulatorError: as `prepare`, or threads wait for others that never arrive.
        """
        launch = self.prepare(
            grid, block, args, shared_mem=shared_mem, blocks=blocks, cooperative=cooperative
        )
        launch()

    def prepare(
        self,
        grid: Sequence[int],
        block: Sequence[int],
        args: Sequence[Argument],
        *,
        shared_mem: int = 0,
        blocks: Iterable[int] | None = None,
        cooperative: bool = False,
    ) -> "Prepared":
        """Check a launch, and get it ready to be run any number of times.

        Args:
            grid: the number of blocks, in 1 to 3 dimensions.
            block: the number of threads of a block, in 1 to 3 dimensions.
            args: one for each parameter. For a pointer, a C-contiguous array of its dtype (of the
                components' dtype for a pointer to vectors), or None for null. For a value, a NumPy
                scalar of exactly its type; for a struct, also an array of one. As in CuPy, a Python
                int is passed in 64 bits and a float as a double, so they match only parameters of
                these types.
            shared_mem: bytes of dynamic shared memory.
            blocks: the linear indices, x + gridDim.x * (y + gridDim.y * z), of the blocks to run;
                all if None. It is for testing blocks of a grid that is too large to run in full.
            cooperative: whether all blocks live at once, and may wait for each other, by
                `grid.sync()`.

        Returns:
            The launch with the values of its scalars and the addresses of its arrays, which it
            does not keep alive.

        Raises:
            SimulatorError: CUDA does not allow the launch, or an argument does not match its
                parameter.
        """
        self._launched()
        sizes = self._checked_sizes(grid, block, shared_mem)
        self._check_cluster(sizes[0])
        arguments = Arguments(self.name, self.parameters, args)
        chosen = None if blocks is None else self._checked_blocks(blocks, prod(sizes[0]))
        if cooperative:
            self._check_cooperative(prod(sizes[0]) * prod(sizes[1]))
        if blocks is not None and (cooperative or prod(self._kernel.cluster) > 1):
            raise SimulatorError(
                f"{self.name} is launched with some of its blocks, and they wait for each other: "
                "launch all"
            )
        arrays = disjoint(arguments.arrays)
        launch = Launch(
            kernel=ctypes.pointer(self._kernel),
            name=self.name.encode(),
            arguments=arguments.pointers,
            grid=sizes[0],
            block=sizes[1],
            group=sizes[0] if cooperative else self._kernel.cluster,
            is_cooperative=cooperative,
            dynamic_shared=shared_mem,
            order=_ORDERS.get(str(self._order), _SHUFFLED),
            seed=0 if isinstance(self._order, str) else self._order % 2**64,
            blocks=None if chosen is None else chosen.ctypes.data,
            block_count=prod(sizes[0]) if chosen is None else chosen.size,
            arrays=arrays,
            array_count=len(arrays),
            is_strict=not arguments.hides_pointers,
        )
        return Prepared(self._library, launch, arguments, chosen)

    def _checked_sizes(
        self, grid: Sequence[int], block: Sequence[int], shared_mem: int
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Check the launch configuration; return the sizes of grid and block in 3 dimensions."""
        sizes = (
            self._padded_to_3d("grid", grid, LARGEST_GRID),
            self._padded_to_3d("block", block, LARGEST_BLOCK),
        )
        most = self._kernel.largest_block or MOST_THREADS
        if prod(block) > most:
            bound = "its __launch_bounds__" if self._kernel.largest_block else "a device"
            raise SimulatorError(
                f"{self.name} is launched with {prod(block)} threads a block, and {bound} allows "
                f"{most}: launch smaller blocks"
            )
        static = self._static_shared
        if static > MOST_STATIC_SHARED:
            raise SimulatorError(
                f"{self.name} has {static} bytes of static shared memory, and a device allows "
                f"{MOST_STATIC_SHARED}: make its arrays smaller"
            )
        if not 0 <= shared_mem <= MOST_SHARED - static:
            raise SimulatorError(
                f"{self.name} is launched with {shared_mem} bytes of dynamic shared memory, and a "
                f"device has {MOST_SHARED}, {static} of them for its static arrays: launch it with "
                "less"
            )
        return sizes

    def _check_cluster(self, grid: tuple[int, ...]) -> None:
        cluster = tuple(self._kernel.cluster)
        if prod(cluster) > MOST_IN_CLUSTER:
            raise SimulatorError(
                f"{self.name} has clusters of {prod(cluster)} blocks, and a device allows "
                f"{MOST_IN_CLUSTER}: make its __cluster_dims__ smaller"
            )
        if any(blocks % size for blocks, size in zip(grid, cluster, strict=True)):
            raise SimulatorError(
                f"{self.name} is launched with a grid of {grid}, and its clusters are of "
                f"{cluster}: give a multiple of that"
            )

    def _check_cooperative(self, threads: int) -> None:
        if prod(self._kernel.cluster) > 1:
            raise SimulatorError(
                f"{self.name} has clusters, and the simulator does not have cooperative launches "
                "of such kernels: launch it without"
            )
        if threads > MOST_COOPERATING:
            raise SimulatorError(
                f"{self.name} is launched cooperatively with {threads} threads, and the simulator "
                f"has {MOST_COOPERATING} at once: launch fewer blocks, as a device asks for too"
            )

    def _padded_to_3d(
        self, what: str, sizes: Sequence[int], largest: tuple[int, ...]
    ) -> tuple[int, ...]:
        given = tuple(sizes) if isinstance(sizes, Iterable) else ()
        good = 1 <= len(given) <= 3 and all(
            isinstance(size, int | np.integer) and 1 <= size <= most
            for size, most in zip(given, largest, strict=False)
        )
        if not good:
            raise SimulatorError(
                f"{self.name} is launched with a {what} of {given or sizes}: give 1 to 3 numbers "
                f"from 1 to {largest[0]}, {largest[1]} and {largest[2]}"
            )
        return (*map(int, sizes), *(1,) * (3 - len(sizes)))

    def _checked_blocks(self, blocks: Iterable[int], count: int) -> npt.NDArray[np.int64]:
        chosen = np.array(list(blocks), dtype=np.int64)
        wrong = chosen[(chosen < 0) | (chosen >= count)]
        if wrong.size:
            raise SimulatorError(
                f"{self.name} has no block {wrong[0]} in a grid of {count}: give indices from 0 to "
                f"{count - 1}"
            )
        return chosen


class Prepared:
    """A launch that was checked: call it to run the kernel, and to wait until it ends."""

    def __init__(
        self, library: Library, launch: Launch, arguments: Arguments, blocks: object
    ) -> None:
        self._library, self._launch, self._arguments = library, launch, arguments
        self._blocks = blocks  # kept for `launch`, which has its address

    def __call__(self) -> None:
        """Run it.

        Raises:
            SimulatorError: threads wait for others that never arrive.
        """
        launches = counted_launches()
        if launches is not None:
            launches.append(self._counted())
        elif self._launch.block_count:
            self._library.launch(self._launch)

    def _counted(self) -> Traffic:
        """Run it, and return what it does with memory."""
        name, library = self._launch.name.decode(), self._library.instrumented
        counter = Counter(name, self._arguments.arrays)
        launch = Launch.from_buffer_copy(self._launch)
        launch.kernel = ctypes.pointer(library.kernel(name).description)
        launch.counting = ctypes.pointer(counter.counting)
        if launch.block_count:
            library.launch(launch)
        return counter.traffic()
