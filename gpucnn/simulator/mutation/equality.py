"""Whether a mutant compiles to what was there before it: then no test can notice it."""

from collections.abc import Iterable

from gpucnn.simulator.errors import SimulatorError
from gpucnn.simulator.library import machine_code
from gpucnn.simulator.mutation.mutants import Mutant
from gpucnn.simulator.mutation.watching import Source


def is_equal(mutant: Mutant, sources: Iterable[Source]) -> bool:
    """Whether all sources that have a mutant's part compile to the same with it.

    The compilation is that whose accesses to memory are checked, in which a barrier, an atomic
    operation or a load that is left out makes a difference.
    """
    return all(
        _code(each.text.replace(mutant.part.text, mutant.text), each) == _code(each.text, each)
        for each in sources
    )


def _code(text: str, source: Source) -> str | None:
    try:
        return machine_code(text, source.options, source.names)
    except SimulatorError:
        return None
