"""The table of all kernels: what each takes, in what shapes, and over which grid it is launched.

It is the one description of each kernel: launches are checked and cast by it, and the tests hold it
against the signatures in the .cu files.

A shape is told in dimensions, each a name or a product of names, such as "rows*columns". A name has
one value in all shapes of a launch, and in the scalar parameter of that name: so most scalars need
not be given, they follow from the arrays. A last dimension that begins with a star stands for all
axes from there on: "*size" is any shape of `size` elements in all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod

Dimensions = Mapping[str, int]
Grid = Callable[[Dimensions], tuple[int, ...]]


@dataclass(frozen=True)
class ArrayParameter:
    """An array: "real" or the name of its dtype, its shape, and whether the kernel writes it.

    One that is optional may be None, for which the kernel is given a null pointer.
    """

    dtype: str
    shape: tuple[str, ...]
    written: bool = False
    optional: bool = False


@dataclass(frozen=True)
class ScalarParameter:
    """A number that is passed by value: "real" or the name of its dtype."""

    dtype: str


Parameter = ArrayParameter | ScalarParameter


@dataclass(frozen=True)
class Kernel:
    """A kernel: the function `function` of the file `file`, compiled with `macros`.

    Its parameters are in the order of the function's. `grid` gives the number of blocks, along up
    to three axes, each of `threads` threads. The products in `small` are computed in the kernel
    with 32 bits, and must be below 2^31.
    """

    name: str
    file: str
    parameters: Mapping[str, Parameter]
    grid: Grid
    threads: int = 256
    macros: Mapping[str, int] = field(default_factory=dict)
    small: tuple[str, ...] = ()
    variant_of: str | None = None

    @property
    def function(self) -> str:
        """The name of the function in the file."""
        return self.variant_of or self.name


def value(dimension: str, dimensions: Dimensions) -> int:
    """The value of a dimension, a number, a name or a product of names."""
    factors = dimension.split("*")
    return prod(int(each) if each.isdigit() else dimensions[each] for each in factors)


def parts(count: int, size: int) -> int:
    """How many parts of `size` elements hold `count`."""
    return -(-count // size)


def _reads(dtype: str, shape: str, *, optional: bool = False) -> ArrayParameter:
    return ArrayParameter(dtype, tuple(shape.split()), optional=optional)


def _writes(dtype: str, shape: str, *, optional: bool = False) -> ArrayParameter:
    return ArrayParameter(dtype, tuple(shape.split()), written=True, optional=optional)


def _scalars(dtype: str, names: str) -> dict[str, Parameter]:
    return {name: ScalarParameter(dtype) for name in names.split()}


WARP = 32  # threads that go in step

# Elements, shared out as in elements.cuh

THREADS = 256
ITEMS = {"ITEMS": 4}
PER_BLOCK = THREADS * ITEMS["ITEMS"]

_SIZE = _scalars("int64", "size")


def _over_elements(dimensions: Dimensions) -> tuple[int, ...]:
    return (parts(dimensions["size"], PER_BLOCK),)


def _over_pixels(dimensions: Dimensions) -> tuple[int, ...]:
    return dimensions["images"], parts(dimensions["pixels"], PER_BLOCK)


def _gather(name: str, dtype: str) -> Kernel:
    return Kernel(
        name,
        "gather.cu",
        {
            "images": _reads(dtype, "all *pixels"),
            "indices": _reads("int64", "images"),
            "out": _writes("real", "images *pixels"),
        }
        | _scalars("int64", "pixels"),
        _over_pixels,
        macros=ITEMS,
    )


# Windows

_WINDOW = _scalars(
    "int32",
    "height width channels rows columns window_height window_width stride_height stride_width "
    "padding_top padding_left",
)
_IMAGES = "images height width channels"
_PATCHES = "images rows*columns window_height*window_width*channels"
_POOLED = "images rows columns channels"


def _windows(name: str, arrays: dict[str, Parameter], over: str, *small: str) -> Kernel:
    """A kernel with a block for each row of the outputs, along `over`, of each image."""

    def over_rows(dimensions: Dimensions) -> tuple[int, ...]:
        return dimensions["images"], dimensions[over]

    return Kernel(name, f"{name}.cu", arrays | _WINDOW, over_rows, small=("width*channels", *small))


# Matrices

MATMUL_TILES = {
    # by what its outputs are like: rows and columns of a tile, and of a thread
    "matmul": (64, 64, 4, 4),
    "matmul_tall": (128, 16, 4, 2),
    "matmul_small": (16, 16, 1, 1),
}
TILE_K = 16


def _matmul(name: str) -> Kernel:
    tile_m, tile_n, thread_m, thread_n = MATMUL_TILES[name]
    return Kernel(
        name,
        "matmul.cu",
        {
            "a": _reads("real", "*m*k"),
            "b": _reads("real", "*k*n"),
            "bias": _reads("real", "n", optional=True),
            "out": _writes("real", "splits m n"),
        }
        | _scalars("int64", "m n k a_row a_column b_row b_column split"),
        lambda of: (parts(of["m"], tile_m), parts(of["n"], tile_n), of["splits"]),
        threads=tile_m // thread_m * (tile_n // thread_n),
        macros={
            "TILE_M": tile_m,
            "TILE_N": tile_n,
            "TILE_K": TILE_K,
            "THREAD_M": thread_m,
            "THREAD_N": thread_n,
        },
        variant_of="matmul",
    )


# Rows of logits

_WARPS = 4


def _over_rows(dimensions: Dimensions) -> tuple[int, ...]:
    return (parts(dimensions["rows"], _WARPS),)


_ALL = (
    _gather("gather_bytes", "uint8"),
    _gather("gather_reals", "real"),
    Kernel(
        "gather_labels",
        "gather.cu",
        {
            "labels": _reads("int64", "all"),
            "indices": _reads("int64", "count"),
            "out": _writes("int64", "count"),
        }
        | _scalars("int64", "count"),
        lambda of: (parts(of["count"], THREADS),),
        macros=ITEMS,
    ),
    _windows(
        "im2col",
        {"x": _reads("real", _IMAGES), "patches": _writes("real", _PATCHES)},
        "rows",
        "columns*window_height*window_width*channels",
    ),
    _windows(
        "col2im",
        {"patches": _reads("real", _PATCHES), "out": _writes("real", _IMAGES)},
        "height",
        "window_height*window_width*channels",
    ),
    *map(_matmul, MATMUL_TILES),
    Kernel(
        "sum_rows",
        "sum_rows.cu",
        {"a": _reads("real", "rows columns"), "out": _writes("real", "slabs columns")}
        | _scalars("int64", "rows columns slab_rows")
        | _scalars("int32", "lanes"),
        lambda of: (parts(of["columns"], of["lanes"]), of["slabs"]),
    ),
    Kernel(
        "multiply",
        "multiply.cu",
        {"a": _reads("real", "*size"), "b": _reads("real", "*size")}
        | {"out": _writes("real", "*size")}
        | _SIZE,
        _over_elements,
        macros=ITEMS,
    ),
    _windows(
        "max_pool",
        {
            "x": _reads("real", _IMAGES),
            "out": _writes("real", _POOLED),
            "argmax": _writes("int32", _POOLED),
        },
        "rows",
        "columns*channels",
        "window_height*window_width",
    ),
    _windows(
        "max_pool_gradient",
        {
            "output_gradient": _reads("real", _POOLED),
            "argmax": _reads("int32", _POOLED),
            "input_gradient": _writes("real", _IMAGES),
        },
        "height",
        "window_height*window_width",
    ),
    Kernel(
        "relu",
        "relu.cu",
        {"x": _reads("real", "*size"), "out": _writes("real", "*size")} | _SIZE,
        _over_elements,
        macros=ITEMS,
    ),
    Kernel(
        "relu_gradient",
        "relu.cu",
        {
            "output_gradient": _reads("real", "*size"),
            "out": _reads("real", "*size"),
            "input_gradient": _writes("real", "*size"),
        }
        | _SIZE,
        _over_elements,
        macros=ITEMS,
    ),
    Kernel(
        "dropout",
        "dropout.cu",
        {
            "x": _reads("real", "*size"),
            "step": _reads("int64", "1"),
            "mask": _writes("real", "*size"),
            "out": _writes("real", "*size"),
        }
        | _SIZE
        | _scalars("int64", "first")
        | _scalars("uint32", "threshold key_low key_high stream")
        | _scalars("real", "scale"),
        lambda of: (parts(of["first"] % 4 + of["size"], 4 * THREADS),),
    ),
    Kernel(
        "softmax",
        "softmax.cu",
        {"logits": _reads("real", "rows classes"), "out": _writes("real", "rows classes")}
        | _scalars("int64", "rows")
        | _scalars("int32", "classes"),
        _over_rows,
        threads=WARP * _WARPS,
    ),
    Kernel(
        "softmax_cross_entropy",
        "softmax.cu",
        {
            "logits": _reads("real", "rows classes"),
            "labels": _reads("int64", "rows"),
            "losses": _writes("real", "rows"),
            "correct": _writes("real", "rows"),
            "gradient": _writes("real", "rows classes", optional=True),
        }
        | _scalars("int64", "rows")
        | _scalars("int32", "classes")
        | _scalars("real", "images"),
        _over_rows,
        threads=WARP * _WARPS,
    ),
    Kernel(
        "sgd",
        "sgd.cu",
        {
            "parameters": _writes("real", "*size"),
            "gradients": _reads("real", "*size"),
            "velocity": _writes("real", "*size"),
            "learning_rate": _reads("real", "1"),
        }
        | _SIZE
        | _scalars("real", "momentum")
        | _scalars("int32", "nesterov")
        | _scalars("real", "weight_decay"),
        _over_elements,
        macros=ITEMS,
    ),
    Kernel(
        "adam",
        "adam.cu",
        {
            "parameters": _writes("real", "*size"),
            "gradients": _reads("real", "*size"),
            "mean": _writes("real", "*size"),
            "square": _writes("real", "*size"),
            "learning_rate": _reads("real", "1"),
            "step": _reads("int64", "1"),
        }
        | _SIZE
        | _scalars("float64", "beta_1 beta_2")
        | _scalars("real", "epsilon weight_decay"),
        _over_elements,
        macros=ITEMS,
    ),
)

KERNELS: dict[str, Kernel] = {kernel.name: kernel for kernel in _ALL}
