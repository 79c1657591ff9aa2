"""curand's generators in kernels, against their definitions and against values of CUDA's own."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gpucnn.simulator import Module

GENERATORS = {"xorwow": ("curandState", 8), "philox": ("curandStatePhilox4_32_10_t", 4)}
"""With how many times 2^64 numbers a sequence has."""

SOURCE = "#include <curand_kernel.h>" + "".join(
    f"""
    extern "C" __global__ void {name}_numbers(
        unsigned long long seed, unsigned long long subsequence, unsigned long long offset,
        unsigned* out, int n)
    {{
        {state} state;
        curand_init(seed, subsequence, offset, &state);
        for (int i = 0; i < n; i++) out[i] = curand(&state);
    }}
    extern "C" __global__ void {name}_skips(unsigned* out)
    {{
        {state} state;
        curand_init(5, 0, 0, &state);
        {state} far = state;
        skipahead(3007ull, &state), out[0] = curand(&state);
        for (int i = 0; i < 3008; i++) out[1] = curand(&far);
        skipahead_sequence(1ull, &state), out[2] = curand(&state);
        for (int i = 0; i < {parts}; i++) skipahead(~0ull, &far);
        skipahead((unsigned long long){parts}, &far), out[3] = curand(&far);
        curand_init(5, 3, 3000, &far), skipahead_sequence(2ull, &state);
        out[4] = curand(&state), skipahead(9ull, &far), out[5] = curand(&far);
        out[6] = sizeof({state});
    }}
    extern "C" __global__ void {name}_distributions(unsigned* u, float* f, double* d)
    {{
        {state} state;
        curand_init(1234, 5, 0, &state);
        {state} same = state;
        for (int i = 0; i < 24; i++) u[i] = curand(&same);
        for (int i = 0; i < 2; i++) f[i] = curand_uniform(&state);
        for (int i = 2; i < 4; i++) f[i] = curand_normal(&state);
        const float2 v = curand_normal2(&state), w = curand_log_normal2(&state, 0.5f, 2);
        f[4] = v.x, f[5] = v.y, f[6] = w.x, f[7] = w.y;
        for (int i = 0; i < 2; i++) d[i] = curand_normal_double(&state);
        for (int i = 2; i < 4; i++) d[i] = curand_log_normal_double(&state, 0.5, 2);
        d[4] = curand_uniform_double(&state);
    }}"""
    for name, (state, parts) in GENERATORS.items()
)
SOURCE += """
extern "C" __global__ void fours(unsigned* u, float* f, double* d)
{
    curandStatePhilox4_32_10_t state;
    curand_init(7, 8, 2, &state);
    const uint4 x = curand4(&state);
    u[0] = x.x, u[1] = x.y, u[2] = x.z, u[3] = x.w;
    const float4 y = curand_uniform4(&state), z = curand_normal4(&state);
    f[0] = y.x, f[1] = y.w, f[2] = z.x, f[3] = z.w;
    const double2 e = curand_uniform2_double(&state);
    d[0] = e.x, d[1] = e.y;
}
"""
WORDS = 2**32 - 1
Numbers = npt.NDArray[np.uint32]


def philox(seed: int, subsequence: int, offset: int, count: int) -> list[int]:
    numbers: list[int] = []
    for block in range(offset // 4, (offset + count + 3) // 4):
        x = [block & WORDS, block >> 32, subsequence & WORDS, subsequence >> 32]
        key = [seed & WORDS, seed >> 32]
        for _ in range(10):
            first, second = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
            x = [second >> 32 ^ x[1] ^ key[0], second, first >> 32 ^ x[3] ^ key[1], first]
            x = [word & WORDS for word in x]
            key = [key[0] + 0x9E3779B9 & WORDS, key[1] + 0xBB67AE85 & WORDS]
        numbers += x
    return numbers[offset % 4 :][:count]


def xorwow(seed: int, count: int) -> list[int]:
    low = 1099087573 * (seed & WORDS ^ 0xAAD26B49)
    high = 2591861531 * (seed >> 32 ^ 0xF7DCEFDD)
    d, numbers = 6615241 + low + high, []
    v = [123456789 + low, 362436069 ^ low, 521288629 + high, 88675123 ^ high, 5783321 + low]
    v = [word & WORDS for word in v]
    for _ in range(count):
        t = v[0] ^ v[0] >> 2
        v = [*v[1:], (v[4] ^ v[4] << 4 ^ t ^ t << 1) & WORDS]
        d += 362437
        numbers.append(v[4] + d & WORDS)
    return numbers


@pytest.fixture(scope="module")
def module() -> Module:
    return Module(SOURCE)


def drawn(module: Module, name: str, *where: int) -> list[int]:
    out = np.zeros(9, np.uint32)
    place = [np.uint64(each) for each in where]
    module.get_function(f"{name}_numbers")((1,), (1,), (*place, out, np.int32(9)))
    return out.tolist()


def test_numbers(module: Module) -> None:
    assert philox(0, 0, 0, 4) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]  # as published
    for where in ((0, 0, 0), (2**63 + 9, 2**40 + 3, 2**35 + 3), (1, 2**64 - 1, 6)):
        assert drawn(module, "philox", *where) == philox(*where, 9)
    for seed in (0, 1234, 2**63 + 99):
        assert drawn(module, "xorwow", seed, 0, 0) == xorwow(seed, 9)
    # By CUDA's own header, compiled for the host.
    numbers = [3351265907, 3629609298, 415430802, 1173093345, 689711927, 2227153417, 541427521]
    assert drawn(module, "xorwow", 1234, 5, 7)[:7] == numbers


@pytest.mark.parametrize(("name", "size"), [("xorwow", 48), ("philox", 64)])
def test_skips(module: Module, name: str, size: int) -> None:
    out = np.zeros(7, np.uint32)
    module.get_function(f"{name}_skips")((1,), (1,), (out,))
    assert out[0] == out[1]
    assert out[2] == out[3]
    assert out[4] == out[5]
    assert out[6] == size


def uniform(x: Numbers) -> Any:
    return x * 2.0**-32 + 2.0**-33


def of_two(x: Numbers, y: Numbers) -> Any:
    return (x.astype(np.uint64) ^ y.astype(np.uint64) << np.uint64(21)) * 2.0**-53 + 2.0**-54


def box_muller(first: Any, second: Any) -> Any:
    angle = 2 * np.pi * second
    return np.sqrt(-2 * np.log(first)) * np.array([np.sin(angle), np.cos(angle)])


@pytest.mark.parametrize("name", ["xorwow", "philox"])
def test_distributions(module: Module, name: str) -> None:
    u, f, d = np.zeros(24, np.uint32), np.zeros(8, np.float32), np.zeros(5)
    module.get_function(f"{name}_distributions")((1,), (1,), (u, f, d))
    normal = [box_muller(uniform(u[i]), uniform(u[i + 1])) for i in (2, 4, 6)]
    floats = np.concatenate([uniform(u[:2]), normal[0], normal[1], np.exp(0.5 + 2 * normal[2])])
    # The angle is rounded to float, whose error is as large as that of 2 pi.
    np.testing.assert_allclose(f, floats, rtol=2e-6, atol=2e-6)
    wide = [box_muller(of_two(*u[i : i + 2]), of_two(*u[i + 2 : i + 4])) for i in (8, 12)]
    last = of_two(u[16], u[17]) if name == "xorwow" else u[16] * 2.0**-32 + 2.0**-32
    doubles = np.array([*wide[0], *np.exp(0.5 + 2 * wide[1]), last])
    np.testing.assert_allclose(d, doubles, rtol=1e-14)


def test_four_at_once(module: Module) -> None:
    u, f, d = np.zeros(4, np.uint32), np.zeros(4, np.float32), np.zeros(2)
    module.get_function("fours")((1,), (1,), (u, f, d))
    x = np.array(philox(7, 8, 2, 16), np.uint32)
    assert u.tolist() == x[:4].tolist()
    normal = [box_muller(uniform(x[i]), uniform(x[i + 1]))[k] for i, k in ((8, 0), (10, 1))]
    np.testing.assert_allclose(f, [uniform(x[4]), uniform(x[7]), *normal], rtol=2e-6)
    np.testing.assert_allclose(d, [of_two(x[12], x[13]), of_two(x[14], x[15])], rtol=1e-16)


def test_states_in_memory(module: Module) -> None:
    source = """
    #include <curand_kernel.h>
    extern "C" __global__ void begin(curandState* states)
    {
        curand_init(9, threadIdx.x, 0, &states[threadIdx.x]);
    }
    extern "C" __global__ void draw(curandState* states, unsigned* out)
    {
        out[threadIdx.x] = curand(&states[threadIdx.x]);
    }
    """
    states, out = np.zeros(32 * 48, np.uint8).view("V48"), np.zeros(32, np.uint32)
    states_module = Module(source)
    states_module.get_function("begin")((1,), (32,), (states,))
    states_module.get_function("draw")((1,), (32,), (states, out))
    assert out.tolist() == [drawn(module, "xorwow", 9, i, 0)[0] for i in range(32)]
    assert len(set(out.tolist())) == 32
