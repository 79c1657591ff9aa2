"""What the file of another library tells beside its layers: of the classes and of the pictures."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from gpucnn.errors import InvalidValueError

CLASS_NAMES, PHOTOGRAPHS = "class_names", "photographs"
"""The keys of the metadata under which a file has them."""


class Metadata(NamedTuple):
    """What a file tells.

    Attributes:
        class_names: by number; None if the classes have no names.
        photographs: whether pictures are photographs to the model; None if that is not told.
    """

    class_names: tuple[str, ...] | None = None
    photographs: bool | None = None

    def entries(self) -> dict[str, Any]:
        """The metadata of a file that tells this, of which JSON can be made."""
        told = {CLASS_NAMES: self.class_names, PHOTOGRAPHS: self.photographs}
        return {key: value for key, value in told.items() if value is not None}

    @classmethod
    def of(cls, entries: Mapping[str, Any]) -> "Metadata":
        """What metadata tell.

        Raises:
            InvalidValueError: they are not such as `entries` gives.
        """
        names, photographs = entries.get(CLASS_NAMES), entries.get(PHOTOGRAPHS)
        if CLASS_NAMES in entries and not _are_texts(names):
            raise InvalidValueError(
                f"its metadata {CLASS_NAMES} are no JSON array of texts: remove it"
            )
        if photographs not in (True, False, None):
            raise InvalidValueError(
                f"its metadata {PHOTOGRAPHS} are neither true nor false: remove it"
            )
        return cls(None if names is None else tuple(names), photographs)


def _are_texts(names: Any) -> bool:
    return isinstance(names, list) and all(isinstance(each, str) for each in names)


NOTHING = Metadata()
"""What a file of another library's own tells."""
