from typing import Any

import numpy as np
import pytest

from gpucnn.simulator import Module, Order, SimulatorError
from simulator.sources import COMPILERS, FOLDER, kernel, line, zeros

ORDERS: list[Order] = ["forward", "reversed", 1, 2]


def run(name: str, threads: int, *arguments: Any, order: Order = "forward", **more: Any) -> None:
    kernel("threads", name, order)((1,), (threads,), arguments, **more)


def error_of(name: str, threads: int, *arguments: Any, grid: tuple[int, ...] = (1,)) -> str:
    with pytest.raises(SimulatorError) as caught:
        kernel("threads", name)(grid, (threads,), arguments)
    return str(caught.value)


def test_indices_of_three_dimensions() -> None:
    out = zeros(2 * 3 * 4 * 5 * 6 * 7 * 6)
    kernel("threads", "indices")((2, 3, 4), (5, 6, 7), (out,))
    z, y, x = np.indices((4, 3, 2)).reshape(3, -1)
    tz, ty, tx = np.indices((7, 6, 5)).reshape(3, -1)
    blocks = np.repeat(np.stack([x, y, z], axis=1), 210, axis=0)
    threads = np.tile(np.stack([tx, ty, tz], axis=1), (24, 1))
    np.testing.assert_array_equal(out.reshape(-1, 6), np.hstack([threads, blocks]))


@pytest.mark.parametrize("order", ORDERS)
def test_order_of_threads(order: Order) -> None:
    before, after = zeros(120), zeros(120)
    kernel("threads", "order", order)((3,), (40,), (zeros(2), before, after))
    in_order = np.arange(120)
    if order == "forward":
        expected = in_order
    elif order == "reversed":
        expected = in_order[::-1]
    else:
        expected = before
        assert (before != in_order).any()
        assert (before != after).any()
        blocks = (before // 40).reshape(3, 40)
        assert (blocks == blocks[:, :1]).all()
    np.testing.assert_array_equal(before, expected)
    np.testing.assert_array_equal(np.sort(after), in_order)
    if isinstance(order, str):
        np.testing.assert_array_equal(after, expected)


def test_seed_gives_one_order() -> None:
    first, second, other = zeros(100), zeros(100), zeros(100)
    run("order", 100, zeros(2), first, zeros(100), order=5)
    run("order", 100, zeros(2), second, zeros(100), order=5)
    run("order", 100, zeros(2), other, zeros(100), order=6)
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("threads", [1, 31, 32, 100, 1024])
def test_barriers(order: Order, threads: int) -> None:
    x = np.arange(3 * threads, dtype=np.float32)
    kernel("threads", "reverse", order)((3,), (threads,), (x,), shared_mem=4 * threads)
    expected = np.arange(3 * threads).reshape(3, -1)[:, ::-1].ravel()
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("order", ORDERS)
def test_missing_barrier_shows(order: Order) -> None:
    x = np.arange(64, dtype=np.float32)
    kernel("threads", "reverse_without_barrier", order, checked=False)((1,), (64,), (x,))
    assert np.isnan(x).any()


@pytest.mark.parametrize("order", ORDERS)
def test_shared_memory_of_templates(order: Order) -> None:
    reals, integers = zeros(48, np.float32), zeros(48)
    run("totals", 48, np.full(48, 0.5, np.float32), reals, integers, order=order)
    assert (reals == 24).all()
    assert (integers == 48 * 47 / 2).all()


def test_shared_memory_is_filled_for_each_block() -> None:
    reals, integers, dynamic = zeros(32, np.float32), zeros(32), zeros(32, np.uint32)
    unwritten = kernel("threads", "unwritten", checked=False)
    unwritten((2,), (32,), (reals, integers, dynamic), shared_mem=128)
    assert np.isnan(reals).all()
    assert (integers == -1).all()
    assert (dynamic == 2**32 - 1).all()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("true", [0, 1, 39, 40])
def test_votes_of_a_block(order: Order, true: int) -> None:
    out = zeros(3 * 40)
    predicates = (np.arange(40) < true).astype(np.int32) * 8
    run("block_votes", 40, predicates, out, order=order)
    assert (out.reshape(40, 3) == [true, true == 40, true > 0]).all()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("threads", [32, 12])
@pytest.mark.parametrize("true", [0, 5, 32])
def test_votes_of_a_warp(order: Order, threads: int, true: int) -> None:
    out = zeros(3 * threads, np.uint32)
    predicates = (np.arange(threads) < true).astype(np.int32)
    run("warp_votes", threads, predicates, out, order=order)
    ballot = 2 ** min(true, threads) - 1
    assert (out.reshape(-1, 3) == [ballot, true >= threads, true > 0]).all()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("width", [32, 8, 1])
@pytest.mark.parametrize("argument", [0, 1, 5, 16, 31])
def test_shuffles(order: Order, width: int, argument: int) -> None:
    out = zeros(4 * 64)
    run("shuffles", 64, out, np.int32(argument), np.int32(width), order=order)
    t = np.arange(64)
    lane = t % 32
    group = lane // width * width
    up = np.where(lane - argument >= group, t - argument, t)
    down = np.where(lane + argument < group + width, t + argument, t)
    xor = np.where(lane ^ argument < group + width, t ^ argument, t)
    given = t - lane + group + argument % width
    np.testing.assert_array_equal(out.reshape(64, 4), np.stack([given, up, down, xor], axis=1))


def test_shuffles_of_each_type() -> None:
    reals = np.arange(32, dtype=np.float32)
    doubles = np.arange(32) / 3
    wide = np.arange(32, dtype=np.uint64) * np.uint64(2**40)
    small = -np.arange(32, dtype=np.int8)
    arrays = (reals, doubles, wide, small)
    expected = [array[np.arange(32) ^ 1] for array in arrays]
    run("shuffled_types", 32, *arrays)
    for array, values in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array, values)


@pytest.mark.parametrize("order", ORDERS)
def test_halves_of_a_warp(order: Order) -> None:
    out = zeros(32)
    run("halves", 32, out, order=order)
    np.testing.assert_array_equal(out[:16], np.arange(16) ^ 8)
    assert (out[16:24] == 0b10101010).all()
    assert (out[24:] == 0).all()


@pytest.mark.parametrize("order", ORDERS)
def test_last_block_sees_all_others(order: Order) -> None:
    total = zeros(1, np.float32)
    kernel("threads", "last_block", order)((9,), (4,), (zeros(9, np.float32), total))
    assert total == 45


@pytest.mark.parametrize("order", ORDERS)
def test_barrier_does_not_wait_for_threads_that_returned(order: Order) -> None:
    out = zeros(65)
    kernel("threads", "barrier_after_return", order)((1,), (63,), (out,))
    i = np.arange(63)
    expected = np.choose(i % 3, [0, i + 1, i - 1])
    np.testing.assert_array_equal(out[:63], expected)
    assert out[64] == sum(k % 2 == 0 and k % 3 > 0 for k in range(63))


def test_barriers_on_two_lines() -> None:
    assert error_of("barriers_apart", 64) == (
        "barriers_apart, block (0, 0, 0): thread (0, 0, 0) waits in __syncthreads at "
        f"{line('threads', 'one')}, but thread (32, 0, 0) in __syncthreads at "
        f"{line('threads', 'other')}: have all threads of a block come to the same __syncthreads"
    )


@pytest.mark.parametrize("option", ["-std=c++17", "-std=c++20"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_barriers_on_one_line(option: str, compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", compiler)
    apart = Module(FOLDER / "threads.cu", (option,)).get_function("barriers_on_one_line")
    place = line("threads", "halves")
    with pytest.raises(SimulatorError) as caught:
        apart((1,), (64,), ())
    assert (
        f"thread (0, 0, 0) waits in __syncthreads at {place}, but thread (32, 0, 0) in another "
        f"__syncthreads at {place}: "
    ) in str(caught.value)


def test_barrier_instead_of_a_shuffle() -> None:
    assert error_of("barrier_and_shuffle", 32, zeros(32)) == (
        "barrier_and_shuffle, block (0, 0, 0): thread (0, 0, 0) waits in __shfl_xor_sync at "
        f"{line('threads', 'shuffle')} with mask 0xffffffff for lane 5, thread (5, 0, 0), which "
        f"waits in __syncthreads at {line('threads', 'barrier')}: have all lanes of a mask call "
        "the same function with that mask, or leave those out that do not"
    )


def test_masks_that_differ() -> None:
    error = error_of("masks_apart", 31)
    assert "thread (0, 0, 0) waits in __syncwarp" in error
    assert "with mask 0xffffffff for lane 1" in error
    assert f"{line('threads', 'masks')} with mask 0x7fffffff: " in error


def test_lane_outside_of_its_mask() -> None:
    assert error_of("outside_of_mask", 32) == (
        "outside_of_mask, block (0, 0, 0): thread (0, 0, 0), lane 0, calls __syncwarp at "
        f"{line('threads', 'outside')} with mask 0x0000fffe, in which it is not: give a mask of "
        "the lanes that make the call"
    )


@pytest.mark.parametrize(
    ("name", "threads", "comment", "source"),
    [("from_no_part", 32, "no part", 20), ("from_nobody", 16, "nobody", 16)],
)
def test_shuffle_from_a_lane_without_part(
    name: str, threads: int, comment: str, source: int
) -> None:
    error = error_of(name, threads, zeros(32))
    assert f"thread (0, 0, 0) reads lane {source} in __shfl" in error
    assert f"at {line('threads', comment)}, which takes no part" in error


def test_width_of_a_shuffle() -> None:
    error = error_of("odd_width", 32, zeros(32))
    assert f"__shfl_sync at {line('threads', 'width')} has a width that is none of 1," in error


def test_failed_assertion() -> None:
    error = error_of("asserting", 32, np.int32(7))
    assert error == (
        "asserting, block (0, 0, 0): thread (7, 0, 0): assert at "
        f'{line("threads", "assertion")} failed: threadIdx.x < n && "of course": see what its '
        "numbers are there"
    )


def test_trap() -> None:
    assert error_of("trapping", 32, grid=(1, 2)) == (
        f"trapping, block (0, 1, 0): thread (2, 0, 0): __trap at {line('threads', 'trap')} was "
        "called: see why the kernel gives up there"
    )


def test_reason_stands_after_a_very_long_name() -> None:
    name = "a" * 5000
    trapping = Module(f'extern "C" __global__ void {name}() {{ __trap(); }}').get_function(name)
    reason = r"^a{200}, block .* see why the kernel gives up there$"
    with pytest.raises(SimulatorError, match=reason):
        trapping((1,), (1,), ())


def test_launch_after_one_that_failed() -> None:
    error_of("barriers_apart", 64)
    test_barriers("forward", 1024)
