"""The lines of the kernels that the tests execute: `python tests/kernel_lines.py`.

Runs the tests that `mutate.py` runs, with the simulator's kernels compiled for line coverage by
GCC. Prints for each file of kernels/ how many of its lines were executed, and the numbers of those
that were not; exits with 1 if there are any. A line counts as executed once it was in one
compilation of its file, of those for each dtype and choice of constants. Lines that no compilation
has code for are not counted: those of macros, and branches that constants rule out everywhere.
"""

import gzip
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from mutate import CHOICE, ROOT, TESTS

# Kernels alone are compiled so, neither the simulator's scheduler nor the copies whose accesses are
# counted. The last -O holds: without optimisation each line keeps its own code. Each compilation
# takes the name of its notes, and of the counts written when its process ends, from its own number.
COMPILER = """#!/bin/sh
case "$*" in
    *"-shared -x c++-cpp-output"*) exec g++ "$@" -O0 --coverage -dumpdir "{folder}/$$-" ;;
    *) exec g++ "$@" ;;
esac
"""

Counts = Mapping[str, Mapping[int, int]]
"""How often each line that has code was executed, by the name of its file."""


def run_tests(folder: Path) -> bool:
    """Run the tests, with a cache of their own; their compilations' notes and counts to `folder`.

    Returns:
        Whether they pass.
    """
    compiler = folder / "g++"
    compiler.write_text(COMPILER.format(folder=folder))
    compiler.chmod(0o700)
    paths = [ROOT, ROOT / "tests", os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "CXX": str(compiler),
        "XDG_CACHE_HOME": str(folder),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", *TESTS, "-k", CHOICE]
    command += ["-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode == 0


def executed(folder: Path) -> Counts:
    """The sums over all compilations whose notes are in `folder`."""
    counts: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    subprocess.run(
        ["gcov", "--json-format", *sorted(folder.glob("*.gcno"))],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    for report in folder.glob("*.gcov.json.gz"):
        for file in json.loads(gzip.decompress(report.read_bytes()))["files"]:
            for line in file["lines"]:
                counts[file["file"]][line["line_number"]] += line["count"]
    return counts


def rows(counts: Counts, files: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """A line of text a file, and whether all of its lines were executed.

    A header may be of macros alone, and have no lines; any other file has some if it was compiled.
    """
    for file in files:
        lines = counts.get(file, {})
        missed = [str(number) for number in sorted(lines) if not lines[number]]
        done = f"{len(lines) - len(missed)} of {len(lines)}"
        text = f"{file:28}{done:>12}  {'not: ' if missed else ''}{', '.join(missed)}"
        yield text.rstrip(), not missed and (bool(lines) or file.endswith(".cuh"))


def main() -> int:
    """Print the lines; the exit status."""
    files = sorted(path.name for path in (ROOT / "kernels").glob("*.cu*"))
    with TemporaryDirectory() as folder:
        if not run_tests(Path(folder)):
            print("the tests fail")
            return 1
        table = list(rows(executed(Path(folder)), files))
    print("\n".join(text for text, _ in table))
    return int(not all(complete for _, complete in table))


if __name__ == "__main__":
    sys.exit(main())
