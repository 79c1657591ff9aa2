"""Objects that are constructed first, and placed on a backend later."""

from typing import Any


class Placeable:
    """The base class of objects that need a backend, and are given it after construction.

    A pickle or copy is not placed: attributes set while placing and later belong to the backend and
    the model, and are left out.

    Attributes:
        is_placed: whether it has been placed on a backend.
    """

    is_placed: bool = False
    _attributes_before: tuple[str, ...] = ()

    def _begin_placing(self) -> None:
        """Call this before setting any attribute of the placed object."""
        if not self.is_placed:
            self._attributes_before = tuple(vars(self))
            self.is_placed = True

    def __getstate__(self) -> dict[str, Any]:
        attributes = vars(self)
        names = self._attributes_before if self.is_placed else attributes
        return {name: attributes[name] for name in names if name in attributes}
