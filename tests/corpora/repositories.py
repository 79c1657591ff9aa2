"""The repositories of the corpora, and the texts in them that define kernels."""

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

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
    "rapidsai/cusignal": "136453a3c8ef381f502a1edd51ca741f6c159f4a",
}

_CUDA_HEADERS = re.compile(
    r"cuda_(fp16|fp8|bf16|pipeline)|cooperative_groups|cuComplex|math_constants|mma\.h|cuda/"
    r"|cupy/|curand_kernel|curand_philox|cub/"
)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"].*$', re.MULTILINE)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*$", re.MULTILINE)
_DEVICE = re.compile(r"__global__|__device__|\bconstexpr\b|\boperator\b")
_LAUNCH = re.compile(r"((?:\w+::)*\w+\s*<[^<>;(){}]*>)\s*<<<")


@dataclass(frozen=True)
class Text:
    """The device code of a file, or of a string in one."""

    name: str
    code: str
    launched: tuple[str, ...]
    """The templates that its host code launches."""


def git_folder(fetched: Path, name: str) -> Path:
    """The git directory of a repository, among those that were fetched."""
    return fetched / name.replace("/", "+") / "repo"


class Repository:
    """The files of one of `REPOSITORIES`, by its name, at its commit."""

    def __init__(self, fetched: Path, name: str) -> None:
        self._git = ["git", "-C", str(git_folder(fetched, name))]
        self._commit = REPOSITORIES[name]
        listing = self._run("ls-tree", "-r", "--name-only", self._commit)
        self.files = frozenset(listing.splitlines())

    def read(self, path: str) -> str:
        """The text of a file."""
        return self._run("show", f"{self._commit}:{path}")

    def write(self, under: str, folder: Path) -> None:
        """Write the files under a folder of it to another."""
        for path in self.files:
            if path.startswith(f"{under}/"):
                file = folder / path.removeprefix(f"{under}/")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(self.read(path))

    def texts(self) -> Iterator[Text]:
        """The device code of all files that define kernels."""
        for path in sorted(self.files):
            for text in self._texts_of(path):
                if re.search(r"__global__[^;]*\{", text.code):
                    yield text

    def _texts_of(self, path: str) -> Iterator[Text]:
        if path.endswith(".cu"):
            code = self._flat(path, self.read(path), set())
            launched = {" ".join(each.split()) for each in _LAUNCH.findall(code)}
            yield Text(path, _without_host_functions(code), tuple(sorted(launched)))
        elif path.endswith(".py"):
            for line, string in _kernel_strings(self.read(path)):
                yield Text(f"{path}:{line}", self._flat(path, string, set()), ())

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([*self._git, *arguments], capture_output=True, check=True)
        return done.stdout.decode(errors="replace").replace("\r\n", "\n")

    def _flat(self, path: str, code: str, seen: set[str]) -> str:
        """A file with its repository's headers in place, each once, and without those of others."""

        def put(found: re.Match[str]) -> str:
            if _CUDA_HEADERS.match(found[2]):
                return f"#include <{found[2]}>"
            is_of_the_system = found[1] == "<" and Path("/usr/include", found[2]).exists()
            header = None if is_of_the_system else self._find(path, found[2])
            if header is None or header in seen:
                return ""
            seen.add(header)
            return self._flat(header, self.read(header), seen)

        return _INCLUDE.sub(put, code)

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


def _without_host_functions(code: str) -> str:
    """A file without the bodies of host functions and comments, with all its directives."""
    code = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), code)
    bare = bare_code(code)
    pieces, end = [], 0
    for body in function_bodies(bare):
        begin = 1 + max(bare.rfind(mark, 0, body.start) for mark in ";{}")
        if begin < end or _DEVICE.search(bare, begin, body.start):
            continue
        pieces += [code[end:begin], directives(code, begin, body.stop)]
        end = body.stop
    return "".join([*pieces, code[end:]])


def bare_code(code: str) -> str:
    """A text that was not preprocessed, with spaces for literals and for directives."""
    return bare_text(_DIRECTIVE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), code))


def directives(code: str, begin: int, end: int) -> str:
    """The directives of the preprocessor in a piece of code, alone on its lines."""
    kept = [" "] * (end - begin)
    for position in range(begin, end):
        if code[position] == "\n":
            kept[position - begin] = "\n"
    for found in _DIRECTIVE.finditer(code, begin, end):
        kept[found.start() - begin : found.end() - begin] = found[0]
    return "".join(kept)


def _kernel_strings(source: str) -> Iterator[tuple[int, str]]:
    """The strings of a Python file that define kernels, with their lines."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    for node in constants:
        if isinstance(node.value, str) and re.search(r"__global__[^;]*\{", node.value):
            yield node.lineno, node.value
