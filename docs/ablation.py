"""What each technique of the CPU backend is worth: `python docs/ablation.py [ROUNDS]`.

Each is switched off by itself, in a model of its own, which takes turns with one that has all of
them: rounds of training on one worker, in float32. The tables, of the median ratios of their CPU
seconds in pairs, go into docs/cpu.md: above 1, training is slower without the technique. There are
two, measured in processes of their own: with the kernels that OpenBLAS chooses for this processor,
and held to those for AVX2.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from statistics import median
from time import process_time
from typing import Any
from unittest.mock import patch

import numpy as np

from gpucnn import Model, load_mnist, models
from gpucnn.backends.cpu import layout, memory, products, winograd
from gpucnn.backends.cpu.fused import conv_relu_pool, row_tiles
from gpucnn.backends.cpu.huge_pages import HugePages
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.memory import Workspaces
from gpucnn.utils import machine
from tables import AVX2, ROOT, openblas_environment, table, with_block

PAGE = ROOT / "docs" / "cpu.md"
BLOCK = "ablation"

CASES = (
    ("notebook", 1),
    ("notebook", 4),
    ("notebook", 32),
    ("notebook", 256),
    ("notebook", 2048),
    ("lenet", 64),
)
"""Presets, and the sizes of the batches."""

KERNELS = {"its own choice": None, "those for AVX2": AVX2}
"""What is measured with, and OPENBLAS_CORETYPE for it."""

SECONDS = 0.05
"""That a round of training takes, about."""

ROUNDS = 15


def _fresh_workspace(self: Workspaces, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
    return np.empty(shape, dtype)


def _unchanged(*arrays: Any) -> tuple[Any, ...]:
    return arrays


def _one_block(columns: int, column: int, dots: int = 0) -> int:
    return 1


def _all_rows(panels: Any, filters: int, number: int) -> int:
    rows: int = panels.positions[0]
    return rows


Replaced = tuple[Any, str, Any]
"""An object, the name of its attribute, and what that is replaced by."""

NOT_RECORDED: list[Replaced] = [(CpuMemory, "can_record", False)]

TECHNIQUES: dict[str, list[Replaced]] = {
    "huge pages": [(HugePages, "allocate", lambda self, size: np.zeros(size, np.uint8))],
    "small buffers of NumPy": [(memory, "_Buffered", lambda count: nullcontext())],
    "row tiles": [(conv_relu_pool, "tile_height", _all_rows)],
    "runs copied as one element": [(layout, "runs", _unchanged), (row_tiles, "runs", _unchanged)],
    "fewer products": [(winograd, "suits", lambda fused: False)],
    "products in blocks": [
        (products, "count_blocks", _one_block),
        (row_tiles, "count_blocks", _one_block),
    ],
    "recorded steps": NOT_RECORDED,
    "recorded steps and kept workspaces": [*NOT_RECORDED, (Workspaces, "get", _fresh_workspace)],
    "microbatches": [(CpuMemory, "images_at_once", lambda self, size: None)],
}
"""By what they are called: what is replaced to do without."""


@contextmanager
def without(technique: str | None) -> Iterator[None]:
    """A span in which what runs does without a technique; with all of them for None."""
    with ExitStack() as stack:
        for place, name, replacement in TECHNIQUES.get(technique or "", []):
            stack.enter_context(patch.object(place, name, replacement))
        yield


def slowdown(technique: str, preset: str, batch: int, rounds: int) -> float:
    """The median ratio of the times without and with a technique."""
    (x, y), _ = load_mnist()
    made: dict[str | None, Model] = {}
    for each in (None, technique):
        with without(each):
            made[each] = models.MODELS[preset](device="cpu", threads=1)
            _train(made[each], x[: 2 * batch], y[: 2 * batch], batch)
    images = batch * max(round(SECONDS / _train(made[None], x[:batch], y[:batch], batch)), 1)
    chosen = np.arange(images) % len(x)
    ratios = []
    for turn in range(rounds):
        seconds = {}
        for each in sorted(made, key=str, reverse=turn % 2 == 1):
            with without(each):
                seconds[each] = _train(made[each], x[chosen], y[chosen], batch)
        ratios.append(seconds[technique] / seconds[None])
    return median(ratios)


def _train(model: Model, x: Any, y: Any, batch: int) -> float:
    """The seconds of a core that an epoch takes: what else runs there does not count."""
    started = process_time()
    model.fit(x, y, batch, shuffle=False, verbose=0)
    return process_time() - started


def measure(rounds: int) -> dict[str, list[float]]:
    """The ratios of every technique, a case after the other."""
    return {each: [slowdown(each, *case, rounds) for case in CASES] for each in TECHNIQUES}


def tables(found: dict[str, dict[str, list[float]]], rounds: int) -> str:
    """A table for each of `KERNELS`, with a row a technique."""
    heads = ["without", *(f"{preset}, {batch:,}" for preset, batch in CASES)]
    text = f"{machine.processor()}, NumPy {np.__version__}, {rounds} rounds.\n"
    for kernels, ratios in found.items():
        rows = [[each, *(f"{ratio:.2f}" for ratio in ratios[each])] for each in TECHNIQUES]
        text += f"\nOpenBLAS's kernels: {kernels}\n\n{table([heads, *rows])}"
    return text


def main() -> None:
    """Measure in processes of their own, and write the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    found = {}
    for name, core in KERNELS.items():
        command = [sys.executable, __file__, str(rounds), "--measure"]
        environment = openblas_environment(core)
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        found[name] = json.loads(done.stdout)
    PAGE.write_text(with_block(PAGE.read_text(), BLOCK, tables(found, rounds)))


if __name__ == "__main__":
    if "--measure" in sys.argv:
        json.dump(measure(int(sys.argv[1])), sys.stdout)
    else:
        main()
