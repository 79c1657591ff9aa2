"""How much of the CUDA that people write the simulator runs: run by hand, on fetched repositories.

    python tests/corpora/cuda_by_hand.py FOLDER [--every N] [--show REASON]

FOLDER has the git directories of `REPOSITORIES`, as OWNER+NAME/repo; the others are named. The
device code of each .cu file, and of each string with a kernel in a Python file, is given to NVRTC,
which decides what is CUDA (it needs nvidia-cuda-runtime and nvidia-cuda-cccl beside `test`,
for CUDA's own headers), and what NVRTC accepts to the simulator. It prints how many files compile,
how many kernels can be launched, and why the others do not, the most frequent reason first. None of
the code is kept.
"""

import argparse
import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gpucnn.backends.cuda.machine_code.nvrtc import CompilationError, compile_kernels
from gpucnn.simulator import Module, SimulatorError
from gpucnn.simulator.declarations import bare_text, function_bodies

REPOSITORIES = {
    "NVIDIA/cuda-samples": "c94ff366aed18c797b8a85dfaac7817b0228b420",
    "karpathy/llm.c": "f1e2ace651495b74ae22d45d1723443fd00ecd3a",
    "explosion/thinc": "20eec35566997d5272d083be1f1a0ec9006934ff",
    "cupy/cupy": "6b6d9563c4f7410cd1866a11b2f71a60dd45a68c",
    "siboehm/SGEMM_CUDA": "60cba6f9b20a198116c76f18de8047f44df8c8b8",
    "yuhc/gpu-rodinia": "9c10d3ea16ddba2ba057cc3951a9efc4c2cc18a4",
    "R100001/Programming-Massively-Parallel-Processors": "a972fb50d5d8695844ab3d5621e3ec54c2388367",
    "olcf/cuda-training-series": "9cd77d539d85ee3457e09a083ba299b787b7a16e",
    "NVIDIA-developer-blog/code-samples": "72d62ec464442786a36754508bcb1094d197d6a5",
    "pjreddie/darknet": "f6afaabcdf85f77e7aff2ec55c020c0e297c77f9",
    "BVLC/caffe": "9b891540183ddc834a02b2bd81b31afae71b2153",
    "inducer/pycuda": "19bed9035edb9990b2928e297125d8e9d470130b",
}

CUDA_HEADERS = re.compile(
    r"cuda_(fp16|bf16|pipeline)|cooperative_groups|cuComplex|math_constants|mma\.h|cuda/|cupy/"
    r"|curand_kernel"
)
PRELUDE = """\
#include <cuda/std/cstdint>
using namespace cuda::std;
typedef unsigned char uchar; typedef unsigned short ushort;
typedef unsigned int uint; typedef unsigned long ulong;
#define NULL 0
#define INT_MAX 2147483647
#define INT_MIN (-INT_MAX - 1)
#define UINT_MAX 4294967295u
#define FLT_MAX 3.402823466e+38f
#define FLT_MIN 1.175494351e-38f
#define FLT_EPSILON 1.192092896e-07f
#define DBL_MAX 1.7976931348623157e+308
#define INFINITY __int_as_float(0x7f800000)
#define M_PI 3.14159265358979323846
"""
"""What a host's headers define and device code uses."""

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"].*$', re.MULTILINE)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*$", re.MULTILINE)
_HOST = re.compile(r"std::|pthread_t|cublas|FILE\s*\*|cudaError_t")
_DEVICE = re.compile(r"__global__|__device__|\bconstexpr\b|\boperator\b")
_LAUNCH = re.compile(r"((?:\w+::)*\w+\s*<[^<>;(){}]*>)\s*<<<")


@dataclass(frozen=True)
class Text:
    """The device code of a file, or of a string in one."""

    name: str
    code: str
    expressions: tuple[str, ...]  # the templates that its host code launches


class Repository:
    """The files of a commit."""

    def __init__(self, folder: Path, commit: str) -> None:
        self._git = ["git", "-C", str(folder)]
        self._commit = commit
        listing = self._run("ls-tree", "-r", "--name-only", commit)
        self.files = frozenset(listing.splitlines())

    def read(self, path: str) -> str:
        """The text of a file."""
        return self._run("show", f"{self._commit}:{path}")

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([*self._git, *arguments], capture_output=True, check=True)
        return done.stdout.decode(errors="replace").replace("\r\n", "\n")

    def texts(self) -> Iterator[Text]:
        """The device code of all files."""
        for path in sorted(self.files):
            if path.endswith(".cu"):
                code = self._flat(path, set())
                found = {" ".join(each.split()) for each in _LAUNCH.findall(code)}
                yield Text(path, device_code(code), tuple(sorted(found)))
            elif path.endswith(".py"):
                for line, code in kernel_strings(self.read(path)):
                    yield Text(f"{path}:{line}", code, ())

    def _flat(self, path: str, seen: set[str]) -> str:
        """A file with its own headers in place, each once, and without those of host libraries."""

        def put(found: re.Match[str]) -> str:
            if CUDA_HEADERS.match(found[2]):
                return f"#include <{found[2]}>"
            header = self._find(path, found[2])
            if header is None or header in seen or _HOST.search(self.read(header)):
                return ""
            seen.add(header)
            return self._flat(header, seen)

        return _INCLUDE.sub(put, self.read(path))

    def _find(self, path: str, header: str) -> str | None:
        """A header by its path from the file that includes it, or else by the end of its path."""
        near = str(PurePosixPath(path).parent / header)
        parts: list[str] = []
        for part in near.split("/"):
            parts = parts[:-1] if part == ".." and parts else [*parts, part]
        near = "/".join(part for part in parts if part != ".")
        if near in self.files:
            return near
        return min((each for each in self.files if each.endswith(f"/{header}")), default=None)


def device_code(code: str) -> str:
    """A file without its host functions and comments, with all its directives."""
    comment = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
    code = comment.sub(lambda found: "\n" * found[0].count("\n"), code)
    bare = bare_text(code)
    pieces, end = [PRELUDE], 0
    for body in function_bodies(bare):
        begin = 1 + max(bare.rfind(mark, 0, body.start) for mark in ";{}")
        if begin < end or _DEVICE.search(bare, begin, body.start):
            continue
        directives = _DIRECTIVE.findall(code, begin, body.stop)
        pieces += [code[end:begin], *(f"\n{each}\n" for each in directives)]
        end = body.stop
    return "".join([*pieces, code[end:]])


def kernel_strings(source: str) -> Iterator[tuple[int, str]]:
    """The strings of a Python file that define kernels, with their lines."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    for node in constants:
        if isinstance(node.value, str) and re.search(r"__global__[^;]*\{", node.value):
            yield node.lineno, node.value


def accepted(text: Text) -> str:
    """What NVRTC says against it; nothing if it accepts it."""
    import nvidia.cu13

    include = Path(next(iter(nvidia.cu13.__path__))) / "include"
    options = ("--std=c++17", f"-I{include}", f"-I{include}/cccl")
    try:
        compile_kernels(text.code, options, "compute_90")
    except CompilationError as error:
        return str(error)
    return ""


def templates(code: str) -> list[str]:
    """The kernels of a source that are templates of one type."""
    parameter = r"template\s*<\s*(?:typename|class)\s+\w+\s*>"
    return re.findall(parameter + r"[^;{}()]*__global__[^;{}()]*?\b(\w+)\s*\(", code)


def launchable(text: Text) -> tuple[int, int, str]:
    """How many kernels can be launched of how many, and why not the others."""
    defined = re.findall(r"__global__[^;{}]*?\b(\w+)\s*\([^;{}]*\)\s*\{", bare_text(text.code))
    total = max(1, len(defined))
    guesses = tuple(f"{name}<float>" for name in templates(text.code))
    for expressions in dict.fromkeys((text.expressions or guesses, guesses, ())):
        try:
            module = Module(text.code, ("-std=c++17",), name_expressions=expressions)
        except SimulatorError as error:
            reason = str(error)
            continue
        names = list(module._library.listing.kernels)
        found = [name for name in defined if any(name in each for each in names)]
        return len(found), total, "" if len(found) == total else "a template that nobody launches"
    return 0, total, reason


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take one of so many files")
    parser.add_argument("--only", default="", help="repositories whose name contains this")
    options = parser.parse_args()
    reasons: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for name, commit in REPOSITORIES.items():
        folder = options.folder / name.replace("/", "+") / "repo"
        if options.only not in name:
            continue
        if not folder.is_dir():
            print(f"{name}: not there", flush=True)
            continue
        counts: Counter[str] = Counter()
        for number, text in enumerate(Repository(folder, commit).texts()):
            if number % options.every or "__global__" not in text.code:
                continue
            counts["files"] += 1
            if refused := accepted(text):
                refusals[re.sub(r".*line \d+: ", "", refused)[:100]] += 1
                continue
            counts["accepted"] += 1
            found, total, reason = launchable(text)
            counts["compiled"] += found > 0
            counts["kernels"] += total
            counts["launchable"] += found
            if reason:
                short = re.sub(r"^[^ ]*:\d+: |: correct the source, or its options$", "", reason)
                reasons[short] += total - found
                print(f"  {name}/{text.name}: {reason[:200]}", flush=True)
        print(name, dict(counts), flush=True)
        sums.update(counts)
    print("all", dict(sums))
    for title, table in (("refused by NVRTC", refusals), ("not launchable", reasons)):
        print(f"\n{title}")
        for reason, count in table.most_common(60):
            print(f"{count:5} {reason}")


if __name__ == "__main__":
    main()
