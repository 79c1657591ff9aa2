"""Kernels of the corpora held to their definitions in NumPy: run by hand, as cuda_by_hand.py.

    PYTHONPATH=tests python -m corpora.references FOLDER

Their numbers are few multiples of 1/8, so that sums and products are exact in any order. Only what
divides or calls functions rounds: `ULPS` bounds that, for sums of `N` terms and a few functions of
2 units in the last place, of the largest number.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corpora.accepted import accept
from corpora.cuda_by_hand import CUPY, compiled
from corpora.repositories import Repository
from gpucnn.simulator import Module, SimulatorError

N = 64
_RANDOM = np.random.default_rng(0)
ULPS = N + 16


def _numbers(*shape: int) -> Any:
    return (_RANDOM.integers(-8, 8, shape) / 8).astype(np.float32)


A, B, C = (_numbers(N, N) for _ in range(3))
X, Y = _numbers(N), _numbers(N)
OUT = np.full((N, N), np.nan, np.float32)
COLUMN = np.full(N, np.nan, np.float32)
SIZE, ALL, HALF = np.int32(N), np.int32(N * N), np.float32(0.5)
COUNTED = _RANDOM.integers(0, N, N * N).astype(np.uint32)
FILLED = np.full((N, N), HALF)

EXPONENTIALS = np.exp(A.astype(float) - A.max(1, keepdims=True))
SOFTMAX = EXPONENTIALS / EXPONENTIALS.sum(1, keepdims=True)
CUBIC = np.sqrt(2 / np.pi) * (A + 0.044715 * A.astype(float) ** 3)
GELU = 0.5 * A * (1 + np.tanh(CUBIC))
MEAN = A.mean(1, dtype=float)
SCALE = 1 / np.sqrt(A.var(1, dtype=float) + 1e-5)
NORMALISED = (A - MEAN[:, None]) * SCALE[:, None] * X + Y


@dataclass(frozen=True)
class Reference:
    """A launch of kernels, and what each has to write."""

    repository: str
    kernels: str
    """Their names, each followed by a blank."""

    grid: tuple[int, ...]
    block: tuple[int, ...]
    arguments: tuple[Any, ...]
    written: dict[int, Any]
    """By the place of the argument."""

    shared_mem: int = 0
    ulps: int = 0
    file: str = ""
    """Of the kernels, if another has some of these names, but of other types."""


ROWS = ((N // 32,), (32,))
EACH = ((N * N // 256,), (256,))
TILES = ((N // 32, N // 32), (32, 32))

REFERENCES = (
    Reference("NVIDIA/cuda-samples", "vectorAdd VecAdd_kernel", *EACH, (A, B, OUT, ALL),
              {2: A + B}),
    Reference(
        "NVIDIA/cuda-samples", "MatrixMulNaive MatrixMulNaiveLargeChunk matrixMulCUDA_block32 "
        "MatrixMulAsyncCopySingleStage MatrixMulAsyncCopyMultiStage", *TILES,
        (OUT, A, B, SIZE, SIZE), {0: A @ B}),
    Reference("NVIDIA/cuda-samples", "matrixMulCUDA_block16 MatrixMulCUDA", (N // 16, N // 16),
              (16, 16), (OUT, A, B, SIZE, SIZE), {0: A @ B}),
    Reference("NVIDIA/cuda-samples", "reduce0 reduce1 reduce2", *EACH,
              (A, np.zeros(16, np.float32), np.uint32(N * N)),
              {1: A.reshape(16, 256).sum(1)}, 1024),
    Reference("NVIDIA/cuda-samples", "reduce3", (8,), (256,),
              (A, np.zeros(8, np.float32), np.uint32(N * N)), {1: A.reshape(8, 512).sum(1)}, 1024),
    Reference("siboehm/SGEMM_CUDA", "sgemm_naive", *TILES,
              (SIZE, SIZE, SIZE, HALF, A, B, HALF, C), {7: (A @ B + C) / 2}),
    Reference("siboehm/SGEMM_CUDA", "sgemm_global_mem_coalesce sgemm_shared_mem_block",
              (N // 32, N // 32), (1024,), (SIZE, SIZE, SIZE, HALF, A, B, HALF, C),
              {7: (A @ B + C) / 2}),
    Reference("pjreddie/darknet", "fill_kernel", *EACH, (ALL, HALF, OUT, np.int32(1)), {2: FILLED}),
    Reference("pjreddie/darknet", "scal_kernel", *EACH, (ALL, HALF, A, np.int32(1)), {2: A / 2}),
    Reference("pjreddie/darknet", "mul_kernel", *EACH, (ALL, A, np.int32(1), B, np.int32(1)),
              {3: A * B}),
    Reference("pjreddie/darknet", "copy_kernel", *EACH, (ALL, A, np.int32(0), np.int32(1), OUT,
              np.int32(0), np.int32(1)), {4: A}),
    Reference("pjreddie/darknet", "axpy_kernel", *EACH, (ALL, HALF, A, np.int32(0), np.int32(1), B,
              np.int32(0), np.int32(1)), {5: A / 2 + B}),
    Reference("BVLC/caffe", "ReLUForward", *EACH, (ALL, A, OUT, HALF),
              {2: np.where(A > 0, A, A / 2)}),
    Reference("BVLC/caffe", "ReLUBackward", *EACH, (ALL, A, B, OUT, HALF),
              {3: np.where(B > 0, A, A / 2)}),
    Reference("BVLC/caffe", "PReLUForward", *EACH,
              (ALL, SIZE, np.int32(1), A, OUT, X, np.int32(1)), {4: np.where(A > 0, A, A * X)}),
    Reference("R100001/Programming-Massively-Parallel-Processors",
              "simple_histogram histogram_shared histogram_kernel", *EACH,
              (COUNTED, np.zeros(N, np.uint32), np.uint32(N * N), np.uint32(N)),
              {1: np.bincount(COUNTED, minlength=N)}, 4 * N),
    Reference("karpathy/llm.c", "matmul_forward_kernel1", (4, 4), (16, 16),
              (OUT, A, B, X, SIZE, SIZE, SIZE), {0: A @ B.T + X}),
    Reference("karpathy/llm.c", "gelu_forward_kernel", *EACH, (OUT, A, ALL), {0: GELU}, ulps=ULPS),
    Reference("karpathy/llm.c", "softmax_forward_kernel1", *ROWS, (OUT, A, SIZE, SIZE),
              {0: SOFTMAX}, ulps=ULPS),
    Reference("karpathy/llm.c", "softmax_forward_kernel2", (N,), (32,), (OUT, A, SIZE, SIZE),
              {0: SOFTMAX}, 128, ULPS),
    Reference("karpathy/llm.c", "softmax_forward_kernel3", (N,), (32,), (OUT, A, SIZE, SIZE),
              {0: SOFTMAX}, 128, ULPS),
    Reference("karpathy/llm.c", "softmax_forward_kernel4", (N,), (64,), (OUT, A, SIZE, SIZE),
              {0: SOFTMAX}, 512, ULPS),
    Reference("karpathy/llm.c", "layernorm_forward_kernel1", *ROWS,
              (OUT, COLUMN, COLUMN, A, X, Y, SIZE, SIZE),
              {0: NORMALISED, 1: MEAN, 2: SCALE}, ulps=ULPS, file="dev/cuda/layernorm_forward.cu"),
)  # fmt: skip


def differs(module: Module, expression: str, reference: Reference) -> str:
    """What a kernel writes that its definition has not; empty if nothing."""
    arguments = [
        each.copy() if isinstance(each, np.ndarray) else each for each in reference.arguments
    ]
    kernel = module.get_function(expression)
    try:
        kernel(reference.grid, reference.block, arguments, shared_mem=reference.shared_mem)
    except SimulatorError as error:
        return str(error)
    for place, expected in reference.written.items():
        largest = np.abs(expected).max()
        tolerance = reference.ulps * np.finfo(np.float32).eps * largest
        most = np.abs(arguments[place] - expected.astype(float)).max()
        if not most <= tolerance:
            return f"argument {place} differs by {most:.3g}, of {largest:.3g}"
    return ""


def held(folder: Path, cupy: Path) -> Iterator[tuple[str, list[str]]]:
    """The kernels that references are of, and how each differs in the orders in which it does."""
    for name in dict.fromkeys(reference.repository for reference in REFERENCES):
        mine = {
            kernel: reference
            for reference in REFERENCES
            for kernel in reference.kernels.split()
            if reference.repository == name
        }
        for text in Repository(folder, name).texts():
            if not any(kernel in text.code for kernel in mine):
                continue
            accepted, _ = accept(text, cupy)
            if accepted is None:
                continue
            for kernel, expression in accepted.expressions.items():
                reference = mine.get(kernel.rpartition("::")[2])
                if reference is None or reference.file not in ("", text.name):
                    continue
                del mine[kernel.rpartition("::")[2]]
                orders = compiled(accepted.code, (expression,))
                found = [differs(module, expression, reference) for module in orders]
                yield f"{name}: {kernel}", [each for each in found if each]
        for kernel in mine:
            yield f"{name}: {kernel}", ["is not there"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    right = count = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = parser.parse_args().folder
        Repository(folder, "cupy/cupy").write(CUPY, Path(temporary))
        for kernel, faults in held(folder, Path(temporary)):
            count += 1
            right += not faults
            print(kernel, *faults[:1] or ["equals its definition"], sep=": ", flush=True)
    print(f"{right} of {count} kernels equal their definition in three orders")


if __name__ == "__main__":
    main()
