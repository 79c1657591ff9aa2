"""Memory with a part for each image of a batch, kept for batches of any size."""

from math import prod

import numpy as np

from gpucnn.backends.base import Array, Backend
from gpucnn.backends.buffer import Buffer


class BatchMemory:
    """A buffer on a backend, for batches of any size up to the largest that was reserved.

    Args:
        backend: where it lies.
        buffer: what each image needs.
        real: the floating-point dtype of the model.
    """

    def __init__(self, backend: Backend, buffer: Buffer, real: "np.dtype[np.floating]") -> None:
        self._backend, self._buffer = backend, buffer
        self._dtype = np.dtype(buffer.dtype or real)
        self._batch = 0
        self._memory = backend.private((0,), self._dtype)
        self._views: dict[int, Array] = {}

    def reserve(self, batch: int) -> bool:
        """Have memory for batches of up to `batch` images; whether it is other than before."""
        grows = batch > self._batch
        if grows:
            self._views.clear()
            del self._memory  # freed before the larger one is allocated
            size = batch * prod(self._buffer.shape)
            self._memory, self._batch = self._backend.private((size,), self._dtype), batch
        return grows

    def __getitem__(self, batch: int) -> Array:
        """The memory for `batch` images, (batch, *shape), always the same array for as many."""
        view = self._views.get(batch)
        if view is None:
            self.reserve(batch)
            shape, order = self._buffer.shape, self._buffer.order
            view = self._views[batch] = self._backend.batch_view(self._memory, batch, shape, order)
        return view
