"""What holds of classes that users derive from those of the library."""

from typing import Any, ClassVar


class Extensible:
    """The base class of what computes on a device, and users may define too.

    Attributes:
        is_own: whether the class is the user's, and not one of the library.
        can_record: whether a device can record what it computes, and replay it: the same operations
            of the backend on the same memory, each time. Array code allocates memory, so it is
            False of a class of the user's, unless that class itself says True.
    """

    is_own: ClassVar[bool] = False
    can_record: ClassVar[bool] = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.is_own = cls.__module__.partition(".")[0] != "gpucnn"
        if cls.is_own and "can_record" not in vars(cls):
            cls.can_record = False
