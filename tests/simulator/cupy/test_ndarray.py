"""Arrays of the device: NumPy's values, with CuPy's manners."""

import copy
import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


def test_it_is_no_array_of_numpys(cupy: Any) -> None:
    x = cupy.arange(3)
    assert not isinstance(x, np.ndarray)
    functions: tuple[Any, ...] = (np.asarray, np.array)
    for function in (*functions, lambda x: np.stack([np.zeros(3), np.asarray(x)])):
        with pytest.raises(
            TypeError, match=r"^Implicit conversion to a NumPy array is not allowed"
        ):
            function(x)


@pytest.mark.parametrize(
    "function",
    [
        lambda cupy, x, y: x + y,
        lambda cupy, x, y: y + x,
        lambda cupy, x, y: cupy.add(x, y),
        lambda cupy, x, y: cupy.add(y, y),
        lambda cupy, x, y: np.add(x, y),
        lambda cupy, x, y: cupy.concatenate([x, y]),
        lambda cupy, x, y: x.__iadd__(y),
        lambda cupy, x, y: operator.setitem(x, slice(0, 2), y[:2]),
        lambda cupy, x, y: cupy.cumsum(y),
        lambda cupy, x, y: cupy.exp([1.0]),
    ],
)
def test_arrays_of_the_host_are_refused(cupy: Any, function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"^Unsupported type <class '(numpy.ndarray|list)'>"):
        function(cupy, cupy.zeros(3), np.zeros(3))


def test_arrays_of_the_host_are_sizes_and_axes(cupy: Any) -> None:
    assert cupy.ones(np.array([2, 3])).shape == (2, 3)
    assert cupy.fft.fftn(cupy.ones((2, 2)), np.array([4, 4]), axes=np.array([0, 1])).shape == (4, 4)
    assert isinstance(cupy.sum(np.ones(3)), np.floating)  # CuPy asks the array for its sum
    with pytest.raises(AttributeError, match=r"^'list' object has no attribute 'sum'"):
        cupy.sum([1, 2])


def test_functions_of_numpy_give_arrays_of_the_device(cupy: Any) -> None:
    x = cupy.arange(3.0)
    for found in (np.add(x, 1), np.sum(x), np.concatenate([x, x]), np.linalg.norm(x), np.exp(x)):
        assert isinstance(found, cupy.ndarray)
    assert isinstance(np.float32(2) * x, cupy.ndarray)
    assert np.add.reduce(x).get() == 3


def test_results_without_dimensions_stay_arrays(cupy: Any) -> None:
    x = cupy.arange(6, dtype=cupy.float32).reshape(2, 3)
    for found in (x.sum(), x[1, 2], x.max(), cupy.allclose(x, x), x.mean(), cupy.median(x)):
        assert isinstance(found, cupy.ndarray)
        assert found.shape == ()
    assert (float(x[1, 2]), int(x[1, 2]), bool(x[1, 2]), x[1, 2].item()) == (5, 5, True, 5)
    assert np.arange(9)[operator.index(cupy.array(4))] == 4
    x[1, 2][...] = 7  # which is a view
    assert x.get()[1, 2] == 7


def test_values_are_numpys(cupy: Any) -> None:
    host = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)
    x = cupy.asarray(host)
    functions: tuple[Callable[..., Any], ...] = (
        lambda xp, x: xp.exp(x) @ x.T,
        lambda xp, x: x[x > 0],
        lambda xp, x: xp.where(x > 0, x, 2),
        lambda xp, x: xp.linalg.svd(x)[1],
        lambda xp, x: xp.fft.rfft(x, axis=1),
        lambda xp, x: xp.argsort(x, axis=0),
        lambda xp, x: x[xp.array([2, 0])],
        lambda xp, x: xp.einsum("ij,kj->ik", x, x),
        lambda xp, x: xp.mgrid[0:2, 0:3],
        lambda xp, x: xp.apply_along_axis(lambda row: row.sum(), 1, x),
        lambda xp, x: xp.divmod(x, 2)[1],
    )
    for function in functions:
        found, expected = function(cupy, x), function(np, host)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found.get(), expected)


def test_division_by_zero_is_no_warning(cupy: Any) -> None:
    assert cupy.isinf(1 / cupy.zeros(1)).get().all()
    assert cupy.isnan(cupy.log(cupy.array([-1.0]))).get().all()


def test_changes_in_place_are_seen_by_views(cupy: Any) -> None:
    x = cupy.zeros((2, 3))
    row, same = x[1], x
    x += 1
    assert row.sum() == 3
    x.fill(4)
    assert same is x
    row[:] = np.array([1.0, 2, 3])
    assert x.get().tolist() == [[4, 4, 4], [1, 2, 3]]
    assert cupy.add(x, 1, out=x) is x
    assert row.get().tolist() == [2, 3, 4]
    assert x.T.base is not None
    x.shape = (6,)
    assert x.shape == (6,)


def test_get_and_set_check_what_they_copy(cupy: Any) -> None:
    x, host = cupy.zeros((2, 2)), np.ones((2, 2))
    x.set(host)
    out = np.empty((2, 2))
    assert x.get(out=out) is out
    assert (out == host).all()
    host[:] = 3
    assert (x == 1).all()
    for wrong in (np.ones(4), np.ones((2, 2), np.float32), [1]):
        with pytest.raises((TypeError, ValueError)):
            x.set(wrong)
        with pytest.raises((TypeError, ValueError)):
            x.get(out=wrong)
    with pytest.raises(ValueError, match=r"same shape and dtype"):
        x[:] = np.ones(4)


def test_asarray_copies_from_the_host_alone(cupy: Any) -> None:
    host = np.zeros(3)
    x = cupy.asarray(host)
    host[:] = 1
    assert not x.get().any()
    assert cupy.asarray(x) is x
    assert cupy.array(x) is not x
    assert cupy.asnumpy(x).shape == cupy.asnumpy([x]).shape[1:]
    assert cupy.array([x, x]).shape == (2, 3)


@pytest.mark.parametrize("value", ["text", [object()], np.zeros(1, np.longdouble)])
def test_dtypes_of_no_device_are_refused(cupy: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^Unsupported dtype "):
        cupy.array(value)


def test_memory_that_is_not_initialised_is_nan(cupy: Any) -> None:
    for x in (cupy.empty((3, 2), order="F"), cupy.empty_like(cupy.zeros(3)), cupy.ndarray(3)):
        assert cupy.isnan(x).all()


def test_pointers_lead_to_the_elements(cupy: Any) -> None:
    x = cupy.arange(6, dtype=cupy.int32).reshape(2, 3)
    assert x[1].data.ptr - x.data.ptr == 12
    same = cupy.ndarray((2,), cupy.int32, x.data + 8)
    same[:] = cupy.array([7, 8], dtype=cupy.int32)
    assert x.get().tolist() == [[0, 1, 7], [8, 4, 5]]
    assert x.__cuda_array_interface__["data"] == (x.data.ptr, False)


def test_the_pool_counts_what_is_used(cupy: Any) -> None:
    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    before = pool.used_bytes()
    x = cupy.zeros(1000, dtype=cupy.float32)
    view = x[3:]
    del x
    assert pool.used_bytes() - before == 4096
    del view
    assert pool.used_bytes() == before
    assert pool.total_bytes() - before == 4096
    pool.set_limit(before + 1024)
    try:
        with pytest.raises(MemoryError, match=r"^Out of memory allocating 8,192 bytes"):
            cupy.zeros(1024)
    finally:
        pool.set_limit(0)
        pool.free_all_blocks()


def test_copies_are_copies(cupy: Any) -> None:
    x = cupy.arange(3)
    for other in (copy.copy(x), copy.deepcopy([x])[0], pickle.loads(pickle.dumps(x)), x.copy()):
        assert isinstance(other, cupy.ndarray)
        other += 1
        assert x.get().tolist() == [0, 1, 2]
    assert repr(x) == "array([0, 1, 2])"
    assert (str(x), f"{x.sum():d}") == ("[0 1 2]", "3")
    with pytest.raises(TypeError, match=r"unhashable"):
        hash(x)


def test_elements_in_order(cupy: Any) -> None:
    x = cupy.arange(4).reshape(2, 2)
    assert [row.tolist() for row in x] == [[0, 1], [2, 3]]
    x.flat[1] = 9
    assert [int(each) for each in x.flat] == [0, 9, 2, 3]
    with pytest.raises(TypeError, match=r"iteration over a 0-d array"):
        iter(x.sum())


def test_duplicates_are_added_up(cupy: Any) -> None:
    import cupyx

    x = cupy.zeros(3)
    cupyx.scatter_add(x, cupy.array([1, 1, 2]), cupy.array([1.0, 2, 4]))
    cupy.add.at(x, cupy.array([0, 0]), 1)
    assert x.get().tolist() == [2, 3, 4]


def test_indices_that_are_taken_wrap_around(cupy: Any) -> None:
    x = cupy.arange(12).reshape(3, 4)
    expected = [[3, 0, 1], [7, 4, 5], [11, 8, 9]]
    for taken in (x.take([-1, 4, 9], axis=1), cupy.take(x, cupy.array([-1, 4, 9]), 1)):
        assert taken.get().tolist() == expected


def test_a_product_goes_into_an_array_of_its_size(cupy: Any) -> None:
    x, out = cupy.arange(4.0), cupy.zeros((1, 1))
    assert cupy.dot(x, x, out=out) is out
    assert out.get().tolist() == [[14]]
    with pytest.raises(ValueError, match="reshape"):
        x.dot(x, cupy.zeros(2))
