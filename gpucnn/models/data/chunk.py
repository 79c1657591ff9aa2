"""Chunks: memory for several batches of a stream, which is filled again and again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.datasets.device_dataset import label_dtype
from gpucnn.errors import InvalidValueError
from gpucnn.models.data.labelled import Labelled

CHUNK = 32 * 2**20
"""Bytes of images and labels of a chunk, unless they are fewer batches than `LEAST_BATCHES`."""

LEAST_BATCHES = 8
"""Batches that a chunk has room for, so that what it costs to begin one is shared by several."""


class Part(NamedTuple):
    """Images that are in memory together: all of them, or a chunk of a stream.

    Attributes:
        order: int64 (n,), their indices in the order of training.
        batch_size: images in a batch; the last one may have fewer.
        chunk: the images to be copied to the device first; None if they are there.
    """

    order: NDArray[np.int64]
    batch_size: int
    chunk: Labelled | None = None


@dataclass(frozen=True)
class ChunkLayout:
    """The arrays of a chunk.

    Args:
        batch_size: images in a full batch.
        batches: that there is room for.
        shape: of an image.
        pixels: the dtype of the images.
        label_shape: of a label.
        label_dtype: of the labels.
        weight_dtype: of the weights of images; None if they have none.
    """

    batch_size: int
    batches: int
    shape: tuple[int, ...]
    pixels: "np.dtype[Any]"
    label_shape: tuple[int, ...]
    label_dtype: "np.dtype[Any]"
    weight_dtype: "np.dtype[Any] | None"

    @classmethod
    def of(
        cls, batches: Sequence[Labelled], dtype: "np.dtype[np.floating]", steps: int | None = None
    ) -> "ChunkLayout":
        """That of a stream.

        Args:
            batches: its first ones.
            dtype: real, of the model.
            steps: the batches of an epoch; None if they are not known.
        """
        size = max(len(each.images) for each in batches)
        images, labels = batches[0].images, max((b.labels for b in batches), key=np.ndim)
        pixels = np.dtype(np.uint8) if images.dtype == np.uint8 else dtype
        of_labels = labels.shape[1:], label_dtype(labels, dtype)
        kinds = (images.shape[1:], pixels), of_labels
        fitting = CHUNK // (size * sum(prod(shape) * kind.itemsize for shape, kind in kinds))
        if steps is not None:
            fitting = min(fitting, steps)
        is_weighted = any(each.weights is not None for each in batches)
        weights = dtype if is_weighted else None
        return cls(size, max(fitting, LEAST_BATCHES), images.shape[1:], pixels, *of_labels, weights)

    @classmethod
    def of_batch(cls, batch: Labelled, dtype: "np.dtype[np.floating]") -> "ChunkLayout":
        """That of a single batch."""
        return replace(cls.of([batch], dtype), batches=1)

    @property
    def images(self) -> int:
        """The images that there is room for."""
        return self.batch_size * self.batches

    @property
    def kinds(self) -> dict[str, tuple[tuple[int, ...], "np.dtype[Any]"]]:
        """The shapes and dtypes of the arrays, by the names of `Labelled`."""
        count = (self.images,)
        kinds: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {
            "images": ((*count, *self.shape), self.pixels),
            "labels": ((*count, *self.label_shape), self.label_dtype),
        }
        if self.weight_dtype is not None:
            kinds["weights"] = count, self.weight_dtype
        return kinds

    def check(self, batch: Labelled) -> None:
        """Check that a batch can be in the chunk.

        Raises:
            InvalidValueError: it has more images than there is room for, or its labels or weights
                are of another kind than the arrays.
        """
        count = len(batch.images)
        if count > self.images:
            raise InvalidValueError(
                f"it has {count} images, for which there is no memory, since the first two have at "
                f"most {self.batch_size}: begin with a full batch"
            )
        if batch.labels.ndim - 1 > len(self.label_shape):
            raise InvalidValueError(
                "it has labels that are not certain, and the first two only such as are: begin "
                "with one like it"
            )
        if batch.weights is not None and self.weight_dtype is None:
            raise InvalidValueError(
                "it has sample_weight, and the first two have none: give it with each batch"
            )


class Chunk:
    """Consecutive batches of a stream, in arrays that are kept.

    All but the last have as many images as the first, and the last no more.

    Args:
        layout: of the arrays.
        arrays: by the names of `Labelled`; allocated here if None.
        is_on_device: whether they are those that a device computes with.
    """

    def __init__(
        self,
        layout: ChunkLayout,
        arrays: dict[str, NDArray[Any]] | None = None,
        *,
        is_on_device: bool = False,
    ) -> None:
        if arrays is None:
            arrays = {name: np.empty(*kind) for name, kind in layout.kinds.items()}
        self._layout, self._arrays, self._is_on_device = layout, Labelled(**arrays), is_on_device
        self._clear()

    def _clear(self) -> None:
        self._sizes: list[int] = []

    def parts(self, batches: Iterable[Labelled]) -> Iterator[Part]:
        """Fill the chunk with batches, one after the other, as often as they need it.

        Args:
            batches: that the layout takes, see `ChunkLayout.check`.

        Yields:
            What is in it, to be used before the next.
        """
        self._clear()
        for batch in batches:
            if self._sizes and not self._takes(len(batch.images)):
                yield self._part()
                self._clear()
            self._add(batch)
        if self._sizes:
            yield self._part()

    def first(self, count: int) -> Labelled:
        """Views of the first images that are in it, with what belongs to them."""
        return self._arrays.first(count)

    def _takes(self, count: int) -> bool:
        """Whether a batch of `count` images can follow those that there are."""
        has_room = sum(self._sizes) + count <= self._layout.images
        first, last = self._sizes[0], self._sizes[-1]
        return has_room and len(self._sizes) < self._layout.batches and count <= first == last

    def _add(self, batch: Labelled) -> None:
        first, count = sum(self._sizes), len(batch.images)
        rows = slice(first, first + count)
        images, labels, weights = self._arrays
        images[rows] = batch.images
        if batch.labels.ndim == labels.ndim:
            labels[rows] = batch.labels
        else:  # that happen to be certain
            labels[rows] = np.eye(labels.shape[1])[batch.labels]
        if weights is not None:
            weights[rows] = 1 if batch.weights is None else batch.weights
        self._sizes.append(count)

    def _part(self) -> Part:
        count, size = sum(self._sizes), self._sizes[0]
        order = np.arange(count, dtype=np.int64)
        return Part(order, size, None if self._is_on_device else self.first(count))
