"""Sources: what is trained on, measured or predicted, as parts that are in memory one by one."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.models.data.chunk import Chunk, ChunkLayout, Part
from gpucnn.models.data.labelled import Labelled
from gpucnn.models.data.stream import Given, Stream
from gpucnn.models.pixels import NORMALIZED, Conversion, Encoding, Pixels, conversion, convert
from gpucnn.utils.arithmetic import ceil_div

ImageOrder = Callable[[int, int], NDArray[np.int64]]
"""The order of training, int64 (n,), in an epoch, given its number, from 1, of n images."""


def as_given(epoch: int, images: int) -> NDArray[np.int64]:
    """The order that images have."""
    return np.arange(images, dtype=np.int64)


class Source(ABC):
    """Checked images with what belongs to them.

    Attributes:
        memory: what is to be in memory: all images, or arrays for a chunk of them.
        batch_size: images in a full batch.
        steps: batches in an epoch; None if their number is not known.
    """

    memory: Labelled | ChunkLayout
    batch_size: int
    steps: int | None

    @property
    @abstractmethod
    def pixels(self) -> Pixels:
        """Those of the images that were seen so far."""

    @property
    def images(self) -> int | None:
        """The images of an epoch, if all batches are full; None if they are not known."""
        return None if self.steps is None else self.steps * self.batch_size

    @abstractmethod
    def parts(self, epoch: int = 1, chunk: Chunk | None = None) -> Iterator[Part]:
        """The images of an epoch.

        Args:
            epoch: its number, from 1.
            chunk: arrays as in `memory`; None to allocate them.

        Yields:
            What is in memory together, to be used before the next.
        """

    @abstractmethod
    def in_memory(self) -> Iterator[tuple[Labelled, int]]:
        """The images of an epoch on the host, in parts as `parts` gives them.

        Yields:
            Images to be used before the next, and the number of them in a batch.
        """

    def has_ended(self, epoch: int) -> bool:
        """Whether nothing is left for epoch number `epoch`, of which a warning tells."""
        return False


class Arrays(Source):
    """Images that are in memory as a whole.

    Args:
        data: the images.
        batch_size: images in a batch.
        order: of training.
    """

    def __init__(self, data: Labelled, batch_size: int, order: ImageOrder = as_given) -> None:
        self._data = self.memory = data
        self.batch_size, self._order = batch_size, order
        self._count = len(data.images)
        self.steps = ceil_div(self._count, batch_size)

    @cached_property
    def pixels(self) -> Pixels:
        return Pixels.of_training(self._data.images)

    @property
    def images(self) -> int:
        return self._count

    def parts(self, epoch: int = 1, chunk: Chunk | None = None) -> Iterator[Part]:
        yield Part(self._order(epoch, self._count), self.batch_size)

    def in_memory(self) -> Iterator[tuple[Labelled, int]]:
        yield self._data, self.batch_size


class Batches(Source):
    """Images of a stream, a chunk at a time.

    The first two batches decide how large a full one is, of which kinds the arrays are, and how the
    pixels of all are converted.

    Args:
        stream: gives the batches.
        check: checks one of them.
        dtype: real, of the model.
        epoch: the number of the first epoch.
        trained: the pixels that the model was trained on, to which these are converted; None to
            leave them as they are.
        of_bytes: the encoding in which the model sees bytes.

    Raises:
        InvalidTypeError: one of the first two batches cannot be used.
        InvalidValueError: likewise, or there is none.
    """

    def __init__(
        self,
        stream: Stream,
        check: Callable[[Given], Labelled],
        dtype: "np.dtype[np.floating]",
        epoch: int = 1,
        trained: Pixels | None = None,
        of_bytes: Encoding = NORMALIZED,
    ) -> None:
        self._stream, self._check, self._dtype = stream, check, dtype
        self._pixels: Pixels | None = None
        self._conversion: Conversion | None = None
        given = stream.peek(epoch, 2)
        if not given:
            raise InvalidValueError(f"{stream.name} gives no batch: give at least one")
        first = [self._checked(each) for each in given]
        if trained is not None:
            with naming(given[0].name):
                self._conversion = conversion(self.pixels, trained, of_bytes)
        first = [self._converted(each) for each in first]
        self.memory = self._layout = ChunkLayout.of(first, dtype, stream.steps)
        self.batch_size, self.steps = self._layout.batch_size, stream.steps

    @property
    def pixels(self) -> Pixels:
        assert self._pixels is not None
        return self._pixels

    def parts(self, epoch: int = 1, chunk: Chunk | None = None) -> Iterator[Part]:
        chunk = chunk or Chunk(self._layout)
        is_empty = True
        for part in chunk.parts(self._batches(epoch)):
            is_empty = False
            yield part
        if is_empty:
            raise InvalidValueError(f"{self._stream.name} gives no batch in epoch {epoch}")

    def in_memory(self) -> Iterator[tuple[Labelled, int]]:
        for part in self.parts():
            assert part.chunk is not None
            yield part.chunk, part.batch_size

    def has_ended(self, epoch: int) -> bool:
        return self._stream.has_ended(epoch)

    def _batches(self, epoch: int) -> Iterator[Labelled]:
        """The batches of an epoch as they are to be in memory."""
        for given in self._stream.epoch(epoch):
            batch = self._converted(self._checked(given))
            with naming(given.name):
                self._layout.check(batch)
            yield batch

    def _checked(self, given: Given) -> Labelled:
        """A batch with its pixels as they are, which are noted."""
        with naming(given.name):
            batch = self._check(given)
            pixels = Pixels.of_training(batch.images)
            if self._pixels is not None and self._pixels.kind != pixels.kind:
                raise InvalidValueError(
                    f"its pixels are {pixels}, and those of the batches before are "
                    f"{self._pixels}: give all batches as bytes, or all as floating-point numbers"
                )
        self._pixels = pixels if self._pixels is None else self._pixels.joined(pixels)
        return batch

    def _converted(self, batch: Labelled) -> Labelled:
        """A batch with its pixels as the model takes them."""
        return batch._replace(images=convert(batch.images, self._conversion, self._dtype))


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Let an error of a batch, or other data, say which it is."""
    try:
        yield
    except (InvalidTypeError, InvalidValueError) as error:
        raise type(error)(f"{what}: {error}") from error
