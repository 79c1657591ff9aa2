"""Whether a mutant compiles to what was there before it: then no test can notice it."""

from collections.abc import Iterable
from functools import cache

from gpucnn.simulator.errors import SimulatorError
from gpucnn.simulator.library import machine_code
from gpucnn.simulator.mutation.mutants import Mutant
from gpucnn.simulator.mutation.watching import Source
from gpucnn.utils.storage.sealed import key_of


def is_equal(mutant: Mutant, sources: Iterable[Source]) -> bool:
    """Whether all sources that have a mutant's part compile to the same with it.

    The compilation is that whose accesses to memory are checked, in which a barrier, an atomic
    operation or a load that is left out makes a difference.
    """
    return all(
        _code(each._replace(text=each.text.replace(mutant.part.text, mutant.text))) == _kept(each)
        for each in sources
    )


def _code(source: Source) -> bytes | None:
    """A digest of what a source compiles to, if it does."""
    try:
        return key_of([machine_code(source.text, source.options, source.names)])
    except SimulatorError:
        return None


_kept = cache(_code)  # of sources without a mutant, which many mutants are compared with
