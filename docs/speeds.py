"""The tables and the picture of speeds beside the peers: `python docs/speeds.py [ROUNDS] [again]`.

They are those of README.md and docs/benchmarks.md. gpucnn, PyTorch, ONNX Runtime, JAX and Keras, on
the back end that KERAS_BACKEND names, JAX by default, take turns in one process for each preset;
once with the kernels that they choose for this processor, and once with those for AVX2, to which
ONNX Runtime alone cannot be held. The reports are kept in docs/speeds, which git ignores, and used
by the next call, so that one that was interrupted goes on. With `again` all are measured anew.
"""

import subprocess
import sys
from itertools import product
from pathlib import Path

from gpucnn.benchmark import Plan, run_benchmark
from gpucnn.benchmark.report import read_report, write_report
from gpucnn.benchmark.report.plot import write_plot
from gpucnn.utils.plots import check_plot
from tables import AVX2, ROOT, openblas_environment, report_blocks, write_blocks

PEERS = ("torch", "jax", "keras", "onnxruntime")

CASES = {"notebook": (1, 16, 64, 256, 1024, 2048), "lenet": (1, 16, 64, 256)}
"""Presets, and the sizes of the batches."""

WHOLE = "notebook"
"""The preset of which start-up, memory and layers are measured too, with OpenBLAS's own choice."""

PEERS_HELD_TO_AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
}
"""The environment variables of PyTorch, its libraries, and XLA."""

TARGET = 0.98  # of the test images, to which it is trained
ROUNDS = 11
AGAIN = "again"
FOLDER = ROOT / "docs" / "speeds"
PICTURE = ROOT / "docs" / "bench.png"


def measure(preset: str, rounds: int, file: Path, *, is_whole: bool) -> None:
    """Measure a preset in this process, and write the report."""
    target = TARGET if is_whole else None
    sizes = CASES[preset]
    plan = Plan(
        ("cpu",), PEERS, preset, sizes, rounds=rounds, to_accuracy=target, only_speeds=not is_whole
    )
    write_report(file, run_benchmark(plan, lambda what, share: print(f"{share:4.0%} {what}")))


def main(rounds: int, *, again: bool) -> None:
    """Measure in processes of their own, and write the tables and the picture.

    Args:
        rounds: how many times each measurement is repeated.
        again: whether to measure also what there are reports of.
    """
    check_plot(PICTURE)  # before time is spent
    FOLDER.mkdir(exist_ok=True)
    blocks: dict[str, str] = {}
    for core, preset in product((None, AVX2), CASES):
        environment = {"KERAS_BACKEND": "jax"} | openblas_environment(core)
        environment |= PEERS_HELD_TO_AVX2 if core else {}
        file = FOLDER / f"{preset}{'_avx2' if core else ''}.json"
        is_whole = "whole" if preset == WHOLE and not core else ""
        if again or not file.exists():
            command = [sys.executable, __file__, str(rounds), preset, str(file), is_whole]
            subprocess.run(command, env=environment, check=True)
        report = read_report(file)
        print(f"{file.name}: {report.environment.rounds} rounds, {report.environment.date}")
        blocks |= report_blocks(report)
        if is_whole:
            write_plot(PICTURE, report)
    write_blocks(blocks)


if __name__ == "__main__":
    given = [each for each in sys.argv[1:] if each != AGAIN]
    if len(given) > 1:
        measure(given[1], int(given[0]), Path(given[2]), is_whole=bool(given[3]))
    else:
        main(int(given[0]) if given else ROUNDS, again=AGAIN in sys.argv)
