"""Streams: batches that an iterable of the user's gives, epoch by epoch."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.utils import arguments
from gpucnn.utils.warn import warn


class Given(NamedTuple):
    """What an iterable gives for a batch, unchecked.

    Attributes:
        x: the images.
        y: the labels; None if there are none.
        weights: of the images in the loss; None for 1.
        name: what the batch is called in errors.
    """

    x: Any
    y: Any
    weights: Any
    name: str

    @classmethod
    def of(cls, batch: Any, name: str, *, has_labels: bool) -> "Given":
        """The parts of a batch.

        Args:
            batch: (images, labels) or (images, labels, sample_weight); where it need not have
                labels also images alone.
            name: see above.
            has_labels: whether there must be labels.

        Raises:
            InvalidTypeError: it is none of these.
        """
        parts = list(batch) if isinstance(batch, (tuple, list)) else [batch]
        if isinstance(batch, Mapping) or not 1 + has_labels <= len(parts) <= 3:
            raise InvalidTypeError(
                f"{name} is no pair but of {type(batch).__name__}: give (images, labels), or these "
                "and sample_weight"
            )
        x, y, weights = [*parts, None, None][:3]
        return cls(x, y, weights, name)

    def copied(self) -> "Given":
        """A copy, since an iterable may use the same arrays for its next batch."""
        x, y, weights = (None if each is None else np.array(each) for each in self[:3])
        return Given(x, y, weights, self.name)


Order = Callable[[int, int], Iterable[int]]
"""The order of batches in an epoch, given the epoch's number, from 1, and that of the batches."""


def in_turn(epoch: int, batches: int) -> range:
    """The order that batches have."""
    return range(batches)


def is_stream(x: Any, *, has_labels: bool) -> bool:
    """Whether `x` gives batches, and is not an array of images.

    A list or a tuple gives batches where these have the labels, and else if they are tuples.

    Args:
        x: as given by the user.
        has_labels: whether labels must be among what is given.
    """
    if hasattr(x, "__array__") or isinstance(x, (str, bytes, Mapping)):
        return False
    if isinstance(x, (list, tuple)):
        return has_labels or (len(x) > 0 and isinstance(x[0], tuple))
    return isinstance(x, Iterable) or _can_be_indexed(x)


INSTEAD = {
    "y": "leave it out, since they have the labels",
    "batch_size": "leave it out, since they have a size of their own",
    "sample_weight": "let them be (images, labels, sample_weight)",
    "validation_split": "give validation_data",
}
"""What to do instead of giving an argument that does not go with batches."""


def refuse_with_batches(**given: Any) -> None:
    """Refuse arguments that do not go with an iterable of batches.

    Args:
        given: arguments of `INSTEAD`; None or 0 where they are not given.

    Raises:
        InvalidValueError: one is given.
    """
    for name, value in given.items():
        if value is not None and not (isinstance(value, (int, float)) and value == 0):
            raise InvalidValueError(
                f"{name} is given, but x is an iterable of batches: {INSTEAD[name]}"
            )


def refuse_with_arrays(**given: Any) -> None:
    """Refuse numbers of steps, unless they are None, where there is no iterable of batches.

    Raises:
        InvalidValueError: one is given.
    """
    for name, value in given.items():
        if value is not None:
            raise InvalidValueError(
                f"{name} is {value!r}, but counts the batches of an iterable, and there is none: "
                "leave it out"
            )


def _can_be_indexed(x: Any) -> bool:
    return hasattr(x, "__getitem__") and hasattr(x, "__len__")


class Stream:
    """Batches of an iterable, epoch by epoch.

    What can be indexed, and has a length, is asked for its batches by number, in another order each
    epoch. Any other iterable is iterated anew each epoch; an iterator, such as a generator, goes on
    where it was. With `steps`, each goes on where it was, and begins anew at its end if it can, as
    in Keras. A method `on_epoch_begin` or `on_epoch_end` that the iterable has is called.

    Args:
        source: the iterable.
        name: that of the argument which it is.
        steps: the batches of an epoch, or None for all.
        name_of_steps: that of the argument.
        has_labels: whether each batch must have labels.
        order: of the batches that can be indexed.

    Attributes:
        name: as given.
        steps: the batches of an epoch; None if their number is not known.
        has_labels: as given.
        is_iterator: whether the iterable gives its batches once.

    Raises:
        InvalidValueError: `steps` is not a whole number of at least 1.
    """

    def __init__(
        self,
        source: Any,
        name: str = "x",
        steps: int | None = None,
        name_of_steps: str = "steps",
        *,
        has_labels: bool = True,
        order: Order = in_turn,
    ) -> None:
        self.name, self._source, self._order, self.has_labels = name, source, order, has_labels
        self._name_of_steps, self.is_iterator = name_of_steps, isinstance(source, Iterator)
        self._limit = None if steps is None else arguments.positive_integer(steps, name_of_steps)
        self.steps = _length(source) if self._limit is None else self._limit
        self._pass: Iterator[Any] | None = None  # through the iterable
        self._peeked: deque[Given] = deque()
        self._count = 0  # of the batches that it gave
        self._has_told_end = False

    def peek(self, epoch: int, count: int) -> list[Given]:
        """The first batches of the next epoch, number `epoch`, `count` or as many as it has."""
        while len(self._peeked) < min(count, self._limit or count):
            batch = self._next(epoch)
            if batch is None:
                break
            self._peeked.append(batch.copied())
        return list(self._peeked)

    def check_lasts(self, epochs: int) -> None:
        """Check that the iterable has batches for a number of epochs, as far as can be known.

        Raises:
            InvalidValueError: it gives its batches once, and all of them are for the first epoch.
        """
        if self.is_iterator and self._limit is None and epochs > 1:
            raise InvalidValueError(
                f"{self.name} is a {type(self._source).__name__}, whose batches come once, but "
                f"there are {epochs} epochs: give {self._name_of_steps}, or what can be iterated "
                "anew"
            )

    def has_ended(self, epoch: int) -> bool:
        """Whether an iterator has no batch left for epoch number `epoch`, of which it warns."""
        ended = self.is_iterator and not self.peek(epoch, 1)
        if ended:
            self._tell_end()
        return ended

    def epoch(self, epoch: int) -> Iterator[Given]:
        """The batches of epoch number `epoch`."""
        self._call("on_epoch_begin")
        given = 0
        while self._limit is None or given < self._limit:
            batch = self._peeked.popleft() if self._peeked else self._next(epoch)
            if batch is None:
                break
            given += 1
            yield batch
        if self._limit is None:
            self._pass = None
        elif given < self._limit:
            self._tell_end()
        self._call("on_epoch_end")

    def _next(self, epoch: int) -> Given | None:
        """The next batch; None if there is none."""
        is_new = self._pass is None
        if self._pass is None:
            self._pass = self._begin(epoch)
        batch = next(self._pass, END)
        if batch is END and self._limit is not None and not is_new and not self.is_iterator:
            self._pass = self._begin(epoch)
            batch = next(self._pass, END)
        if batch is END:
            return None
        self._count += 1
        name = f"batch {self._count} of {self.name}"
        return Given.of(batch, name, has_labels=self.has_labels)

    def _begin(self, epoch: int) -> Iterator[Any]:
        """A pass through the iterable."""
        source = self._source
        if not _can_be_indexed(source):
            return iter(source)
        return (source[int(number)] for number in self._order(epoch, len(source)))

    def _call(self, name: str) -> None:
        """Call a method of the iterable, if it has it."""
        method = getattr(self._source, name, None)
        if callable(method):
            method()

    def _tell_end(self) -> None:
        if not self._has_told_end:
            self._has_told_end = True
            warn(
                f"{self.name} ended after {self._count} batches, fewer than were asked for",
            )


END: Any = object()
"""What comes after the last batch of a pass."""


def _length(source: Any) -> int | None:
    """The number of batches of an iterable; None if it does not tell."""
    try:
        return len(source)
    except TypeError:  # which has no length, or cannot know it, as that of an unknown data set
        return None
