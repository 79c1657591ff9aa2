from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpucnn.errors import InvalidFileError
from gpucnn.simulator.mutation.code import without_comments
from gpucnn.simulator.mutation.mutants import mutants_of, parts_of
from gpucnn.simulator.mutation.operators import changes

KERNEL = """#include "a.h"
// x[i] + 1
extern "C" __global__ void f(int* x)
{
    x[0] = __shfl_sync(0xffffffff,
                       x[0], 3);  // mutant: nothing, it is for show
}
#include "b.h"
__device__ int g() { return 2; }
"""


def test_a_file_is_split_where_others_are_included(tmp_path: Path) -> None:
    file = tmp_path / "a.cu"
    file.write_text(KERNEL)
    first, second = parts_of(file)
    assert (first.line, second.line) == (1, 8)
    assert first.text in KERNEL
    assert "#include" not in first.text + second.text
    assert [each.place for each in mutants_of(second)] == [f"{file}:9"]


def test_a_mutant_knows_its_line(tmp_path: Path) -> None:
    file = tmp_path / "a.cu"
    file.write_text(KERNEL)
    by_old = {each.old: each for each in mutants_of(parts_of(file)[0])}
    assert by_old["0xffffffff"].line == 5
    assert by_old["0xffffffff"].accepted is None
    assert by_old["3"].line == 6
    assert by_old["3"].accepted == "nothing, it is for show"
    assert by_old["3"].lines == (
        ["x[0], 3);  // mutant: nothing, it is for show"],
        ["x[0], 4);  // mutant: nothing, it is for show"],
    )


def test_a_comment_above_a_line_accepts_its_mutants(tmp_path: Path) -> None:
    file = tmp_path / "a.cu"
    file.write_text("__device__ int f()\n{\n    // mutant: so\n    g(1);  // else\n    g(2);\n}\n")
    accepted = {each.old: each.accepted for each in mutants_of(parts_of(file)[0])}
    assert accepted == {"1": "so", "2": None}


def test_lines_behind_a_mutant_keep_their_numbers(tmp_path: Path) -> None:
    file = tmp_path / "a.cu"
    file.write_text("__global__ void f()\n{\n    __syncwarp(\n        MASK);\n    g(1);\n}\n")
    (part,) = parts_of(file)
    barrier, _ = mutants_of(part)
    assert barrier.text.splitlines()[4] == "    g(1);"
    assert barrier.lines == (["__syncwarp(", "MASK);"], ["(void)0", ";"])


def test_strings_of_python_are_sources(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(f'"""Docs."""\nSOURCE = """{KERNEL}"""\n')
    first, second = parts_of(file)
    assert (first.line, second.line) == (2, 9)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.cu", None, "No such file"),
        ("host.cu", b"int main() { return 1; }", "has no body of a __global__"),
        ("bytes.cu", b"\xff\xfe", "is not text in UTF-8"),
        ("wrong.py", b"def", "is not Python"),
        ("none.py", b"x = 'print'", "has no body"),
    ],
)
def test_a_file_without_mutants_is_refused(
    name: str, content: bytes | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidFileError, match=message):
        parts_of(tmp_path / name)


def test_comments_are_left_out() -> None:
    assert without_comments("#if A // b\nint a; /* c */\n") == "#if A // b int a ;"
    assert without_comments("int a;") == without_comments("int  a; // 1\n")


PIECES = """if for ( ) [ ] { } < > ; , . -> :: + - * / = += x y 1 2.5f "s" ' \\ # // int const
return threadIdx __shfl_sync atomicAdd __syncthreads long size_t __global__ sizeof"""


@given(st.lists(st.sampled_from([*PIECES.split(), "\n"]), max_size=40).map(" ".join), st.booleans())
def test_any_text_has_its_mutants(text: str, is_body: bool) -> None:
    text = f"__global__ void f() {{ {text} }}" if is_body else text
    for change in changes(text):
        assert text[change.begin : change.end] != change.new
