"""Shared helpers: argument checks, atomic file writes, caches and locks, JSON configurations.

What is for users, under Keras's names: `to_categorical` and `set_random_seed`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpucnn.utils.categorical import to_categorical as to_categorical
    from gpucnn.utils.seeds import set_random_seed as set_random_seed


def __getattr__(name: str) -> object:
    """What is for users, imported when it is used: other parts of the package are without NumPy."""
    if name == "to_categorical":
        from gpucnn.utils.categorical import to_categorical

        return to_categorical
    if name == "set_random_seed":
        from gpucnn.utils.seeds import set_random_seed

        return set_random_seed
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
