"""The variables in a file of HDF5, as Keras writes it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidValueError, MissingExtraError, printable


@contextmanager
def opened(file: BinaryIO, size: int) -> Iterator["Variables"]:
    """The variables of a file.

    Args:
        file: is read.
        size: of it, in bytes.

    Raises:
        MissingExtraError: the package h5py is not installed.
        OSError: it is not of HDF5, or damaged.
    """
    with h5py().File(file, "r") as root:
        yield Variables(root, size)


def h5py() -> Any:
    """The package h5py.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("a file of Keras", "the package h5py", "keras") from error
    return h5py


BFLOAT16 = np.dtype("V2")
"""How Keras writes numbers of bfloat16: as two bytes each, which NumPy has no numbers for."""


class Variables:
    """The variables of layers in a file, of which nothing but numbers within it is read.

    Methods raise an InvalidValueError where there is not what they read, or not as Keras writes
    it: HDF5 can have numbers of other files, and small files can have any number of zeros. Nor are
    attributes read: of damaged texts among them, the library HDF5 may read without end.

    Args:
        root: the file, opened by h5py.
        size: of the file, in bytes.
    """

    def __init__(self, root: Any, size: int) -> None:
        self._root, self._left = root, size

    def __contains__(self, name: str) -> bool:
        """Whether there is a group, or an array, of a name at the top."""
        return name in self._root

    def has_inner_models(self) -> bool:
        """Whether a layer that Keras has at the top is a model of layers itself."""
        for name in self._at("layers"):
            with suppress(InvalidValueError):
                self._at(f"layers/{name}/layers")
                return True
        return False

    def of_group(self, group: str) -> list[NDArray[Any]]:
        """Those that Keras 3 has in the group of a layer, such as "layers/conv2d", in order."""
        inner = f"{group}/vars"
        return [self._array(f"{inner}/{number}") for number in range(len(self._at(inner)))]

    def _array(self, path: str) -> NDArray[Any]:
        found = self._at(path)
        is_array = isinstance(found, h5py().Dataset)
        if not is_array or (found.dtype.kind not in "fiu" and found.dtype != BFLOAT16):
            raise InvalidValueError(f"its {printable(path, 100)} is not an array of numbers")
        if found.external or found.is_virtual or found.nbytes > self._left:
            raise InvalidValueError(f"the numbers of its {printable(path, 100)} are not in it")
        self._left -= found.nbytes
        values = np.asarray(found[()])
        return _of_bfloat16(values) if values.dtype == BFLOAT16 else values

    def _at(self, path: str) -> Any:
        """What is at a path, without the links that lead out of the file."""
        found = self._root
        for name in path.split("/"):
            is_here = isinstance(found, h5py().Group) and name in found
            if not is_here or not isinstance(found.get(name, getlink=True), h5py().HardLink):
                raise InvalidValueError(f"it has no {printable(path, 100)}")
            found = found[name]
        return found


def _of_bfloat16(values: NDArray[Any]) -> NDArray[np.float32]:
    """Numbers of bfloat16, which are the upper halves of those of float32."""
    halves = np.stack([np.zeros(values.shape, np.uint16), values.view(np.uint16)], axis=-1)
    return halves.astype("<u2").view("<f4")[..., 0].astype(np.float32)
