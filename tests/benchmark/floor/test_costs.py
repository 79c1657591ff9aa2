"""What kernels cost by their shapes, and by their headers, is what the simulator counts."""

from collections.abc import Callable, Mapping
from functools import cache
from math import prod
from typing import Any, NamedTuple

import numpy as np
import pytest

import loops
from backends.fused import COMPILED, fused_call, fused_plan, run_fused
from backends.operations import CALLS
from backends.operations.values import Values
from backends.strategies import Sizes as Drawn
from benchmark.small_plan import small_workload
from gpucnn.backends import Window
from gpucnn.backends.backend import KERNELS, CudaBackend
from gpucnn.backends.cuda.kernel import Form, Kernel, Sizes, value
from gpucnn.backends.cuda.launch import sizes_of
from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime
from gpucnn.backends.ops.images.resampling import FILL_MODES, PIXEL
from gpucnn.benchmark.floor.costs import COSTS, PIXELS, TICKETS, Moved, work_of
from gpucnn.benchmark.kernels import TrainingStep
from gpucnn.errors import InvalidValueError
from gpucnn.layers import Conv2D, Dense
from gpucnn.simulator import ArrayAccesses, counting
from gpucnn.utils.arithmetic import ceil_div
from gpucnn.verification.calls import place

SIZES = (
    Drawn(3, Window((9, 9), (3, 3), (1, 1), "valid"), 4, 5),
    Drawn(2, Window((9, 8), (2, 2), (3, 3), "valid"), 1, 6),  # windows that leave pixels out
    Drawn(2, Window((7, 6), (3, 2), (2, 1), "same"), 33, 70),
    Drawn(2, Window((9, 8), (3, 2), (1, 1), "valid", (4, 7)), 2, 3),  # and here by dilation
)

FUSED = [COMPILED[0], COMPILED[1], COMPILED[4], COMPILED[8]]
"""Without gaps between windows, whose pixels the kernels load as well."""

STEPS = (("notebook", 5), ("notebook", 9), ("lenet", 4))


class Counted(NamedTuple):
    """A launch, and the accesses to its arrays by their names."""

    kernel: Kernel
    arguments: dict[str, Any]
    arrays: Mapping[str, ArrayAccesses]

    @property
    def sizes(self) -> Sizes:
        return sizes_of(self.kernel, self.arguments)


class CountingBackend(CudaBackend):
    """The simulator, which counts all launches."""

    def __init__(self) -> None:
        super().__init__(SimulatorRuntime())
        self.counted: list[Counted] = []

    def launch(self, form: Form, values: tuple[Any, ...]) -> None:
        arguments = dict(zip(form.names, values, strict=True))
        self.counted += counted(
            form.kernel, arguments, lambda: super(type(self), self).launch(form, values)
        )


def counted(kernel: Kernel, arguments: dict[str, Any], run: Callable[[], None]) -> list[Counted]:
    """What a launch does, or nothing if its grid is empty."""
    with counting() as launches:
        run()
    names = list(kernel.parameters)
    return [
        Counted(kernel, arguments, {names[i]: each for i, each in launch.arrays.items()})
        for launch in launches
    ]


@cache
def of_call(name: str, sizes: Drawn) -> list[Counted]:
    """The launches of a call."""
    backend, call = CountingBackend(), CALLS[name](sizes, Values(0, "float32"))
    getattr(backend, call.operation)(**place(backend, call))
    return backend.counted


@cache
def of_fused(number: int) -> list[Counted]:
    """The launches of a convolution with ReLU and pooling, and of its gradients."""
    backend, fused = CountingBackend(), FUSED[number]
    call = fused_call(fused, Values(0, "float32"))
    run_fused(backend, call, fused_plan(backend, fused, call))
    return backend.counted


@cache
def of_step(model: str, batch_size: int) -> list[Counted]:
    """The launches of a training step."""
    launches = TrainingStep("simulator", small_workload(model), batch_size).launches()
    return [e for each in launches for e in counted(each.definition, each.arguments, each.run)]


calls = pytest.mark.parametrize("sizes", SIZES, ids=range(len(SIZES)))
calls_by_name = pytest.mark.parametrize("name", CALLS)
fused_numbers = pytest.mark.parametrize("number", range(len(FUSED)))
steps = pytest.mark.parametrize(("model", "batch_size"), STEPS)


# What has to be moved


def expected(launch: Counted) -> dict[str, Moved]:
    """What each array should be counted with: what the cost tells, but for these cases.

    A row that is drawn twice is read once, the next batch of the call of `next_batch` has one
    image, padding in patches is not read, nor are pixels that move out of an image, and parameters
    are written only where their average overwrites them.
    """
    moved = dict(work_of(launch.kernel, launch.arguments).moved)
    arguments, name = launch.arguments, launch.kernel.name
    if "indices" in moved and not moved["indices"].written:
        drawn = arguments["indices"]
        gathered = next(each for each in moved if launch.kernel.shapes[each][0] == "all")
        moved[gathered] = Moved(moved[gathered].read // len(drawn) * len(np.unique(drawn)), 0)
    if name == "next_batch" and len(arguments["order"]) % len(arguments["indices"]) == 1:
        moved["order"] = Moved(moved["order"].read // len(arguments["indices"]), 0)
    if name == "average_parameters" and not arguments["overwrites"][0]:
        moved["parameters"] = moved["parameters"]._replace(written=0)
    if name == "col2im":
        moved["patches"] = Moved(_inside(arguments), 0)
    if name == "translate":
        moved["x"] = Moved(_moved_into(arguments), 0)
    if name == "paste":
        kinds = ["x", "others", "drawn", "places", "ratios", "is_alike"]
        _, shares = loops.paste(*(arguments[each] for each in kinds))
        pixel = arguments["x"][0, 0, 0].nbytes
        moved["others"] = Moved(round(shares[1].sum() * arguments["x"][0, ..., 0].size) * pixel, 0)
        moved["x"] = Moved(moved["x"].read - moved["others"].read, 0)
        used = arguments["drawn"][:, :1] if arguments["is_alike"] else arguments["drawn"]
        moved["drawn"] = Moved(used.size * 4, 0)
        moved["ratios"] = Moved(len(np.unique(used)) * 4, 0)
    if name == "draw_noise":
        moved["table"] = Moved(len(np.unique(arguments["out"])) * arguments["out"].itemsize, 0)
    if name == "blend":
        moved["weights"] = Moved(len(np.unique(arguments["drawn"][:, 0])) * 4, 0)
    if name in ("brighten", "contrast", "blend"):
        moved["drawn"] = Moved(moved["drawn"].read // 2, 0)
    if name == "transform":
        moved["x"] = Moved(_seen_by_maps(arguments), 0)
        maps = arguments["maps"]
        moved["maps"] = Moved(len(np.unique(arguments["drawn"])) * maps[0].nbytes, 0)
    return moved


def _inside(arguments: Mapping[str, Any]) -> int:
    """The bytes of patches that are not padding."""
    window: Window = arguments["window"]
    size: int = arguments["patches"].nbytes
    positions = np.zeros((1, *window.output))
    taps = sum(positions[tap.outputs].size for tap in window.taps)
    return taps * size // (window.elements * positions.size)


def _moved_into(arguments: Mapping[str, Any]) -> int:
    """The bytes of the pixels that are weighted, also by 0, where images are moved."""
    x, shifts = arguments["x"], arguments["shifts"]
    mode = FILL_MODES[arguments["fill_mode"]]
    seen, size_of_pixel = 0, int(x.shape[3] * x.itemsize)
    for down, right in shifts // PIXEL:
        rows, columns = (
            {
                loops.extended(place - i, size, mode)
                for place in range(-by, size - by)
                for i in (0, 1)
            }
            for by, size in ((int(down), x.shape[1]), (int(right), x.shape[2]))
        )
        seen += len(rows - {None}) * len(columns - {None})
    return seen * size_of_pixel


def _seen_by_maps(arguments: Mapping[str, Any]) -> int:
    """The bytes of the pixels that are weighted, also by 0, where images are mapped."""
    x, maps = arguments["x"], arguments["maps"]
    mode = FILL_MODES[arguments["fill_mode"]]
    half, taps = (0, (0, 1)) if arguments["interpolation"] else (PIXEL // 2, (0,))
    seen, size_of_pixel = 0, int(x.shape[3] * x.itemsize)
    for first, second in arguments["drawn"]:
        to_row, to_column = (maps[first] + maps[second]).astype(int).reshape(2, 3)
        pixels = {
            (loops.extended(y + i, x.shape[1], mode), loops.extended(z + j, x.shape[2], mode))
            for at in np.ndindex(arguments["out"].shape[1:3])
            for y, z in [[(each @ (1, *at) + half) // PIXEL for each in (to_row, to_column)]]
            for i in taps
            for j in taps
        }
        seen += sum(None not in pixel for pixel in pixels)
    return seen * size_of_pixel


def check_moved(launch: Counted) -> None:
    """Each byte that the cost tells of is read, or written, and no other is."""
    found = {
        name: Moved(each.read, each.written)
        for name, each in launch.arrays.items()
        if name != TICKETS
    }
    assert found == expected(launch), launch.kernel.name


@steps
def test_a_step_moves_what_its_shapes_say(model: str, batch_size: int) -> None:
    for launch in of_step(model, batch_size):
        check_moved(launch)


@fused_numbers
def test_fused_layers_move_what_their_shapes_say(number: int) -> None:
    for launch in of_fused(number):
        check_moved(launch)


@calls
@calls_by_name
def test_operations_move_what_their_shapes_say(name: str, sizes: Drawn) -> None:
    for launch in of_call(name, sizes):
        check_moved(launch)


def test_operations_are_those_of_the_layers() -> None:
    """Of their products; and of four positions that are pooled one alone has a gradient."""
    batch = 4
    layers = TrainingStep("simulator", small_workload("lenet"), batch)._trainer.replica.plain
    first, second, hidden, _ = (
        2 * batch * layer.multiply_adds() for layer in layers if isinstance(layer, (Conv2D, Dense))
    )
    second = second * 10**2 // 11**2  # the last row and column are not pooled
    found = [
        (each.kernel.name, work_of(each.kernel, each.arguments).operations)
        for each in of_step("lenet", batch)
    ]
    comparisons = batch * 26**2 * 32, batch * 10**2 * 64
    assert [each for name, each in found if name == "conv_relu_pool"] == [
        first + comparisons[0],
        second + comparisons[1],
    ]
    assert [each for name, each in found if name == "pooled_kernel_gradient"] == [
        second // 4,
        first // 4,
    ]
    assert dict(found)["pooled_input_gradient"] == second // 4
    assert dict(found)["dense_relu"] == dict(found)["matmul"] == hidden
    assert dict(found)["dense_gradients"] == hidden + batch * 128  # and the bias


def test_every_kernel_has_a_cost() -> None:
    assert set(KERNELS) == set(COSTS)


def test_a_kernel_without_a_cost_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    launch = of_call("relu", SIZES[0])[0]
    monkeypatch.delitem(COSTS, "relu")
    with pytest.raises(InvalidValueError) as caught:
        work_of(launch.kernel, launch.arguments)
    assert str(caught.value) == (
        "the cost of the kernel relu is not known: add it to benchmark/floor/costs.py"
    )


# What goes through the caches, by the headers of the kernels

SAME_FOR_MANY = (
    *("position", "labels", "indices", "order", "bias", "step"),
    *("learning_rate", "bias_correction", "epoch_factors", TICKETS),
)
"""Arrays of which many threads load the same number at once."""


WARPS = 11  # of a block of conv_classifier
LINES = 14  # features that the weights of a block of classifier_gradients belong to, of 10 classes

Loads = Callable[[Sizes], int]


def once(of: Sizes) -> int:
    return 1


def tiles(size: str) -> Loads:
    return lambda of: ceil_div(of[size], of["tile"])


TIMES: dict[tuple[str, str], Loads] = {
    ("classifier_gradients", "logits_gradient"): lambda of: of["grid"] - 1,
    ("classifier_head", "kernel"): lambda of: of["grid"],
    ("conv_relu_pool", "kernel"): lambda of: of["images"] * of["tiles"],
    ("dense_gradients", "output_gradient"): lambda of: tiles("inputs")(of) + 1,
    ("dense_gradients", "x"): tiles("units"),
    ("dense_relu", "kernel"): tiles("images"),
    ("dense_relu", "x"): tiles("units"),
    ("matmul", "a"): tiles("n"),
    ("matmul", "b"): tiles("m"),
    ("pooled_input_gradient", "kernel"): lambda of: of["images"] * of["tiles"],
    ("pooled_kernel_gradient", "argmax"): lambda of: of["channel_tiles"],
    ("pooled_kernel_gradient", "output_gradient"): lambda of: of["channel_tiles"],
}
"""How often a launch loads each byte that it reads of an array."""


def regions(of: Sizes) -> int:
    """The pixels that all blocks load, if no tile is cut off by the edge of the image."""
    height = (of["tile_rows"] * of["pool_height"] - 1) * of["stride_height"]
    width = (of["tile_columns"] * of["pool_width"] - 1) * of["stride_width"]
    height += (of["height"] - 1) * of["dilation_height"] + 1
    width += (of["width"] - 1) * of["dilation_width"] + 1
    blocks = of["images"] * of["tiles"] * of["filter_tiles"]
    return blocks * height * width * of["channels"]


def reaching(of: Sizes) -> int:
    """The outputs, of each filter, that all blocks load of those whose patches reach their tile."""
    blocks = of["images"] * of["tiles"] * of["channel_tiles"]
    return blocks * of["tile_outputs"] * of["filters"]


AT_MOST: dict[tuple[str, str], tuple[str, Loads]] = {
    ("classifier_gradients", "features"): ("1", lambda of: (of["grid"] - 2) * of["count"] * LINES),
    ("conv_classifier", "parameters"): (
        "slabs",
        lambda of: of["slabs"] * (of["parameter_count"] + (WARPS - 1) * of["classes"]),
    ),
    ("pooled_input_gradient", "argmax"): ("channel_tiles", reaching),
    ("pooled_input_gradient", "output_gradient"): ("channel_tiles", reaching),
}
"""Where blocks share what lies at their edges: how often a launch loads at least each byte that it
reads, and the elements that it loads at most."""


OF_REGIONS = ("conv_relu_pool", "pooled_kernel_gradient")
"""Kernels of which each block loads the pixels of its region."""


def most_loads(kernel: Kernel, array: str) -> tuple[str, Loads] | None:
    """See `AT_MOST`."""
    if kernel.name in OF_REGIONS and PIXELS.issubset(kernel.shapes[array]):
        return "filter_tiles", regions
    return AT_MOST.get((kernel.name, array))


def check_loads(launch: Counted) -> None:
    name, of = launch.kernel.name, launch.sizes
    of = dict(of) | {"grid": prod(launch.kernel.grid(of))}
    for array, found in launch.arrays.items():
        where = f"{array} of {name}"
        bounds = most_loads(launch.kernel, array)
        if array in SAME_FOR_MANY:
            continue
        if array == "slabs":
            assert found.loaded == found.stored, where
        elif bounds:
            least, most = bounds
            itemsize = launch.arguments[array].itemsize
            assert value(least, of) * found.read <= found.loaded <= most(of) * itemsize, where
        else:
            times = TIMES.get((name, array), once)(of)
            assert found.loaded == times * found.read, where
        assert array == "slabs" or found.stored == found.written, where


@steps
def test_a_step_loads_what_the_headers_say(model: str, batch_size: int) -> None:
    for launch in of_step(model, batch_size):
        check_loads(launch)


@fused_numbers
def test_fused_layers_load_what_the_headers_say(number: int) -> None:
    for launch in of_fused(number):
        check_loads(launch)
