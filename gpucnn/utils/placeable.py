"""Things that are made first, and placed on a backend later."""

from typing import Any


class Placeable:
    """Something that works on a backend once it has been placed there.

    Pickled or copied, it is as it was before: what it has been given since then is of the backend,
    and of the model that it belongs to.

    Attributes:
        is_placed: whether it has been placed.
    """

    is_placed: bool = False
    _attributes_before: tuple[str, ...] = ()

    def _begin_placing(self) -> None:
        """To be called first of all when it is placed."""
        if not self.is_placed:
            self._attributes_before = tuple(vars(self))
            self.is_placed = True

    def __getstate__(self) -> dict[str, Any]:
        names = self._attributes_before if self.is_placed else tuple(vars(self))
        return {name: value for name, value in vars(self).items() if name in names}
