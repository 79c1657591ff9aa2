"""How convolution, ReLU and max-pooling as one operation are shared out over blocks and threads.

The words are those of kernels/patches.cuh, regions.cuh, conv_relu_pool.cu,
pooled_kernel_gradient.cu and pooled_input_gradient.cu, and all sizes are constants of their
compilation. So the tiles of a model are chosen once, here, and not by the kernels.
"""

from collections.abc import Iterator
from itertools import product
from math import ceil, prod, sqrt

from gpucnn.backends.cuda.kernel import MULTIPROCESSORS, THREADS, WARP, Constants
from gpucnn.backends.cuda.memory import TICKETS
from gpucnn.backends.fused import ConvReluPool, ConvReluPoolPlan
from gpucnn.backends.memory import Array
from gpucnn.backends.window import Pair, Window
from gpucnn.utils.arithmetic import ceil_div

Values = dict[str, int]  # of the constants of a kernel

SHARED_MEMORY = 47 * 1024
"""Bytes of shared memory that the tiles of a block may take, of the 48 KiB that a block has."""

AHEAD = 64
"""Bytes of the next channels that a thread of conv_relu_pool.cu has on their way, at most."""

MOST_POOL, MOST_TAPS, MOST_PATCH = 9, 25, 49
"""The largest pooling windows, windows and patches that a thread keeps in registers."""

SHAPE = (
    *(name for name in Window.dtype.names or () if name not in ("rows", "columns")),
    *("channels", "filters", "pool_height", "pool_width", "pooled_rows", "pooled_columns"),
)
"""The constants that every kernel has, beside those of its tiles."""


Images = dict[str, Array | None]
"""The images of a batch: "x"; or "bytes", a data set, and "indices". What is not needed is None."""


class Patches:
    """The pixels that pooled outputs depend on, see kernels/patches.cuh.

    Attributes:
        size: the height and the width of the patch of an output.
        cell: the rows and the columns from patch to patch.
        cells: the cells that cover an image with the padding before it.
        output: the rows and the columns of outputs.
    """

    def __init__(self, fused: ConvReluPool) -> None:
        window, pool = fused.window, fused.pool
        self.size = self._pair(
            (pool.size[axis] - 1) * window.strides[axis] + window.extent[axis] for axis in (0, 1)
        )
        self.cell = self._pair(pool.size[axis] * window.strides[axis] for axis in (0, 1))
        self.cells = self._pair(
            ceil_div(window.image[axis] + window.padding_before[axis], self.cell[axis])
            for axis in (0, 1)
        )
        self.output = pool.output

    def region(self, tile: Pair) -> int:
        """The pixels that a tile of outputs depends on."""
        return prod((tile[axis] - 1) * self.cell[axis] + self.size[axis] for axis in (0, 1))

    def outputs(self, tile: Pair) -> int:
        """The most outputs whose patches reach into a tile of cells."""
        return prod(self._outputs(axis, tile[axis]) for axis in (0, 1))

    def _outputs(self, axis: int, cells: int) -> int:
        halo = (self.size[axis] - 1) // self.cell[axis]
        first = range(0, self.cells[axis], cells)
        return max(min(each + cells, self.output[axis]) - max(each - halo, 0) for each in first)

    @staticmethod
    def _pair(of_axes: Iterator[int]) -> Pair:
        height, width = of_axes
        return height, width


def can_compute(fused: ConvReluPool) -> bool:
    """Whether the kernels compute a fused operation: windows side by side, none of them large."""
    pool = fused.pool
    return (
        pool.size == pool.strides
        and pool.padding == "valid"
        and pool.elements <= MOST_POOL
        and fused.window.elements <= MOST_TAPS
        and prod(Patches(fused).size) <= MOST_PATCH
    )


class CudaConvReluPoolPlan(ConvReluPoolPlan):
    """The constants of the kernels for batches of one size.

    Args:
        fused: the operation; `can_compute` must hold.
        arrays: "argmax", uint8 (n, ph, pw, filters): the element of its window that each output
            is, or the number of elements where ReLU cut it to 0.

    Attributes:
        forward: the constants of conv_relu_pool.cu.
        kernel_gradient: those of pooled_kernel_gradient.cu.
        input_gradient: those of pooled_input_gradient.cu.
        slab_tiles: the tiles that are added up to one slab of gradients of the kernel.
        slabs: the number of these.
        group_slabs: the slabs that are added up in the first of two stages.
        slab_elements: the sums of all slabs; 0 where one block has the whole sum.
        images: those of the last forward pass in training, for the gradients that follow.
    """

    def __init__(self, fused: ConvReluPool, arrays: dict[str, Array]) -> None:
        super().__init__(fused, arrays)
        self.images: Images | None = None
        count = len(arrays["argmax"])
        of = kernel_gradient(fused)
        self.forward = Constants(forward(fused))
        self.kernel_gradient = Constants(of)
        self.input_gradient = Constants(input_gradient(fused, count))
        tiles, blocks = count * of["tiles"], of["filter_tiles"] * of["channel_tiles"]
        self.slab_tiles = slab_tiles(tiles, blocks)
        self.slabs = ceil_div(tiles, self.slab_tiles)
        self.group_slabs = ceil(sqrt(self.slabs))
        of_block = (THREADS // of["slices"]) * (fused.window.elements * of["thread_channels"] + 1)
        self.slab_elements = self.slabs * blocks * of_block if self.slabs > 1 else 0


def forward(fused: ConvReluPool) -> Values:
    """The constants of conv_relu_pool.cu: those whose blocks have the fewest warps in all.

    A thread computes 8 filters; 4 where all are few, so that there are more threads, and where
    windows of more than four elements would make the sums of 8 too many for its registers. Many
    channels are shared out over two slices of a block, so that it has more warps, too.
    """
    few = fused.filters <= 16 or fused.pool.elements > 4
    thread_filters = 4 if few else 8
    slices = 2 if fused.channels >= 8 else 1
    most_groups = min(_power_of_two(ceil_div(fused.filters, thread_filters)), 8)
    choices = [
        choice
        for groups in (8, 4, 2, 1)
        if groups <= most_groups
        for choice in _forward(fused, thread_filters, groups, slices)
    ]
    return min(choices, key=_warps)


def _forward(
    fused: ConvReluPool, thread_filters: int, groups: int, slices: int
) -> Iterator[Values]:
    """The constants with the largest tile that fits, if any does."""
    patches, size = Patches(fused), fused.real.itemsize
    filters = groups * thread_filters
    weights = fused.window.elements * filters
    for tile in _tiles(fused.pool.output, THREADS // (groups * slices)):
        region, outputs = patches.region(tile), prod(tile) * (filters + 1)
        sums = prod(tile) * filters * fused.pool.elements * (slices // 2)
        of_reals = (SHARED_MEMORY - outputs) // size
        most = (of_reals - region) // (weights + region)  # a pixel has one element more, or none
        if fused.channels > most:
            most = min(most, max(AHEAD * THREADS // size // (weights + region), slices))
        if most >= slices and max(sums, outputs) <= of_reals:
            channels = _shares(fused.channels, most // slices * slices, slices)
            yield {
                **_shape(fused),
                **_tile(fused.pool.output, tile),
                "tile_channels": channels,
                "pixel": channels | 1,
                "slices": slices,
                "filter_groups": groups,
                "thread_filters": thread_filters,
                "filter_tiles": ceil_div(fused.filters, filters),
            }
            return


def _warps(of: Values) -> int:
    """The warps of all blocks of an image."""
    outputs = of["tile_rows"] * of["tile_columns"]
    warps = ceil_div(outputs * of["filter_groups"] * of["slices"], WARP)
    return of["tiles"] * of["filter_tiles"] * warps


def kernel_gradient(fused: ConvReluPool) -> Values:
    """The constants of pooled_kernel_gradient.cu.

    A thread keeps the sums of up to four channels, in at most 72 registers.
    """
    patches, size, taps = Patches(fused), fused.real.itemsize, fused.window.elements
    fitting = (each for each in (4, 2) if each < 2 * fused.channels and each * taps * size <= 288)
    thread_channels = next(fitting, 1)
    filters = min(_power_of_two(fused.filters), WARP)
    groups = min(_power_of_two(ceil_div(fused.channels, thread_channels)), 4)
    channels = groups * thread_channels
    pixel = channels + thread_channels * (groups > 1)  # so that neighbours are in different banks
    sums = THREADS // 2 * (taps * thread_channels + 1)
    for tile in _tiles(fused.pool.output, 96):
        outputs = prod(tile) * filters
        memory = max(patches.region(tile) * pixel + outputs, sums) * size + 2 * outputs
        if memory <= SHARED_MEMORY:
            break
    return {
        **_shape(fused),
        **_tile(fused.pool.output, tile),
        "tile_filters": filters,
        "tile_channels": channels,
        "thread_channels": thread_channels,
        "pixel": pixel,
        "slices": THREADS // (filters * groups),
        "filter_tiles": ceil_div(fused.filters, filters),
        "channel_tiles": ceil_div(fused.channels, channels),
        "blocks": _blocks(fused),
    }


def slab_tiles(tiles: int, blocks: int) -> int:
    """The tiles that are added up to one slab of gradients of the kernel.

    Args:
        tiles: the tiles of all images.
        blocks: the blocks that a slab takes, each of which has a ticket where slabs are added up.
    """
    if blocks > TICKETS:
        return tiles
    slabs = max(MULTIPROCESSORS // blocks, 1)
    return ceil_div(tiles, slabs if tiles <= 2 * slabs else 2 * slabs)


def input_gradient(fused: ConvReluPool, images: int) -> Values:
    """The constants of pooled_input_gradient.cu.

    If images are few, blocks take half as many channels, so that there are more of them. A thread
    keeps the patches of some outputs, for up to four channels, in at most 64 registers.
    """
    patches, size, taps = Patches(fused), fused.real.itemsize, fused.window.elements
    lanes = min(_power_of_two(fused.channels), WARP)
    if images * ceil_div(fused.channels, lanes) < MULTIPROCESSORS:
        lanes = max(lanes // 2, 1)
    of_patch = size * prod(patches.size)
    fitting = (each for each in (4, 2) if each <= min(lanes, 16 // size) and each * of_patch <= 256)
    thread_channels = next(fitting, 1)
    slots = THREADS // (lanes // thread_channels)
    most_outputs = max(256 // (of_patch * thread_channels), 1)
    sizes = product(_tiles(patches.cells, prod(patches.cells)), (64, 32, 16, 8, 4, 2, 1))
    for tile, filters in sizes:
        outputs = patches.outputs(tile)
        region = prod(tile) * prod(patches.cell) * lanes
        weights = filters * (taps * lanes + thread_channels)
        lists = outputs * (filters * (size + 2) + fused.pool.elements) + size
        memory = max(weights, region) * size + lists
        if outputs <= slots * most_outputs and memory <= SHARED_MEMORY:
            break
    return {
        **_shape(fused),
        **_tile(patches.cells, tile),
        "lanes": lanes,
        "thread_channels": thread_channels,
        "tile_outputs": outputs,
        "tile_filters": filters,
        "channel_tiles": ceil_div(fused.channels, lanes),
        "blocks": _blocks(fused),
    }


def _blocks(fused: ConvReluPool) -> int:
    """The blocks that a multiprocessor has registers for: two, of threads that keep float32."""
    return 2 if fused.real.itemsize == 4 else 1


def _shape(fused: ConvReluPool) -> Values:
    """The values of `SHAPE`."""
    of = fused.window.fields | {
        "channels": fused.channels,
        "filters": fused.filters,
        "pool_height": fused.pool.size[0],
        "pool_width": fused.pool.size[1],
        "pooled_rows": fused.pool.output[0],
        "pooled_columns": fused.pool.output[1],
    }
    return {name: of[name] for name in SHAPE}


def _tile(extent: Pair, tile: Pair) -> Values:
    """The constants of tiles of rows and columns."""
    down, across = ceil_div(extent[0], tile[0]), ceil_div(extent[1], tile[1])
    return {
        "tile_rows": tile[0],
        "tile_columns": tile[1],
        "tiles_across": across,
        "tiles": down * across,
    }


def _tiles(extent: Pair, most: int) -> Iterator[Pair]:
    """Tiles of at most `most` places that share out `extent` evenly: large ones first, then (1, 1).

    Those of whole rows come first.
    """
    rows, columns = extent
    for across in range(1, columns + 1):
        width = ceil_div(columns, across)
        if width <= most:
            for down in range(ceil_div(rows, most // width), rows + 1):
                yield ceil_div(rows, down), width


def _shares(total: int, most: int, step: int) -> int:
    """The size of even shares of `total`, a multiple of `step` of at most `most`."""
    return ceil_div(ceil_div(total, ceil_div(total, most)), step) * step


def _power_of_two(count: int) -> int:
    """The least power of two that is at least `count`."""
    return 1 << (count - 1).bit_length()
