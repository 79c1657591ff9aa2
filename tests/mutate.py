"""Make each mutant of the kernels, and see that the tests notice: `python tests/mutate.py`.

Prints a line a mutant; exits with 1 if one of them survives that `EXPLAINED` does not know.
"""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from mutation.mutants import MUTANTS, Mutant
from mutation.plugin import FOLDER

ROOT = Path(__file__).parents[1]

TESTS = [
    "tests/backends/test_contract.py",
    "tests/backends/test_cuda.py",
    "-k",
    "simulator or cuda",
]

EXPLAINED: dict[str, str] = {}


def is_killed(mutant: Mutant | None) -> bool:
    """Whether the tests of the kernels fail with a mutant, or without any."""
    with TemporaryDirectory() as folder:
        kernels = Path(folder) / "kernels"
        shutil.copytree(ROOT / "kernels", kernels)
        if mutant:
            file = kernels / mutant.file
            file.write_text(mutant.apply(file.read_text()))
        environment = {FOLDER: str(kernels), "PYTHONPATH": str(Path(__file__).parent)}
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "mutation.plugin", *TESTS]
        command += ["-p", "no:cacheprovider", "-p", "no:xdist"]
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True
        )
    if done.returncode > 1:
        raise RuntimeError(f"the tests did not run: {done.stdout}{done.stderr}")
    return done.returncode != 0  # below 0 for a write that ended the process


def main() -> int:
    """Try all mutants; the exit status."""
    if is_killed(None):
        print("the tests fail without any mutant")
        return 1
    unexplained = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutant, killed in zip(MUTANTS, pool.map(is_killed, MUTANTS), strict=True):
            reason = EXPLAINED.get(str(mutant))
            unexplained += not killed and reason is None
            outcome = "killed" if killed else f"SURVIVES: {reason or 'unexplained'}"
            print(f"{outcome:8}  {mutant}", flush=True)
    print(f"{len(MUTANTS)} mutants, {unexplained} unexplained survivors")
    return int(unexplained > 0)


if __name__ == "__main__":
    sys.exit(main())
