"""What users may derive from, and computes on a device."""

from typing import Any, ClassVar

from gpucnn.utils.objects.config import Configurable


class Extensible(Configurable):
    """The base class of what computes on a device, and users may define too.

    Attributes:
        can_record: whether a device can record what it computes, and replay it: the same operations
            of the backend on the same memory, each time. Array code allocates memory, so it is
            False of a class of the user's, unless that class itself says True.
    """

    can_record: ClassVar[bool] = True

    def is_recorded_on(self, *, host: bool) -> bool:
        """Whether a device can record it; the host can record operations of the backend alone."""
        return self.can_record and not (host and self.is_own)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.is_own and "can_record" not in vars(cls):
            cls.can_record = False
