"""Launches: what is checked, what is cast, and what is compiled once."""

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray

from gpucnn.backends.backend import KERNELS
from gpucnn.backends.communicator import Communicator
from gpucnn.backends.cuda.kernel import (
    IMAGES,
    OUTPUTS,
    PER_BLOCK,
    Constants,
    Kernel,
    Sizes,
    kernel,
)
from gpucnn.backends.cuda.launch import Launcher
from gpucnn.backends.memory import Recording
from gpucnn.backends.window import Window
from gpucnn.errors import InvalidTypeError, InvalidValueError

LaunchByName = Callable[..., None]
Launch = tuple[str, tuple[int, ...], tuple[int, ...], tuple[Any, ...]]


class Recorder:
    """A runtime that notes what it is given, and holds arrays of even size only."""

    device = description = "recorder"
    xp: Any = np
    traits = attrgetter("__class__", "shape", "dtype", "flags.c_contiguous")

    def __init__(self) -> None:
        self.loaded: list[tuple[str, ...]] = []
        self.launches: list[Launch] = []

    def across(self, host: Communicator) -> None:
        raise NotImplementedError

    def active(self) -> AbstractContextManager[None]:
        return nullcontext()

    def branch(self) -> AbstractContextManager[None]:
        return nullcontext()

    def join(self) -> None:
        pass

    def record(self, work: Callable[[], None]) -> Recording:
        raise NotImplementedError

    def load(self, source: str, options: tuple[str, ...]) -> "Recorder":
        self.loaded.append(options)
        return self

    def get_function(self, name: str) -> Callable[..., None]:
        return lambda grid, block, args: self.launches.append((name, grid, block, args))

    is_recording = False

    def holds(self, array: Any) -> bool:
        return isinstance(array, np.ndarray) and array.size % 2 == 0

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        return np.empty(shape, dtype)

    def to_device(self, array: Any, dtype: DTypeLike | None) -> NDArray[Any]:
        return np.asarray(array, dtype)

    def to_host(self, array: Any) -> NDArray[Any]:
        return np.array(array)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def launch(recorder: Recorder) -> LaunchByName:
    return by_name(recorder)


def by_name(recorder: Recorder) -> LaunchByName:
    """Launches kernels, or those of a name, on a runtime."""
    backend = SimpleNamespace(launch=Launcher(recorder))

    def launch(kernel: str | Kernel, **arguments: Any) -> None:
        (KERNELS[kernel] if isinstance(kernel, str) else kernel)(backend, **arguments)

    return launch


def reals(*shape: int) -> NDArray[np.float32]:
    return np.zeros(shape, np.float32)


def test_arguments_in_order_scalars_cast(recorder: Recorder, launch: LaunchByName) -> None:
    x, out = reals(2, 600), reals(2, 600)
    launch("relu", out=out, x=x)
    ((name, grid, block, args),) = recorder.launches
    assert (name, grid, block) == ("relu", (-(-1200 // PER_BLOCK),), (256,))
    assert args[0] is x
    assert args[1] is out
    assert args[2] == 1200
    assert type(args[2]) is np.int64


def test_reals_are_of_the_arrays_dtype(recorder: Recorder, launch: LaunchByName) -> None:
    arrays = {name: np.zeros(4) for name in ("parameters", "gradients", "velocity")}
    recorder.holds = lambda array: True  # type: ignore[method-assign]
    given = {"momentum": 0.5, "nesterov": True, "weight_decay": 0.0}
    launch("sgd", **arrays, learning_rate=np.zeros(1), **given)
    *_, momentum, nesterov, _ = recorder.launches[0][3]
    assert (momentum, type(momentum)) == (0.5, np.float64)
    assert (nesterov, type(nesterov)) == (1, np.int32)
    assert "-DREAL=double" in recorder.loaded[0]


def test_kernel_is_loaded_once_for_each_dtype(recorder: Recorder, launch: LaunchByName) -> None:
    for dtype in (np.float32, np.float64, np.float32):
        launch("relu", x=np.zeros(4, dtype), out=np.zeros(4, dtype))
    assert len(recorder.loaded) == 2


COMPILED = kernel(
    "max_pool.cu",
    {"x": IMAGES, "out": OUTPUTS, "argmax": OUTPUTS},
    lambda _: (1,),
    function="max_pool",
    constants=("channels", "height"),
)


def test_kernel_is_loaded_once_for_each_value_of_its_constants(recorder: Recorder) -> None:
    launch = by_name(recorder)
    for images, channels, height in ((2, 2, 2), (4, 2, 2), (2, 4, 2), (2, 2, 4), (2, 4, 2)):
        window = Window((4, 4), (height, 2), (2, 2), "valid")
        out = reals(images, *window.output, channels)
        given = {"x": reals(images, 4, 4, channels), "out": out, "window": window}
        launch(COMPILED, **given, argmax=out.astype(np.int32))
    assert [options[2:] for options in recorder.loaded] == [
        ("-DCHANNELS=2", "-DHEIGHT=2"),
        ("-DCHANNELS=4", "-DHEIGHT=2"),
        ("-DCHANNELS=2", "-DHEIGHT=4"),
    ]
    assert len(recorder.launches) == 5


FILTERED = kernel(
    "max_pool.cu",
    {"x": IMAGES, "out": OUTPUTS, "argmax": OUTPUTS},
    lambda sizes: (sizes["tiles"],),
    function="max_pool",
    constants=("tiles", "taps"),
)


def test_constants_may_be_given_together(recorder: Recorder) -> None:
    launch = by_name(recorder)
    window = Window((4, 4), (2, 2), (2, 2), "valid")
    x, out = reals(2, 4, 4, 1), reals(2, 2, 2, 1)
    given = {"x": x, "out": out, "window": window, "argmax": out.astype(np.int32)}
    few, many = Constants({"tiles": 3, "taps": 4}), Constants({"tiles": 5, "taps": 4})
    for constants in (few, many, few):
        launch(FILTERED, **given, constants=constants)
    launch(FILTERED, **given, tiles=3, taps=4)
    assert [options[2:] for options in recorder.loaded] == [
        ("-DTILES=3", "-DTAPS=4"),
        ("-DTILES=5", "-DTAPS=4"),
    ]
    assert [grid for _, grid, *_ in recorder.launches] == [(3,), (5,), (3,), (3,)]


# Launches like earlier ones


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[Sizes]:
    """The sizes for which the grid of leaky ReLU was worked out."""
    planned: list[Sizes] = []
    grid = KERNELS["leaky_relu"].grid

    def noted(sizes: Sizes) -> tuple[int, ...]:
        planned.append(dict(sizes))
        return grid(sizes)

    monkeypatch.setattr(KERNELS["leaky_relu"], "grid", noted)
    return planned


def test_a_launch_is_planned_once(
    recorder: Recorder, launch: LaunchByName, planned: list[Sizes]
) -> None:
    arrays = [(reals(4), reals(4)) for _ in range(3)]
    for x, out in arrays:
        launch("leaky_relu", x=x, negative_slope=0.5, out=out)
    assert len(planned) == 1
    for (*_, (x, out, size, slope)), given in zip(recorder.launches, arrays, strict=True):
        assert (x is given[0], out is given[1], slope, size) == (True, True, 0.5, 4)


@pytest.mark.parametrize("slopes", [(0.5, 0.25), (0.0, -0.0), (-0.0, 0.0), (0, -0.0)])
def test_other_scalars_are_another_launch(
    recorder: Recorder, launch: LaunchByName, slopes: tuple[float, float]
) -> None:
    for slope in slopes:
        launch("leaky_relu", x=reals(4), negative_slope=slope, out=reals(4))
    passed = [args[3] for *_, args in recorder.launches]
    assert [str(each) for each in passed] == [str(float(slope)) for slope in slopes]
    assert {type(each) for each in passed} == {np.float32}


def test_other_shapes_are_another_launch(recorder: Recorder, launch: LaunchByName) -> None:
    for size in (4, 2000, 4):
        launch("relu", x=reals(size), out=reals(size))
    assert [args[2] for *_, args in recorder.launches] == [4, 2000, 4]
    assert [grid for _, grid, *_ in recorder.launches] == [(1,), (2,), (1,)]


def test_equal_windows_are_one_launch(recorder: Recorder, launch: LaunchByName) -> None:
    for strides in ((2, 2), (2, 2), (1, 1)):
        window = Window((4, 4), (2, 2), strides, "valid")
        patches = reals(2, window.output[0] * window.output[1], 4)
        launch("im2col", x=reals(2, 4, 4, 1), patches=patches, window=window)
    structs = [args[2] for *_, args in recorder.launches]
    assert structs[0] is structs[1]
    assert structs[2]["stride_width"] == 1


def test_arrays_are_checked_each_time(recorder: Recorder, launch: LaunchByName) -> None:
    launch("relu", x=reals(4, 4), out=reals(4, 4))
    with pytest.raises(InvalidValueError, match="is not C-contiguous"):
        launch("relu", x=reals(4, 4).T, out=reals(4, 4))
    with pytest.raises(InvalidTypeError, match="has the dtype float64, not float32"):
        launch("relu", x=reals(4, 4), out=np.zeros((4, 4)))
    assert len(recorder.launches) == 1


def test_a_plan_keeps_no_array_alive(recorder: Recorder, launch: LaunchByName) -> None:
    x, out = reals(4), reals(4)
    launch("relu", x=x, out=out)
    gone = weakref.ref(x)
    recorder.launches.clear()
    del x
    assert gone() is None


def test_plans_are_not_kept_without_end(
    monkeypatch: pytest.MonkeyPatch, launch: LaunchByName, planned: list[Sizes]
) -> None:
    monkeypatch.setattr("gpucnn.backends.cuda.launch.MOST_PLANS", 2)
    for slope in (1, 2, 1, 2, 3, 3, 1):
        launch("leaky_relu", x=reals(4), negative_slope=slope, out=reals(4))
    assert len(planned) == 4


def test_nothing_to_do_is_not_launched(recorder: Recorder, launch: LaunchByName) -> None:
    launch("relu", x=reals(0), out=reals(0))
    assert recorder.launches == []


def test_null_pointer_where_it_is_allowed(recorder: Recorder, launch: LaunchByName) -> None:
    labels = np.zeros(2, np.int64)
    arrays = {"logits": reals(2, 3), "losses": reals(2), "correct": reals(2)}
    launch("softmax_cross_entropy", **arrays, labels=labels, gradient=None, images=2)
    assert recorder.launches[0][3][4] is None


@pytest.mark.parametrize(
    ("x", "out", "error", "text"),
    [
        (None, reals(4), InvalidTypeError, "x of the kernel relu is of the type NoneType"),
        (reals(3), reals(4), InvalidTypeError, "x of the kernel relu is of the type ndarray"),
        ([0.0], reals(4), InvalidTypeError, "x of the kernel relu is of the type list"),
        (reals(4), reals(6), InvalidValueError, r"out .* has the shape \(6,\), not \(4,\)"),
        (reals(4), np.zeros(4), InvalidTypeError, "out .* has the dtype float64, not float32"),
        (np.zeros(4, np.float16), reals(4), InvalidTypeError, "float16, not float32"),
        (reals(4, 2).T, reals(8), InvalidValueError, "x .* is not C-contiguous"),
    ],
)
def test_wrong_arrays_are_told_in_one_line(
    launch: LaunchByName, recorder: Recorder, x: Any, out: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text) as told:
        launch("relu", x=x, out=out)
    assert "\n" not in str(told.value)
    assert recorder.launches == []


WINDOW = Window((4, 4), (2, 2), (2, 2), "valid")


def test_shapes_that_follow_from_several_numbers(recorder: Recorder, launch: LaunchByName) -> None:
    launch("im2col", x=reals(2, 4, 4, 3), patches=reals(2, 4, 12), window=WINDOW)
    assert recorder.launches[0][1] == (2, 2)


@pytest.mark.parametrize(
    ("x", "patches"),
    [((2, 4, 5, 3), (2, 4, 12)), ((2, 4, 4, 3), (2, 4, 14)), ((2, 4, 4), (2, 4, 12))],
)
def test_shapes_that_do_not_fit(
    launch: LaunchByName, x: tuple[int, ...], patches: tuple[int, ...]
) -> None:
    with pytest.raises(InvalidValueError, match="has the shape"):
        launch("im2col", x=reals(*x), patches=reals(*patches), window=WINDOW)


def matrices(*shapes: tuple[int, int]) -> dict[str, NDArray[np.float32]]:
    a, b, out = shapes
    return {"a": reals(*a), "b": reals(*b), "out": reals(*out), "tickets": np.zeros(2, np.uint32)}


PLAIN = {"bias": None, "slabs": None, "a_transposed": 0, "b_transposed": 0, "split": 16}


@pytest.mark.parametrize("shapes", [((4, 4), (2, 2), (4, 2)), ((2, 4), (4, 2), (4, 2))])
def test_matrices_that_do_not_fit(
    launch: LaunchByName, shapes: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
) -> None:
    with pytest.raises(InvalidValueError, match="has the shape"):
        launch("matmul", **matrices(*shapes), m=4, n=2, k=4, **PLAIN, tile=16)


def test_last_axes_that_are_taken_together(recorder: Recorder, launch: LaunchByName) -> None:
    indices = np.zeros(2, np.int64)
    launch("gather_reals", images=reals(5, 2, 3), indices=indices, out=reals(2, 2, 3))
    assert recorder.launches[0][3][3] == 6
    with pytest.raises(InvalidValueError, match=r"out .* has the shape \(2, 2, 4\), not \(2, 6\)"):
        launch("gather_reals", images=reals(5, 2, 3), indices=indices, out=reals(2, 2, 4))


def test_grid_that_is_too_large(launch: LaunchByName) -> None:
    window = Window((2**17, 4), (2, 2), (2, 4), "valid")
    arrays = {"x": reals(2, 2**17, 4, 1), "patches": reals(2, 2**16, 4)}
    with pytest.raises(InvalidValueError, match=r"grid of \(2, 65536\) blocks"):
        launch("im2col", **arrays, window=window)


def test_index_that_needs_more_than_32_bits(launch: LaunchByName) -> None:
    window = Window((2**8, 2**16 + 2**7 - 1), (2**8, 2**7), (1, 1), "valid")
    arrays = {"x": reals(0, *window.image, 1), "patches": reals(0, 2**16, 2**15)}
    with pytest.raises(
        InvalidValueError, match="is 2147483648 for the kernel im2col, which counts"
    ):
        launch("im2col", **arrays, window=window)
