"""A kind of files that are damaged and read."""

from abc import ABC, abstractmethod
from pathlib import Path

from campaign.mutations import Generator


class WrongError(Exception):
    """What a file was read as is not what it holds, or the error is not as errors are."""


def expect(good: bool, otherwise: str) -> None:
    """Raise a WrongError that says `otherwise`, unless it is good."""
    if not good:
        raise WrongError(otherwise)


class Kind(ABC):
    """A kind of file: how a good one is made, damaged and read."""

    @abstractmethod
    def prepare(self, folder: Path) -> None:
        """Make what is needed, in an empty folder."""

    @abstractmethod
    def damage(self, generator: Generator) -> None:
        """Put a damaged file in its place."""

    @abstractmethod
    def read(self) -> None:
        """Read it.

        Raises:
            GpucnnError: it is refused.
            WrongError: it is read wrong.
        """
