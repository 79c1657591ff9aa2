from typing import Any

import numpy as np
import pytest

from gpucnn.simulator import Module, SimulatorError
from simulator.sources import kernel

READ_ONLY = np.zeros(4)
READ_ONLY.setflags(write=False)

GOOD: list[Any] = [
    np.zeros(4, np.float32),
    np.zeros(4),
    np.zeros(4, np.float32),
    np.int32(1),
    np.uint64(1),
    np.int64(1),
    np.float64(1),
    np.True_,
]


def launch(*arguments: Any) -> None:
    kernel("language", "parameters")((1,), (1,), arguments)


def given(i: int, argument: Any) -> list[Any]:
    return [*GOOD[:i], argument, *GOOD[i + 1 :]]


def frozen(array: Any) -> Any:
    array.setflags(write=False)
    return array


@pytest.mark.parametrize(
    ("i", "argument"),
    [
        (0, None),
        (0, np.zeros((2, 3), np.float32)),
        (0, np.zeros((), np.float32)),
        (0, np.zeros(0, np.float32)),
        (0, frozen(np.zeros(4, np.float32))),
        (1, np.zeros(4)),
        (1, None),
        (4, 2**64 - 1),
        (5, -(2**63)),
        (6, 0.1),
        (7, True),
    ],
)
def test_argument_that_matches(i: int, argument: Any) -> None:
    launch(*given(i, argument))


@pytest.mark.parametrize(
    ("i", "argument", "what", "parameter", "remedy"),
    [
        (0, np.zeros(4), "an array of float64", "const float*", "one of float32"),
        (0, np.zeros(4, ">f4"), "an array of >f4", "const float*", "one of float32"),
        (0, np.float32(1), "float32", "const float*", "an array, or None for null"),
        (1, READ_ONLY, "read-only", "double*", "an array that may be written"),
        (3, np.int64(1), "int64", "int", "a NumPy scalar of int32"),
        (3, 1, "1, a Python int", "int", "a NumPy scalar of int32"),
        (3, np.zeros(1, np.int32), "an array", "int", "a NumPy scalar of int32"),
        (3, None, "None", "int", "a NumPy scalar of int32"),
        (3, "1", "'1', a Python str", "int", "a NumPy scalar of int32"),
        (4, -1, "-1, a Python int", "unsigned long long", "a NumPy scalar of uint64"),
        (5, 2**63, f"{2**63}, a Python int", "long long", "a NumPy scalar of int64"),
        (6, 1, "1, a Python int", "double", "a NumPy scalar of float64"),
        (6, np.float32(1), "float32", "double", "a NumPy scalar of float64"),
        (7, 1, "1, a Python int", "bool", "a NumPy scalar of bool"),
    ],
)
def test_argument_that_does_not(
    i: int, argument: Any, what: str, parameter: str, remedy: str
) -> None:
    with pytest.raises(SimulatorError) as caught:
        launch(*given(i, argument))
    assert str(caught.value) == (
        f"argument {i} of parameters is {what}, and its parameter {parameter}: give {remedy}"
    )


def test_array_in_another_order() -> None:
    with pytest.raises(SimulatorError) as caught:
        launch(*given(0, np.zeros((4, 4), np.float32).T))
    assert str(caught.value) == (
        "argument 0 of parameters is not C-contiguous: give np.ascontiguousarray of it"
    )


def test_array_that_is_not_aligned() -> None:
    with pytest.raises(SimulatorError) as caught:
        launch(*given(2, np.zeros(5, np.float32)[1:]))
    assert str(caught.value) == (
        "argument 2 of parameters begins at no multiple of 16 bytes, and its parameter "
        "const float4*: give an array that does"
    )


@pytest.mark.parametrize("arguments", [GOOD[:-1], [*GOOD, 1]])
def test_number_of_arguments(arguments: list[Any]) -> None:
    with pytest.raises(SimulatorError) as caught:
        launch(*arguments)
    assert str(caught.value) == (
        f"parameters is given {len(arguments)} arguments and takes 8: give one for each parameter "
        "(const float*, double*, const float4*, int, unsigned long long, long long, double, bool)"
    )


def test_structure_of_another_size() -> None:
    pair = np.zeros(1, np.dtype([("first", np.int32), ("second", np.float64)]))
    with pytest.raises(SimulatorError, match="its parameter struct: give a NumPy scalar of struct"):
        kernel("language", "values")((1,), (1,), (pair[0], np.True_, np.uint8(1), None, None, None))


def test_enumerations_pointers_to_pointers_volatile_and_pairs() -> None:
    source = """
    enum Choice { FIRST, SECOND };
    enum class Small : signed char { LOW = -1 };
    extern "C" __global__ void mixed(
        Choice choice, Small small, float** rows, volatile int* flag, const volatile int* read,
        const float2* pairs, Small* smalls)
    {
        rows[1][choice] = pairs[1].y;
        *flag = *read + (int)small + (int)smalls[0];
    }
    """
    rows = [np.zeros(2, np.float32) for _ in range(2)]
    addresses = np.array([row.ctypes.data for row in rows], np.uint64)
    flag, read = np.zeros(1, np.int32), np.array([10], np.int32)
    pairs = np.array([1 + 2j, 3 + 4j], np.complex64)
    mixed = Module(source).get_function("mixed")
    smalls = np.array([5], np.int8)
    values = (np.uint32(1), np.int8(-1), addresses, flag, read, pairs, smalls)
    mixed((1,), (1,), values)
    assert rows[1].tolist() == [0, 4]
    assert flag == 14
    with pytest.raises(SimulatorError, match="its parameter enum: give a NumPy scalar of uint32"):
        mixed((1,), (1,), (np.int64(1), *values[1:]))
    with pytest.raises(SimulatorError, match=r"its parameter const float2\*: give one of float32"):
        mixed((1,), (1,), (*values[:5], pairs.astype(np.complex128), smalls))
