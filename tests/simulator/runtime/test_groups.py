from typing import Any

import numpy as np
import pytest

from gpucnn.simulator import LaunchError, Module, Order, SimulatorError
from simulator.sources import COMPILERS, FOLDER, kernel, line, zeros

ORDERS: list[Order] = ["forward", "reversed", 1, 2]


def error_of(name: str, grid: int, *arguments: Any) -> str:
    with pytest.raises(LaunchError) as caught:
        kernel("groups", name)((grid,), (64,), arguments, cooperative=True)
    return str(caught.value)


@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("order", ORDERS)
def test_blocks_of_a_grid_wait_for_each_other(order: Order, checked: bool) -> None:
    x = np.arange(7 * 64, dtype=np.int32)
    for threads in (64, 33):
        size = 7 * threads
        rotate = kernel("groups", "rotate", order, checked=checked)
        rotate((7,), (threads,), (x[:size], zeros(size), np.int32(3)), cooperative=True)
        np.testing.assert_array_equal(x[:size], (np.arange(size) + 3) % size)
        x[:] = np.arange(7 * 64)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_many_blocks(compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", compiler)
    x = np.arange(8192, dtype=np.int32)
    rotate = Module(FOLDER / "groups.cu").get_function("rotate")
    rotate((32, 4), (64,), (x, zeros(8192), np.int32(2)), cooperative=True)
    np.testing.assert_array_equal(x, (np.arange(8192) + 2) % 8192)


def test_race_between_barriers_of_the_grid() -> None:
    error = error_of("race_in_a_phase", 3, zeros(192), zeros(192))
    assert (
        f"writes at {line('groups', 'race')} what thread (0, 0, 0) of block (0, 0, 0) read" in error
    )
    assert f"read at {line('groups', 'read')}, and blocks run in any order" in error


def test_shared_memory_is_each_blocks_own() -> None:
    error = error_of("unwritten", 2, zeros(64))
    assert error.startswith("unwritten, block (1, 0, 0): thread (0, 0, 0) reads shared memory at ")
    assert line("groups", "unwritten") in error


def test_threads_that_returned() -> None:
    early = kernel("groups", "early_return")
    early((4,), (64,), (np.int32(2), np.int32(5)), cooperative=True)
    assert error_of("early_return", 4, np.int32(2), np.int32(0)) == (
        "early_return, block (0, 0, 0): thread (0, 0, 0) waits in grid.sync() at "
        f"{line('groups', 'for all')} for block (2, 0, 0), whose first thread has returned: have "
        "all threads of the grid come there"
    )


def test_barriers_apart() -> None:
    assert error_of("apart", 3) == (
        "apart, block (0, 0, 0): thread (0, 0, 0) waits in grid.sync() at "
        f"{line('groups', 'other')}, but block (1, 0, 0) in grid.sync() at "
        f"{line('groups', 'one')}: have all blocks come to the same one"
    )


def test_launches_that_are_not_cooperative() -> None:
    valid = np.full(1, -1, np.int32)
    kernel("groups", "uncooperative")((2,), (1,), (valid,))
    assert valid == 0
    with pytest.raises(LaunchError, match="launch it cooperatively"):
        kernel("groups", "apart")((2,), (1,), ())


def test_launches_that_are_too_large() -> None:
    rotate = kernel("groups", "rotate")
    arguments = (zeros(1), zeros(1), np.int32(1))
    with pytest.raises(SimulatorError, match=r"cooperatively with 16448 threads, .* has 16384"):
        rotate((257,), (64,), arguments, cooperative=True)
    with pytest.raises(SimulatorError, match="launch all"):
        rotate((2,), (64,), arguments, blocks=[1], cooperative=True)


def neighbours(x: Any) -> Any:
    """What a grid of 4 x 6 blocks computes in clusters of 2 x 2."""
    blocks, out = x.reshape(6, 4, 32), np.zeros((6, 4, 32), np.int32)
    for y, x in np.ndindex(6, 4):
        next_rank = (2 * (y % 2) + x % 2 + 1) % 4
        other = (y // 2 * 2 + next_rank // 2, x // 2 * 2 + next_rank % 2)
        out[y, x] = 10 * blocks[other] + next_rank
    return out.ravel()


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("order", ORDERS)
def test_blocks_of_a_cluster_share_memory(
    order: Order, checked: bool, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", compiler)
    x, out = np.arange(24 * 32, dtype=np.int32), zeros(24 * 32)
    groups = Module(FOLDER / "groups.cu", order=order, checked=checked)
    groups.get_function("neighbours")((4, 6), (32,), (x, out), shared_mem=128)
    np.testing.assert_array_equal(out, neighbours(x))


@pytest.mark.parametrize(
    ("name", "comment", "message"),
    [
        ("too_early", "early", "reads shared memory at {} that no thread of the block has written"),
        (
            "too_late",
            "late",
            "of block 0 of its cluster in map_shared_rank at {}, which has returned",
        ),
        ("among_clusters", "of another", "at {}, and blocks run in any order"),
    ],
)
def test_faults_in_clusters(name: str, comment: str, message: str) -> None:
    with pytest.raises(LaunchError) as caught:
        kernel("groups", name)((4,), (32,), (zeros(32),))
    assert message.format(line("groups", comment)) in str(caught.value)


def test_clusters_that_are_refused() -> None:
    clusters = kernel("groups", "neighbours")
    arguments = (zeros(32), zeros(32))
    with pytest.raises(
        SimulatorError, match=r"grid of \(4, 3, 1\), .* of \(2, 2, 1\): give a multiple"
    ):
        clusters((4, 3), (32,), arguments)
    with pytest.raises(SimulatorError, match="does not have cooperative launches of such"):
        clusters((4, 4), (32,), arguments, cooperative=True)
    with pytest.raises(SimulatorError, match="launch all"):
        clusters((4, 4), (32,), arguments, blocks=[0])
    large = 'extern "C" __global__ void __cluster_dims__(3, 3) large() {}'
    with pytest.raises(SimulatorError, match="clusters of 9 blocks, and a device allows 8"):
        Module(large).get_function("large")((3, 3), (1,), ())
