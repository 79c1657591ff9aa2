"""Conversions and shifts of which C++ leaves open what they give, and a device does not."""

from typing import Any

import numpy as np
import pytest

from gpucnn.backends.cuda.machine_code.nvrtc import compile_kernels
from gpucnn.simulator import LaunchError, Module

STATEMENTS = {
    "to_int": "out[0] = (int)x[0];",
    "to_int_from_double": "int whole = y[0]; out[0] = whole;",
    "to_unsigned": "out[0] = static_cast<unsigned>(x[0]);",
    "to_byte": "out[0] = (unsigned char)x[0];",
    "to_short": "out[0] = (short)x[0];",
    "to_long": "out[0] = (long long)y[0];",
    "to_unsigned_long": "out[0] = (long long)(unsigned long long)y[0];",
    "left": "out[0] = 1u << n;",
    "right": "out[0] = -8 >> n;",
    "left_of_0": "out[0] = (unsigned)(n - n) << n;",
    "left_of_long": "out[0] = 1ll << n;",
}
SOURCE = "".join(
    f"""
    extern "C" __global__ void {name}(const float* x, const double* y, int n, long long* out)
    {{
        {statement}
    }}"""
    for name, statement in STATEMENTS.items()
)


def run(compiler: str, patch: pytest.MonkeyPatch, name: str, x: float, n: int) -> Any:
    patch.setenv("CXX", compiler)
    out = np.zeros(1, np.int64)
    arguments = (np.array([x], np.float32), np.array([x], np.float64), np.int32(n), out)
    Module(SOURCE).get_function(name)((1,), (1,), arguments)
    return out[0]


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize(
    ("name", "x", "n", "expected"),
    [
        ("to_int", 2147483520, 0, 2147483520),
        ("to_int", -1e20, 0, -(2**31)),
        ("to_int_from_double", -3e9, 0, -(2**31)),
        ("to_unsigned", -0.9, 0, 0),
        ("to_unsigned", 4294967040, 0, 4294967040),
        ("to_byte", 300.5, 0, 44),  # by an integer of 32 bits, on a device as here
        ("to_short", 40000, 0, 40000 - 65536),
        ("to_long", -1e30, 0, -(2**63)),
        ("to_unsigned_long", 1.5e19, 0, 15 * 10**18 - 2**64),
        ("left", 0, 31, 2**31),
        ("left_of_0", 0, 40, 0),
        ("left_of_long", 0, 63, -(2**63)),
    ],
)
def test_what_is_the_same_on_a_device(
    name: str, x: float, n: int, expected: int, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(compiler, monkeypatch, name, x, n) == expected


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize(
    ("name", "x", "n", "message"),
    [
        ("to_int", 1e20, 0, r"converts 1e\+20 to 'int' at source.cu:4, which does not hold it"),
        ("to_int", np.nan, 0, "converts nan to 'int'"),
        ("to_int_from_double", 3e9, 0, r"converts 3e\+09 to 'int'"),
        ("to_unsigned", -1, 0, "converts -1 to 'unsigned int'"),
        ("to_unsigned", 5e9, 0, r"converts 5e\+09 to 'unsigned int'"),
        ("to_byte", -2, 0, "converts -2 to 'unsigned char'"),
        ("to_long", 1e30, 0, r"converts 1e\+30 to 'long long"),
        ("to_unsigned_long", -1, 0, "converts -1 to "),
        (
            "left",
            0,
            32,
            "shifts 'unsigned int' by 32 bits at .*, which has 32: a device shifts all",
        ),
        ("right", 0, 33, "shifts 'int' by 33 bits"),
        ("left", 0, -1, "shifts 'unsigned int' by -1 bits"),
        ("left_of_long", 0, 64, "shifts 'long long.* by 64 bits at .*, which has 64"),
    ],
)
def test_what_differs_is_an_error(
    name: str,
    x: float,
    n: int,
    message: str,
    compiler: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(LaunchError, match=message):
        run(compiler, monkeypatch, name, x, n)


def test_nvrtc_accepts_the_source() -> None:
    assert len(compile_kernels(SOURCE, (), "sm_90").resources) == len(STATEMENTS)
