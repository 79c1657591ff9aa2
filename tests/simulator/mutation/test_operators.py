"""What the operators make of a line, and what they leave alone."""

import pytest

from gpucnn.simulator.mutation.operators import OPERATORS, changes

HEAD = "__global__ void kernel(float* x, const int* y, int n)\n{\n"


def mutants(line: str) -> dict[str, set[str]]:
    """What becomes of a line of a kernel, by operator."""
    text = f"{HEAD}{line}\n}}\n"
    found: dict[str, set[str]] = {}
    for each in changes(text):
        changed = text[: each.begin] + each.new + text[each.end :]
        found.setdefault(each.operator, set()).add(changed[len(HEAD) :].removesuffix("\n}\n"))
    return found


@pytest.mark.parametrize(
    ("operator", "line", "expected"),
    [
        ("comparison", "a = i<n;", {"a = i<=n;"}),
        ("comparison", "a = i == n;", {"a = i != n;"}),
        ("guard", "if (i < n) a = 1;", {"if (true) a = 1;"}),
        ("guard", "if (i >= n) return;", {"if (false) return;"}),
        ("guard", "if (f(i)) { continue; }", {"if (false) { continue; }"}),
        ("logic", "a = p && q;", {"a = p || q;"}),
        ("logic", "bool a = true;", {"bool a = false;"}),
        ("index", "x[i] = y[i + n];", {"x[i + 1] = y[i + n];", "x[i] = y[i + n + 1];"}),
        ("index", "x[a ? i : n] = 0;", {"x[(a ? i : n) + 1] = 0;"}),
        ("axis", "a = threadIdx.x;", {"a = threadIdx.y;"}),
        ("axis", "a = blockDim.z;", {"a = blockDim.x;"}),
        ("geometry", "a = blockDim.x;", {"a = gridDim.x;"}),
        ("stride", "for (int i = 0; i < n; i++) f(i);", {"for (int i = 0; i < n; i += 2) f(i);"}),
        ("stride", "for (; i < n; i += s + 1) f(i);", {"for (; i < n; i += 2 * (s + 1)) f(i);"}),
        ("barrier", "__syncthreads();", {"(void)0;"}),
        ("barrier", "cg::this_thread_block().sync();", {"(void)0;"}),
        ("barrier", "if (__syncthreads_or(a)) f();", {"if (!!(a)) f();"}),
        ("atomic", "atomicAdd(&x[i], v);", {"*(&x[i]) += v;"}),
        ("atomic", "a = atomicAdd(x, v);", {"a = ((*(x) += v) - (v));"}),
        ("atomic", "atomicMax(x, f(a, b));", {"*(x) = max(*(x), f(a, b));"}),
        (
            "shuffle",
            "a = __shfl_down_sync(ALL, v, d);",
            {
                "a = __shfl_up_sync(ALL, v, d);",
                "a = __shfl_down_sync(ALL >> 1, v, d);",
                "a = __shfl_down_sync(ALL, v, d + 1);",
            },
        ),
        ("shuffle", "a = __any_sync(0xffffffff, p);", {"a = __all_sync(0xffffffff, p);"}),
        ("constant", "a = 0xffffffff;", {"a = 0x7fffffff;"}),
        ("constant", "a = 0x1Fu;", {"a = 0x20u;"}),
        ("constant", "a = 31;", {"a = 32;"}),
        ("constant", "a = .5f;", {"a = 1.5f;"}),
        ("type", "a = (size_t)i;", {"a = (unsigned)i;"}),
        ("type", "const unsigned long long a = i;", {"const unsigned a = i;"}),
        ("type", "double sum;", {"float sum;"}),
        ("arithmetic", "a = b * c;", {"a = b / c;"}),
        ("arithmetic", "a += b;", {"a -= b;"}),
        ("arithmetic", "a = min(b, c);", {"a = max(b, c);"}),
        ("arithmetic", "a = i++;", {"a = i--;"}),
        ("order", "a = (b + c) * d;", {"a = b + c * d;"}),
        ("order", "a = b / c * f(d, e)[1];", {"a = b / (c * f(d, e)[1]);"}),
        ("order", "a = b - c + d * e;", {"a = b - (c + d * e);"}),
    ],
)
def test_operator(operator: str, line: str, expected: set[str]) -> None:
    assert mutants(line)[operator] == expected


@pytest.mark.parametrize(
    ("operator", "line"),
    [
        ("comparison", "a = convert<int>(b);"),
        ("comparison", "std::array<float, N> a;"),
        ("arithmetic", "const float* a = x;"),
        ("arithmetic", "a = (const float4*)x;"),
        ("arithmetic", "f(-b, &c, *d);"),
        ("arithmetic", "for (int i = n; i > 0; i--) f(i);"),
        ("index", "__shared__ float a[N][N + 1], b[N];"),
        ("constant", "float a[16];"),
        ("constant", "a = sizeof(float[4]);"),
        ("constant", "// 1 more"),
        ("constant", "f(\"1\", L'1');"),
        ("constant", "#define ONE \\\n 1"),
        ("type", "const double* a = b;"),
        ("order", "a = (float)(b) * c;"),
        ("order", "a = b - c * d;"),
        ("order", "a = b * c * d;"),
    ],
)
def test_what_an_operator_leaves_alone(operator: str, line: str) -> None:
    assert operator not in mutants(line)


def test_a_value_in_a_declaration_is_no_size() -> None:
    assert mutants("const int a = n * y[i];")["index"] == {"const int a = n * y[i + 1];"}


def test_every_operator_has_an_effect_of_its_own() -> None:
    every = "if (a < b && c) { x[i] = threadIdx.x; __syncthreads(); atomicAdd(x, 1); }"
    every += "for (int i = 0; i < blockDim.x; i++) a = __shfl_sync(m, (a + b) * c, (size_t)i);"
    assert mutants(every).keys() == OPERATORS.keys()


@pytest.mark.parametrize(
    "text",
    [
        "int host(int n) { return n + 1; }",
        "__constant__ int sizes[2] = {1, 2};",
        "struct Pair { int a, b = 1; };",
        'extern "C" __global__ void f(int n = 1);',
        "__device__",
        "__global__ void f() { x[1 + 2",
        "__global__ void f() } ) ] {",
        "",
    ],
)
def test_what_is_not_device_code_has_none(text: str) -> None:
    assert list(changes(text)) == []


def test_members_of_a_struct_have_some() -> None:
    text = "struct S { int n = 1; __device__ int next() const { return n + 1; } };"
    assert {each.begin for each in changes(text)} == {text.index("+ 1"), text.rindex("1")}


def test_digits_may_be_separated() -> None:
    assert mutants("a = 1'000;")["constant"] == {"a = 1001;"}
