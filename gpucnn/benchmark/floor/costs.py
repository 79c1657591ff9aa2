"""What a launch of each kernel has to do: the bytes that it moves at least, and its operations.

The bytes follow from the arrays: what a launch needs of each is read once, or written once. The
operations follow from the sizes, by a formula for each kernel. Tests hold the bytes to what the
simulator counts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

from gpucnn.backends.cuda.kernel import Kernel, Sizes, value
from gpucnn.backends.cuda.launch import sizes_of
from gpucnn.errors import InvalidValueError

ROWS_OF_BATCH = ("all", "images_of_epoch")
"""First sizes of arrays of a data set, or of an epoch, of which a launch needs those of a batch."""

ROW_OF_STEP = "batches"
"""The first size of arrays of which a launch needs one row."""

POSITION = "position"
"""An array of two numbers, of which a launch that does not update it needs the first."""

PIXELS = frozenset({"image_height", "image_width"})
"""Sizes of arrays of images, of which windows may leave out pixels."""

TICKETS = "tickets"
"""The array with which blocks count themselves: a few bytes, which stay in cache."""


@dataclass(frozen=True)
class Cost:
    """What the source of a kernel does not say of its cost.

    Args:
        operations: a sum of products of sizes, of scalars and of numbers. A multiply-add counts as
            two, any other operation on reals as one; what is negligible is left out.
        batch: the size that is the number of images of the batch.
        rows: where a launch needs some rows of another array: their number, a size, by its name.
        parts: where a launch needs other elements than rows of an array: their number, a product of
            sizes, by its name.
        updated: the arrays that are read before they are written.
    """

    operations: str = "0"
    batch: str = "images"
    rows: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    updated: tuple[str, ...] = ()


POOLED = "images*pooled_rows*pooled_columns*filters"
GROUPED = "2*images*rows*columns*height*width*group_channels*filters"
PRODUCTS = f"2*{POOLED}*height*width*channels"  # of one position of each pooling window

COSTS = {
    "accumulate": Cost("size", updated=("total",)),
    "adagrad": Cost("9*size", updated=("parameters", "square")),
    "adam": Cost("14*size", updated=("parameters", "mean", "square")),
    "add": Cost("size"),
    "average_parameters": Cost("3*size", updated=("parameters", "average")),
    "average_pool": Cost(
        "images*rows*columns*height*width*channels + images*rows*columns*channels"
    ),
    "average_pool_gradient": Cost("2*images*rows*columns*height*width*channels"),
    "axpby": Cost("3*size", updated=("y",)),
    "blend": Cost("4*images*rows*columns*channels", rows={"weights": "images"}),
    "brighten": Cost("3*images*rows*columns*channels"),
    "channel_means": Cost("rows*columns"),
    "channel_variances": Cost("3*rows*columns"),
    "classifier_gradients": Cost(
        "2*count*feature_count*classes + count*classes + slabs*convolution_count",
        updated=("position",),
    ),
    "classifier_head": Cost("4*count*inputs*classes", batch="count"),
    "clip": Cost("2*size", updated=("values",)),
    "clip_norms": Cost("size", updated=("values",)),
    "clipped_relu": Cost("2*size"),
    "clipped_relu_gradient": Cost("2*size"),
    "col2im": Cost("images*rows*columns*height*width*channels"),
    "conv_classifier": Cost(
        "2*count*feature_count*pool_height*pool_width*height*width"
        " + 2*count*feature_count*height*width + 4*count*feature_count*classes",
        batch="count",
    ),
    "conv_relu_pool": Cost(f"pool_height*pool_width*{PRODUCTS} + pool_height*pool_width*{POOLED}"),
    "contrast": Cost("6*images*rows*columns*channels"),
    "dense_gradients": Cost("2*images*inputs*units + images*units"),
    "dense_relu": Cost("2*images*inputs*units"),
    "dense_relu_gradient": Cost("2*size"),
    "draw_integers": Cost(),
    "draw_noise": Cost(),
    "draw_partners": Cost(rows={"batch": "count"}),
    "draw_mask": Cost(),
    "dropout": Cost("size"),
    "elu": Cost("4*size"),
    "elu_gradient": Cost("4*size"),
    "flip": Cost(),
    "gather_bytes": Cost("2*normalizes*images*pixels"),
    "gather_labels": Cost(batch="count"),
    "gather_reals": Cost(),
    "gelu": Cost("5*size"),
    "gelu_gradient": Cost("11*size"),
    "grouped_conv2d": Cost(GROUPED),
    "grouped_input_gradient": Cost(GROUPED),
    "grouped_kernel_gradient": Cost(GROUPED),
    "im2col": Cost(),
    "leaky_relu": Cost("2*size"),
    "leaky_relu_gradient": Cost("2*size"),
    "lion": Cost("12*size", updated=("parameters", "mean")),
    "matmul": Cost("2*m*n*k"),
    "max_pool": Cost("images*rows*columns*height*width*channels"),
    "max_pool_gradient": Cost("images*rows*columns*height*width*channels"),
    "momentum": Cost("2*size + 2*nesterov*size", updated=("velocity",)),
    "multiply": Cost("size"),
    "next_batch": Cost(rows={"order": "batch_size"}, updated=("position",)),
    "normalize": Cost("3*rows*columns"),
    "normalize_gradient": Cost("5*rows*columns"),
    "normalize_gradient_sums": Cost("5*rows*columns"),
    "pad": Cost(),
    "paste": Cost(rows={"ratios": "2*images"}),
    "penalize": Cost("5*size", rows={"penalties": "1"}, updated=("gradients",)),
    "pooled_input_gradient": Cost(PRODUCTS),
    "pooled_kernel_gradient": Cost(PRODUCTS),
    "relu": Cost("size"),
    "relu_gradient": Cost("size"),
    "scale_channels": Cost("images*pixels"),
    "scale_shift": Cost("2*size"),
    "rmsprop": Cost("13*size", updated=("parameters", "square", "velocity", "mean")),
    "sgd": Cost("6*size + 2*nesterov*size", updated=("parameters", "velocity")),
    "sigmoid": Cost("5*size"),
    "sigmoid_gradient": Cost("3*size"),
    "sigmoid_cross_entropy": Cost("14*rows*columns"),
    "silu": Cost("6*size"),
    "silu_gradient": Cost("9*size"),
    "soft_cross_entropy": Cost("15*rows*classes"),
    "softmax_cross_entropy": Cost("8*rows*classes"),
    "squared_error": Cost("4*rows*columns"),
    "store_metrics": Cost(batch="rows"),
    "store_outputs": Cost(rows={"all_outputs": "rows"}),
    "store_probabilities": Cost("7*rows*classes", rows={"probabilities": "rows"}),
    "store_part": Cost(parts={"whole": "images*pixels"}),
    "sum_rows": Cost("rows*columns"),
    "sum_squares": Cost("2*size"),
    "take_part": Cost(parts={"whole": "images*pixels"}),
    "tanh": Cost("size"),
    "tanh_gradient": Cost("4*size"),
    "transform": Cost("8*images*rows*columns*channels", rows={"maps": "2*images"}),
    "translate": Cost("8*images*rows*columns*channels"),
    "unit_norm": Cost("size", updated=("values",)),
    "weigh_rows": Cost("rows + rows*columns", updated=("losses", "gradient")),
}
"""By the names of the kernels, in the words of their definitions in gpucnn/backends/ops."""


class Moved(NamedTuple):
    """The bytes that a launch moves of an array at least."""

    read: int
    written: int


@dataclass(frozen=True)
class Work:
    """What a launch has to do at least.

    Attributes:
        moved: for each array, by its name.
        operations: of floating-point numbers.
    """

    moved: Mapping[str, Moved]
    operations: int

    @property
    def bytes(self) -> int:
        """Those of all arrays, read and written."""
        return sum(read + written for read, written in self.moved.values())


def work_of(kernel: Kernel, arguments: dict[str, Any]) -> Work:
    """What a launch has to do at least.

    Args:
        kernel: what is launched.
        arguments: those of the launch, by name.

    Raises:
        InvalidValueError: it is not known what the kernel costs.
    """
    cost = COSTS.get(kernel.name)
    if cost is None:
        raise InvalidValueError(
            f"the cost of the kernel {kernel.name} is not known: add it to benchmark/floor/costs.py"
        )
    sizes = sizes_of(kernel, arguments)
    terms = cost.operations.split(" + ")
    return Work(
        dict(_moved(kernel, cost, arguments, sizes)), sum(value(each, sizes) for each in terms)
    )


def _moved(
    kernel: Kernel, cost: Cost, arguments: dict[str, Any], sizes: Sizes
) -> Iterator[tuple[str, Moved]]:
    for name, parameter in kernel.parameters.items():
        array = arguments.get(name)
        if not parameter.is_array or array is None or name == TICKETS:
            continue
        rows = _rows(name, kernel.shapes[name][0], cost)
        elements = value(rows, sizes) * prod(array.shape[1:]) if rows else array.size
        if name in cost.parts:
            elements = value(cost.parts[name], sizes)
        if not parameter.is_written and PIXELS.issubset(kernel.shapes[name]):
            elements = elements * _seen(sizes) // prod(sizes[each] for each in PIXELS)
        size = elements * array.itemsize
        is_read = not parameter.is_written or name in cost.updated
        yield name, Moved(is_read * size, parameter.is_written * size)


def _rows(name: str, first: str, cost: Cost) -> str:
    """The size that is the number of rows that a launch needs of an array; "" if it is all.

    Args:
        name: the array's.
        first: the size that is the number of its rows.
        cost: of the kernel.
    """
    if first in ROWS_OF_BATCH:
        return cost.batch
    if first == ROW_OF_STEP or (name == POSITION and name not in cost.updated):
        return "1"
    return cost.rows.get(name, "")


def _seen(sizes: Sizes) -> int:
    """The pixels of an image that windows see, where they are pooled if there is pooling.

    A frame that images are moved into sees them by windows of one pixel.
    """
    return _reached(sizes, "rows", "height", "top") * _reached(sizes, "columns", "width", "left")


def _reached(sizes: Sizes, of: str, extent: str, side: str) -> int:
    """How many rows, or columns, of an image windows reach."""
    is_pooled = f"pooled_{of}" in sizes
    positions = sizes[f"pooled_{of}"] * sizes[f"pool_{extent}"] if is_pooled else sizes[of]
    stride, padding = sizes.get(f"stride_{extent}", 1), sizes.get(f"padding_{side}", 0)
    dilation = sizes.get(f"dilation_{extent}", 1)
    starts = (position * stride - padding for position in range(positions))
    reached = {start + i * dilation for start in starts for i in range(sizes.get(extent, 1))}
    return len(reached.intersection(range(sizes[f"image_{extent}"])))
