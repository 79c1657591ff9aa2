"""Windows as ONNX and PyTorch have them, whose padding is written out."""

from dataclasses import dataclass, replace

from gpucnn.backends.window import Padding, Pair, Window
from gpucnn.errors import InvalidValueError
from gpucnn.utils.arithmetic import ceil_div

Sides = tuple[Pair, Pair]
"""Of the rows (above, below) and of the columns (left, right)."""

NONE: Sides = ((0, 0), (0, 0))


@dataclass(frozen=True)
class Sliding:
    """A window that slides over a padded image.

    Args:
        size: (height, width).
        strides: (vertical, horizontal).
        padding: around the image.
        dilation: how many pixels the elements of the window are apart.
        rounds_up: whether a last window may stand out beyond the padding, if it begins before it.

    Raises:
        InvalidValueError: an argument is not as described, or strides and dilation are both above
            1, which no layer has.
    """

    size: Pair
    strides: Pair = (1, 1)
    padding: Sides = NONE
    dilation: Pair = (1, 1)
    rounds_up: bool = False

    def __post_init__(self) -> None:
        if min(*self.size, *self.strides, *self.dilation) < 1 or min(map(min, self.padding)) < 0:
            raise InvalidValueError(
                f"its window has the size {self.size}, strides {self.strides}, padding "
                f"{self.padding} and dilation {self.dilation}: all must be at least 1, and padding "
                "at least 0"
            )
        if max(self.strides) > 1 and max(self.dilation) > 1:
            raise InvalidValueError(
                f"its strides are {self.strides} and its dilation {self.dilation}: only one of "
                "them may be above 1"
            )

    def sees_edges(self, sides: Sides) -> bool:
        """Whether each window that sees one of so many pixels beyond an edge sees that of it."""
        reach = zip(sides, self.size, strict=True)
        return self.padding == NONE and all(max(side) < size for side, size in reach)

    def padded_to_same(self, image: Pair, *, at_end: bool) -> "Sliding":
        """The window with the padding of "same" over images, the odd one at the end or not."""
        same = Window(image, self.size, self.strides, "same", self.dilation)
        less, more = zip(same.padding_before, same.padding_after, strict=True)
        padding = (less, more) if at_end else (less[::-1], more[::-1])
        return replace(self, padding=padding)

    def without_first(self, cut: Pair) -> "Sliding":
        """The window without its first positions, so many along each axis, as far as they pad."""
        rows, columns = (
            (before - count * stride, after)
            for (before, after), count, stride in zip(self.padding, cut, self.strides, strict=True)
        )
        return replace(self, padding=(rows, columns))

    def over(self, image: Pair) -> Padding | Sides:
        """How a layer slides over images of the size (height, width).

        Returns:
            "valid" or "same" where these are the same, else the padding that is needed before
            "valid".

        Raises:
            InvalidValueError: the window is larger than the padded image.
        """
        output = self._positions(image, 0), self._positions(image, 1)
        reached = self._reached(image, output, 0), self._reached(image, output, 1)
        if reached == NONE:
            return "valid"
        same = Window(image, self.size, self.strides, "same", self.dilation)
        of_same = zip(same.padding_before, same.padding_after, strict=True)
        if same.output == output and reached == tuple(of_same):
            return "same"
        return reached

    def _positions(self, image: Pair, axis: int) -> int:
        """The number of windows along an axis."""
        before, after = self.padding[axis]
        room = image[axis] + before + after - self._extent(axis)
        stride = self.strides[axis]
        if room <= (-stride if self.rounds_up else -1):
            raise InvalidValueError(
                f"its window of {self.size} with the dilation {self.dilation} is larger than "
                f"images of {image} with the padding {self.padding}: give larger images"
            )
        if not self.rounds_up:
            return room // stride + 1
        last = ceil_div(room, stride)
        return last + 1 if last * stride < image[axis] + before else last

    def _reached(self, image: Pair, output: Pair, axis: int) -> Pair:
        """The padding along an axis as far as windows reach."""
        before = self.padding[axis][0]
        reach = (output[axis] - 1) * self.strides[axis] + self._extent(axis)
        return before, max(reach - before - image[axis], 0)

    def _extent(self, axis: int) -> int:
        return (self.size[axis] - 1) * self.dilation[axis] + 1

    def stands_out(self, image: Pair) -> bool:
        """Whether a window reaches beyond the padding, since positions are rounded up."""
        output = self._positions(image, 0), self._positions(image, 1)
        return any(self._reached(image, output, axis)[1] > self.padding[axis][1] for axis in (0, 1))
