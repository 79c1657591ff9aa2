"""Make each mutant of the kernels, and see that the tests notice: `python tests/mutate.py`.

Prints a line a mutant; exits with 1 if one of them survives. `python tests/mutate.py 2/4` makes the
second quarter of them, every fourth from the second on: all take about an hour on two cores.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from gpucnn.simulator import sanitizer_environment
from mutation.mutants import MUTANTS, Mutant
from mutation.plugin import FOLDER

ROOT = Path(__file__).parents[1]

# What pytest exits with where it could not run the tests, and where there are none of that name.
NOT_RUN, NO_TESTS = (2, 3, 4), 5

TESTS = [
    "tests/backends/test_contract.py",
    "tests/backends/cuda/test_backend.py",
    "tests/backends/ops/fused/test_classifier_head.py",
    "tests/backends/ops/fused/test_conv_classifier.py",
]

CHOICE = "(simulator or test_backend or test_classifier_head)"
"""Which of them: those that launch kernels, on no GPU."""

NAMES = {
    "add": "add or accumulate",
    "activations": "elu or tanh or sigmoid or silu",
    "batch": "next_batch or store_metrics or store_outputs",
    "batch_normalization": "channel or normalize",
    "block_sums": "sum_rows or channel or norm or penalize",
    "classifier_head": "classifier_head or dense_softmax",
    "columns": "sum_rows or channel or normalize",
    "dropout": "dropout or draw_mask",
    "losses": "losses or sigmoid_cross or squared or weigh",
    "softmax": "softmax or soft_cross or store_probabilities or losses or largest",
    "conv_relu_pool": "fused",
    "grouped_conv2d": "grouped",
    "grouped_kernel_gradient": "grouped",
    "last_block": "matmul or sum_rows",
    "norms": "clip_norms or unit_norm or norms_that or a_norm",
    "matmul": "matmul or dense",
    "parts": "part",
    "patches": "fused",
    "pixels": "gather or conv_classifier",
    "philox": "draw or dropout or dense_relu",
    "pooled_input_gradient": "fused",
    "pooled_kernel_gradient": "fused",
    "regions": "fused",
    "scale_shift": "scale",
    "tones": "brighten or contrast",
    "resampling": "translate or transform",
    "warps": "classifier or losses or softmax",
    "windows": "im2col or col2im or max_pool",
}
"""What tests of a file have in their names, where that is not the name of the file."""

LONGEST = 600
"""Seconds that the tests may take, many times what they do: a mutant may loop for ever."""


def is_killed(mutant: Mutant) -> bool:
    """Whether the tests of the kernels fail with a mutant.

    First those that name its file, which are few; then all; then those of `test_sanitizers.py`,
    for what reads memory that it must not and makes nothing of it.
    """
    stem = Path(mutant.file).stem
    return (
        not passes(NAMES.get(stem, stem), mutant)
        or not passes("", mutant)
        or not passes("repeats", mutant, sanitizer_environment("address"))
    )


def passes(
    name: str, mutant: Mutant | None = None, environment: Mapping[str, str] = os.environ
) -> bool:
    """Whether the tests pass whose name has `name` in it, with a mutant or as the kernels are."""
    with TemporaryDirectory() as folder:
        kernels = Path(folder) / "kernels"
        shutil.copytree(ROOT / "kernels", kernels)
        if mutant:
            file = kernels / mutant.file
            file.write_text(mutant.apply(file.read_text()))
        plugin = {FOLDER: str(kernels), "PYTHONPATH": str(Path(__file__).parent)}
        choice = f"{CHOICE} and ({name})" if name else CHOICE
        examples = ["--hypothesis-profile=thorough"] if mutant else []
        command = [sys.executable, "-m", "pytest", "-q", "-x", *examples, *TESTS, "-k", choice]
        command += ["-p", "mutation.plugin", "-p", "no:cacheprovider", "-p", "no:xdist"]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env={**environment, **plugin},
                capture_output=True,
                text=True,
                timeout=LONGEST,
            )
        except subprocess.TimeoutExpired:
            return False
    if done.returncode in NOT_RUN:
        raise RuntimeError(f"the tests did not run: {done.stdout}{done.stderr}")
    return done.returncode in (0, NO_TESTS)  # others are a failed test, a sanitizer's, a signal's


def main() -> int:
    """Try the mutants, with a cache of compiled kernels for all of them; the exit status."""
    part, parts = map(int, (sys.argv[1] if len(sys.argv) > 1 else "1/1").split("/"))
    with TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        return try_mutants(MUTANTS[part - 1 :: parts])


def try_mutants(mutants: Sequence[Mutant]) -> int:
    if not passes(""):  # which compiles the kernels once, those that no mutant changes for all
        print("the tests fail without any mutant")
        return 1
    survivors = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutant, killed in zip(mutants, pool.map(is_killed, mutants), strict=True):
            survivors += not killed
            print(f"{'killed' if killed else 'SURVIVES':8}  {mutant}", flush=True)
    print(f"{len(mutants)} of {len(MUTANTS)} mutants, {survivors} survivors")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
