"""Shared helpers: argument checks, atomic file writes, caches and locks, JSON configurations.

What is for users: `to_categorical`, `set_random_seed` and `PyDataset` under Keras's names, and
`register`.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from gpucnn.utils.keras import missing

if TYPE_CHECKING:
    from gpucnn.utils.categorical import to_categorical as to_categorical
    from gpucnn.utils.objects.config import register as register
    from gpucnn.utils.py_dataset import PyDataset as PyDataset
    from gpucnn.utils.py_dataset import Sequence as Sequence
    from gpucnn.utils.seeds import set_random_seed as set_random_seed

FOR_USERS = {
    "PyDataset": "gpucnn.utils.py_dataset",
    "Sequence": "gpucnn.utils.py_dataset",
    "register": "gpucnn.utils.objects.config",
    "set_random_seed": "gpucnn.utils.seeds",
    "to_categorical": "gpucnn.utils.categorical",
}
"""The modules that have what is for users, by name."""


def __getattr__(name: str) -> object:
    """What is for users, imported when it is used: other parts of the package are without NumPy."""
    if name in FOR_USERS:
        return getattr(import_module(FOR_USERS[name]), name)
    raise missing(__name__, name, sys._getframe(1))
