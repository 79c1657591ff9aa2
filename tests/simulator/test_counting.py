from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from gpucnn.simulator import Accesses, ArrayAccesses, SimulatorError, Traffic, counting
from simulator.sources import kernel, zeros

COUNT = 96
NONE = Accesses({}, {})


def counted(name: str, *launch: Any, **more: Any) -> Traffic:
    with counting() as launches:
        kernel("counted", name)(*launch, **more)
    (traffic,) = launches
    return traffic


def test_a_copy_loads_and_stores_each_element_once() -> None:
    x, out = np.arange(COUNT + 10, dtype=np.float32), zeros(COUNT, np.float32)
    traffic = counted("copy", (4,), (32,), (x, out, np.int64(COUNT)))
    assert traffic == Traffic(
        "copy",
        {
            0: ArrayAccesses({4: COUNT}, {}, read=4 * COUNT, written=0),
            1: ArrayAccesses({}, {4: COUNT}, read=0, written=4 * COUNT),
        },
        NONE,
    )
    assert (traffic.arrays[0].loaded, traffic.arrays[0].stored) == (4 * COUNT, 0)
    np.testing.assert_array_equal(out, x[:COUNT])


@pytest.mark.parametrize(
    ("name", "element", "accesses"),
    [
        ("bytes", 1, {1: 1}),
        ("shorts", 2, {2: 1}),
        ("doubles", 8, {8: 1}),
        ("vectors", 16, {16: 1}),
        ("aligned", 16, {16: 1}),
        ("two_doubles", 16, {16: 1}),
        ("large", 80, {16: 5}),
    ],
)
def test_an_access_counts_by_its_width(name: str, element: int, accesses: dict[int, int]) -> None:
    x, out = np.arange(element * COUNT // 4, dtype=np.float32), zeros(element * COUNT // 4)
    traffic = counted(f"copy_{name}", (3,), (32,), (x, out))
    expected = {width: COUNT * number for width, number in accesses.items()}
    assert (traffic.arrays[0].loads, traffic.arrays[1].stores) == (expected, expected)
    assert (traffic.arrays[0].read, traffic.arrays[1].written) == (x.nbytes, out.nbytes)
    np.testing.assert_array_equal(out, x.view(out.dtype))


def test_a_struct_that_no_access_fits_counts_as_several() -> None:
    x, out = np.arange(3 * COUNT, dtype=np.float32), zeros(3 * COUNT, np.float32)
    traffic = counted("copy_threes", (3,), (32,), (x, out))
    assert traffic.arrays[0].loaded == traffic.arrays[1].stored == x.nbytes
    assert max(traffic.arrays[0].loads) < 16
    np.testing.assert_array_equal(out, x)


def test_an_atomic_operation_is_a_load_and_a_store() -> None:
    counter, total, least = zeros(2, np.uint32), zeros(1, np.float32), zeros(1, np.uint64) + 9
    traffic = counted("count_up", (2,), (16,), (counter, total, least))
    assert (counter[0], total[0], least[0]) == (32, 16, 0)
    assert traffic.arrays[0] == ArrayAccesses({4: 32}, {4: 32}, read=4, written=4)
    assert traffic.arrays[1] == traffic.arrays[0]
    assert traffic.arrays[2] == ArrayAccesses({8: 32}, {8: 32}, read=8, written=8)


def test_what_a_launch_wrote_itself_is_not_read_from_memory() -> None:
    x = np.ones(32, np.float32)
    traffic = counted("in_place", (1,), (32,), (x,))
    assert traffic.arrays[0] == ArrayAccesses({4: 32}, {4: 33}, read=4 * 31, written=4 * 32)
    np.testing.assert_array_equal(x, 2)


def test_memory_of_no_argument_does_not_count() -> None:
    out = zeros(1, np.float32)
    traffic = counted("apart", (1,), (32,), (out,))
    assert traffic == Traffic("apart", {0: ArrayAccesses({}, {4: 1}, read=0, written=4)}, NONE)
    assert out[0] == 31


def test_shared_memory_of_every_kind_counts() -> None:
    out = zeros(32, np.float32)
    traffic = counted("shared", (1,), (32,), (out,), shared_mem=512)
    assert traffic.shared.loads == {4: 64, 8: 32}  # a member of a vector is loaded by itself
    assert traffic.shared.stored == 32 * (4 + 8 + 16)
    assert traffic.arrays[0].stored == out.nbytes
    np.testing.assert_array_equal(out, np.arange(32))


def test_null_and_scalars_are_no_arrays() -> None:
    traffic = counted("copy", (1,), (32,), (None, None, np.int64(0)))
    assert traffic == Traffic("copy", {}, NONE)


def test_an_array_that_two_arguments_share_is_the_first_ones() -> None:
    x = np.ones(COUNT, np.float32)
    traffic = counted("copy", (3,), (32,), (x, x, np.int64(COUNT)))
    assert traffic.arrays[0] == ArrayAccesses({4: COUNT}, {4: COUNT}, x.nbytes, x.nbytes)
    assert traffic.arrays[1] == ArrayAccesses({}, {}, 0, 0)


def test_chosen_blocks_alone_count() -> None:
    x, out = np.ones(COUNT, np.float32), zeros(COUNT, np.float32)
    arguments = x, out, np.int64(COUNT)
    assert counted("copy", (3,), (32,), arguments, blocks=[1]).arrays[1].written == 4 * 32
    assert counted("copy", (3,), (32,), arguments, blocks=[]).arrays[1].written == 0


def test_launches_before_and_after_do_not_count() -> None:
    x, out = np.ones(32, np.float32), zeros(32, np.float32)
    copy, launch = kernel("counted", "copy"), ((1,), (32,), (x, out, np.int64(32)))
    prepared = copy.prepare(*launch)
    prepared()
    with counting() as outer:
        prepared()
        with counting() as inner:
            copy(*launch)
            copy(*launch)
        prepared()
    prepared()
    assert (len(outer), len(inner)) == (2, 2)
    assert len({str(each) for each in (*outer, *inner)}) == 1


def test_other_threads_do_not_count() -> None:
    x, out = np.ones(32, np.float32), zeros(32, np.float32)
    launch = (1,), (32,), (x, out, np.int64(32))
    with counting() as launches, ThreadPoolExecutor(1) as pool:
        pool.submit(kernel("counted", "copy"), *launch).result()
    assert launches == []
    np.testing.assert_array_equal(out, x)


def test_a_launch_that_fails_is_not_there_and_the_next_counts_anew() -> None:
    x = zeros(32, np.float32)
    with counting() as launches:
        with pytest.raises(SimulatorError, match="thread"):
            kernel("counted", "stuck")((1,), (32,), (x,))
        kernel("counted", "copy")((1,), (32,), (x, x, np.int64(32)))
    assert [each.kernel for each in launches] == ["copy"]
    assert launches[0].arrays[0].stored == x.nbytes
