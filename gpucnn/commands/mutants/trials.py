"""Trying mutants: the tests without any, then with each, some at a time."""

import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import NamedTuple

from gpucnn.commands.mutants.results import Outcome
from gpucnn.commands.mutants.runs import ForkedRuns, Runs, failed_test
from gpucnn.errors import GpucnnError, printable
from gpucnn.simulator.mutation import watching
from gpucnn.simulator.mutation.equality import is_equal
from gpucnn.simulator.mutation.mutants import Mutant, Part

PATIENCE = 30
"""Seconds that a run with a mutant may take longer than five without: it compiles, among others."""


class TestsFailError(GpucnnError, RuntimeError):
    """The command fails without any mutant, or compiles none of a file."""


class Known(NamedTuple):
    """What the run without mutants has shown."""

    seconds: float
    """How long it took."""

    sources: Mapping[Part, Sequence[watching.Source]]
    """What was compiled of each part."""

    tests: Mapping[Part, set[str]]
    """The tests that launch the kernels of each, or {""} if any may depend on them."""


class Trials:
    """The trials of mutants by a command.

    Args:
        command: runs the tests, and exits with 0 if they pass.
        parts: of the sources whose mutants are tried.
    """

    def __init__(self, command: Sequence[str], parts: Sequence[Part]) -> None:
        self._command, self._parts = list(command), list(parts)
        self._known = self._run_without()

    def _run_without(self) -> Known:
        """Run the command without any mutant.

        Raises:
            TestsFailError: it fails, or a file is not compiled.
        """
        with TemporaryDirectory() as name:
            folder = Path(name)
            watching.prepare(folder, [part.text for part in self._parts])
            begin = time.monotonic()
            status = Runs(self._command).run(folder, None, None)
            seconds = time.monotonic() - begin
            if status != 0:
                raise TestsFailError(
                    f"the command fails without any mutant, with status {status}: see that "
                    f"{printable(' '.join(self._command))} passes first"
                )
            compiled = watching.sources(folder)
            sources = {p: [s for s in compiled if n in s.parts] for n, p in enumerate(self._parts)}
            tests = {p: watching.launching_tests(folder, n) for n, p in enumerate(self._parts)}
        for file in dict.fromkeys(part.file for part in self._parts):
            if not any(sources[part] for part in self._parts if part.file == file):
                raise TestsFailError(
                    f"the command passes, but compiles nothing of {file} in the simulator: give "
                    "tests that launch its kernels"
                )
        return Known(seconds, sources, tests)

    def run(self, mutants: Sequence[Mutant], at_once: int) -> Generator[tuple[Mutant, Outcome]]:
        """Try mutants, `at_once` at a time.

        What runs ends with the generator: close it, whatever happens.

        Yields:
            A mutant and what became of it, as each ends.
        """
        parts = [part.text for part in self._parts]
        every = [ForkedRuns(self._command, parts) for _ in range(at_once)]
        free = SimpleQueue[Runs]()
        for runs in every:
            free.put(runs)
        pool = ThreadPoolExecutor(at_once)
        try:
            futures = {pool.submit(self._try, mutant, free): mutant for mutant in mutants}
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for runs in every:
                runs.stop()
            pool.shutdown()
            for runs in every:
                runs.close()

    def _try(self, mutant: Mutant, free: "SimpleQueue[Runs]") -> Outcome:
        tests = self._known.tests[mutant.part]
        if not tests:
            return Outcome("not reached", "no test launches a kernel of it")
        with TemporaryDirectory() as name:
            folder = Path(name)
            watching.prepare(folder, [mutant.part.text], mutant.text)
            limit = 5 * self._known.seconds + PATIENCE
            runs = free.get()
            try:
                status = runs.run(folder, None if "" in tests else tests, limit)
            finally:
                free.put(runs)
                watching.remove_libraries(folder)
            if refusal := watching.refusal(folder):
                return Outcome("not compiled", refusal)
            if status is None:
                return Outcome("killed", f"no end in {limit:.0f} s")
            if status != 0:
                return Outcome("killed", failed_test(folder) or f"exit status {status}")
        if is_equal(mutant, self._known.sources[mutant.part]):
            return Outcome("equal", "compiles to the same code")
        return Outcome("survived", "")
