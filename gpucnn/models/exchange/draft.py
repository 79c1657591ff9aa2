"""A model in the making, whose tensors have other shapes and orders elsewhere."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Shape
from gpucnn.errors import InvalidValueError
from gpucnn.layers import Add, Concatenate, Flatten, Layer, Reshape, Softmax
from gpucnn.layers.base import kind_of
from gpucnn.models.exchange.imported import Imported
from gpucnn.models.exchange.sliding import Sides
from gpucnn.models.graph import IMAGES, Graph

MOST_NUMBERS = 2**25
"""Of one image between two layers, whose places take four bytes each while a model is read."""

Weights = Sequence[NDArray[Any]]


@contextmanager
def blaming(what: str) -> Iterator[None]:
    """Say of an error that it is that of an operation, such as "the node conv1 (Conv)"."""
    try:
        yield
    except InvalidValueError as error:
        raise InvalidValueError(f"{what}: {error}") from error


@dataclass(frozen=True, eq=False)
class Output:
    """A tensor of a draft.

    Args:
        number: of the layer that gives it, or `IMAGES`.
        shape: of what the layer gives.
        places: of its elements among those of the layer, in the shape that the tensor has where it
            comes from.
        repeated: the pixels of the edges that are put around the image; None for none.
    """

    number: int
    shape: Shape
    places: NDArray[np.int32]
    repeated: Sides | None


class Draft:
    """Layers, which take the outputs of others before them, with their weights.

    An operation takes the output of the one before it, unless another was resumed. Where operations
    come from, the tensor between two of them has a shape and an order of its own. The draft knows
    of each element of an image there which one of gpucnn's it is: operations that move elements,
    such as a transposition, change that alone, and no layer comes of it.

    Shapes are those of one image, without the batch axis, and so are axes: 0 is that after it.
    Methods raise an InvalidValueError, without the name of the operation, where no layer does what
    they ask for.

    Args:
        shape: of the input, where it comes from.
        channels_first: whether it is an image whose channels are the first axis, not the last one.
        keeps_names: whether layers have the names of `enter`; else those that their model gives.
    """

    def __init__(self, shape: Shape, *, channels_first: bool, keeps_names: bool = False) -> None:
        _check_size(shape)
        self._input_shape = (*shape[1:], shape[0]) if channels_first else tuple(shape)
        self._keeps_names = keeps_names
        self._name = ""
        self._names: set[str] = set()
        self._layers: list[Layer] = []
        self._weights: list[list[NDArray[Any]]] = []
        self._inputs: list[tuple[int, ...]] = []  # the numbers of the layers that each takes
        self._shared: set[int] = set()  # layers of which several take the output
        self._number = IMAGES  # these four are of the last tensor, see `Output`
        self._shape = self._input_shape
        self._repeated: Sides | None = None
        self._places = in_order(self._shape)
        if channels_first:
            self._places = np.moveaxis(self._places, -1, 0)

    @property
    def shape(self) -> Shape:
        """The shape of the last tensor, where it comes from."""
        return self._places.shape

    @property
    def output(self) -> Output:
        """The last tensor."""
        return Output(self._number, self._shape, self._places, self._repeated)

    def resume(self, output: Output, *, is_shared: bool) -> None:
        """Go on from a tensor.

        Args:
            output: of an operation before.
            is_shared: whether others than the next operation take it too.
        """
        self._number, self._shape = output.number, output.shape
        self._places, self._repeated = output.places, output.repeated
        if is_shared:
            self._shared.add(output.number)

    def enter(self, name: str) -> None:
        """Name the operation that the next layer comes of."""
        self._name = name

    def finish(self, name: str | None = None) -> Imported:
        """What the draft has become, a model that gives vectors.

        Raises:
            InvalidValueError: it gives the elements of an image in another order than gpucnn.
        """
        if not is_in_order(self._places):
            raise InvalidValueError(
                "the model gives an image, channels first, but a model of gpucnn gives vectors, "
                "made in the order (rows, columns, channels): let it end in a dense layer or in "
                "pooling of whole images"
            )
        if len(self._shape) > 1:
            self.add(Flatten())
        graph = Graph(tuple(self._inputs))
        joined = None if graph.is_chain else graph
        return Imported(self._layers, self._weights, self._input_shape, name, graph=joined)

    # Layers

    def add(self, layer: Layer, weights: Weights = ()) -> None:
        """Append a layer; one that moves elements is followed by a setting of `_places`.

        Args:
            layer: not built.
            weights: of it, in the order of `Layer.get_weights`.
        """
        self._append(layer, weights, [self.output])

    def _append(self, layer: Layer, weights: Weights, outputs: Sequence[Output]) -> None:
        """Append a layer that takes these tensors, the last one or those that it merges."""
        for each in outputs:
            if each.number != IMAGES and isinstance(self._layers[each.number], Softmax):
                raise InvalidValueError(
                    "it follows softmax, which a model of gpucnn has at its end alone: leave one "
                    "out"
                )
            if each.repeated is not None:
                raise InvalidValueError(
                    "it follows a padding by pixels of the edges, which gpucnn has before maxima "
                    "alone"
                )
        shapes = tuple(each.shape for each in outputs)
        self._build(layer, weights, shapes if layer.is_merging else shapes[0])
        self._shape, self._repeated, self._number = layer.output_shape, None, len(self._layers)
        self._layers.append(layer)
        self._weights.append(list(weights))
        self._inputs.append(tuple(each.number for each in outputs))

    def _build(self, layer: Layer, weights: Weights, shape: Any) -> None:
        """Build a layer for what it takes, under the name of the operation if that is kept."""
        if self._keeps_names and self._name and self._name not in self._names:
            layer.name = self._name
            self._names.add(self._name)
        self._name = ""
        layer.name_in_model = kind_of(layer)  # for error messages
        layer.build(shape)
        self._check_weights(layer, weights)
        _check_size(layer.output_shape)

    def _check_weights(self, layer: Layer, weights: Weights) -> None:
        shapes = [*layer.parameter_shapes().values(), *layer.state_shapes().values()]
        if [each.shape for each in weights] != shapes:
            raise InvalidValueError(
                f"it has weights of the shapes {[each.shape for each in weights]}, in the order of "
                f"gpucnn, but {shapes} are needed for its input: give another copy"
            )

    def _replace_last(self, layer: Layer, *further: NDArray[Any]) -> None:
        number = self._number
        weights = [*self._weights[number], *further]
        self._build(layer, weights, self._layers[number].input_shape)
        self._layers[number], self._weights[number] = layer, weights

    @property
    def _last(self) -> Layer | None:
        """The layer that gives the last tensor, which can be replaced: no others take that."""
        is_ours = self._number != IMAGES and self._number not in self._shared
        return self._layers[self._number] if is_ours else None

    def _add_before(self, layer: Layer) -> None:
        """Append a layer that the operation needs before its own, which has the name."""
        name, self._name = self._name, ""
        self.add(layer)
        self._name = name

    # Several tensors

    def sum_up(self, outputs: Sequence[Output]) -> None:
        """Add tensors of one shape, element by element."""
        aligned, channels = self._aligned(outputs)
        self._append(Add(), (), aligned)
        places = aligned[0].places
        if channels is not None:
            self._places = np.moveaxis(in_order(self._shape), -1, channels)
        elif any((each.places != places).any() for each in aligned):
            raise InvalidValueError(
                "it adds vectors that have their elements in different orders: flatten images of "
                "one shape"
            )
        else:
            self._places = places

    def concatenate(self, outputs: Sequence[Output], axis: int) -> None:
        """Put tensors one after the other along an axis."""
        aligned, channels = self._aligned(outputs)
        if channels is None:
            starts = np.cumsum([0, *(each.places.size for each in aligned[:-1])], dtype=np.int32)
            self._append(Concatenate(), (), aligned)
            placed = zip(aligned, starts, strict=True)
            self._places = np.concatenate([each.places + start for each, start in placed])
        else:
            axes = list(range(len(aligned[0].shape)))
            axes.append(axes.pop(channels))
            place = axes.index(axis) + 1
            self._append(Concatenate(-1 if place == len(axes) else place), (), aligned)
            self._places = np.moveaxis(in_order(self._shape), -1, channels)

    def _aligned(self, outputs: Sequence[Output]) -> tuple[list[Output], int | None]:
        """Tensors as layers give them in one order, and which axis of theirs is that of channels.

        Of vectors it is None, and they stay as they are.
        """
        shapes = [each.places.shape for each in outputs]
        if len({len(shape) for shape in shapes}) > 1:
            raise InvalidValueError(
                f"it merges tensors of the shapes {', '.join(map(str, shapes))}, but gpucnn those "
                "of as many axes: bring them to one shape first"
            )
        if len(shapes[0]) == 1:
            return list(outputs), None
        moved = {axis: [np.moveaxis(o.places, axis, -1) for o in outputs] for axis in (0, -1)}
        lying = [axis for axis in moved if all(map(is_in_order, moved[axis]))] or [-1]
        given = [each.shape for each in outputs]
        as_given = [axis for axis in lying if [each.shape for each in moved[axis]] == given]
        channels = (as_given or lying)[0]
        return [self._lying(each, channels) for each in outputs], channels

    def _lying(self, output: Output, channels: int) -> Output:
        """A tensor as a layer gives it, with that axis last."""
        self.resume(output, is_shared=False)
        self._lie_as(np.moveaxis(self._places, channels, -1))
        return self.output

    # Elements in other places

    def reshape(self, shape: Sequence[int]) -> None:
        """Give the elements another shape, in the order in which they lie; a size may be -1."""
        size, known = self._places.size, prod(each for each in shape if each != -1)
        full = [size // known if each == -1 and known > 0 else each for each in shape]
        if min(full, default=1) < 1 or prod(full) != size:
            raise InvalidValueError(
                f"it makes the shape {tuple(shape)} of one of {self.shape}: give another copy"
            )
        self._places = self._places.reshape(full)
        if len(full) == 1 and len(self._shape) > 1:
            self.add(Flatten())
        elif len(full) > 1 and is_in_order(self._places) and not self._is_image_already():
            self.add(Reshape(tuple(full)))

    def reshape_batch(self, images: int, shape: Sequence[int]) -> None:
        """Give a batch another shape.

        Args:
            images: how many there are in it.
            shape: with the axis of images, which stays the first one; a size may be -1.
        """
        first, *rest = shape
        if first == -1 and prod(rest) == self._places.size:
            first = images
        if first != images or not rest:
            raise InvalidValueError(
                f"it makes the shape {tuple(shape)}, whose first axis is not that of the {images} "
                "images: let it be"
            )
        self.reshape(rest)

    def _is_image_already(self) -> bool:
        """Whether the layers give the last tensor, or the same with its channels last."""
        return self._shape in (self.shape, (*self.shape[1:], self.shape[0]))

    def transpose(self, axes: Sequence[int]) -> None:
        """Permute the axes."""
        if sorted(axes) != list(range(len(self.shape))):
            raise InvalidValueError(f"it permutes the axes {tuple(axes)} of {self.shape}")
        self._places = self._places.transpose(axes)

    def take(self, indices: NDArray[Any], axis: int) -> None:
        """Permute the elements along an axis."""
        if indices.ndim != 1 or sorted(indices.tolist()) != list(range(self.shape[axis])):
            raise InvalidValueError(
                f"it takes some elements of axis {axis} of {self.shape}, but gpucnn's layers use "
                "all of them"
            )
        self._places = self._places.take(indices, axis)

    # Elements as layers take them

    def _image(self) -> Shape:
        """See that the layers give the image, (rows, columns, channels), that comes here first."""
        if len(self.shape) != 3:
            raise InvalidValueError(
                "it takes images of the shape (channels, rows, columns), but its input has the "
                f"shape {self.shape}"
            )
        self._lie_as(np.moveaxis(self._places, 0, -1))
        return self._shape

    def _lie_as(self, places: NDArray[np.int32]) -> None:
        """See that the layers give elements in these places, in this shape."""
        if not is_in_order(places):
            raise InvalidValueError(
                f"its input, of the shape {self.shape}, has its elements in an order in which "
                "gpucnn, whose images are (rows, columns, channels), cannot bring them: leave out "
                "the Transpose or Reshape before it"
            )
        if places.shape != self._shape:
            self._add_before(Reshape(places.shape))

    def _place_image(self) -> None:
        """Note that the last layer gives an image whose channels come first where it comes from."""
        self._places = np.moveaxis(in_order(self._shape), -1, 0)

    def _of_vector(self, values: NDArray[Any]) -> NDArray[Any]:
        """What belongs to the elements of a vector, in gpucnn's order."""
        if values.shape != self.shape:
            raise InvalidValueError(
                f"it has {values.size} numbers for an input of the shape {self.shape}: give "
                "another copy"
            )
        ordered = np.empty_like(values)
        ordered[self._places] = values
        return ordered

    def _of_channels(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Numbers that meet the elements as in NumPy: (), or (c,) in the order of gpucnn."""
        if values.size == 1:
            return values.reshape(()).astype(np.float64)
        try:
            (met,) = np.broadcast_to(values, (1, *self.shape))
        except ValueError:
            raise InvalidValueError(
                f"it has numbers of the shape {values.shape} for an input of the shape "
                f"{self.shape}: give another copy"
            ) from None
        ordered = np.empty(self._places.size)
        ordered[self._places.ravel()] = met.ravel()
        rows = ordered.reshape(-1, self._shape[-1])
        if (rows != rows[0]).any():
            raise InvalidValueError(
                "it has a number for each pixel, but gpucnn scales and shifts by channels alone: "
                "do so to the images before"
            )
        channels: NDArray[np.float64] = rows[0]
        return channels


def in_order(shape: Shape) -> NDArray[np.int32]:
    """The places of the elements of gpucnn's own tensors."""
    return np.arange(prod(shape), dtype=np.int32).reshape(shape)


def is_in_order(places: NDArray[np.int32]) -> bool:
    """Whether elements lie as gpucnn's own."""
    return bool((places.ravel() == np.arange(places.size)).all())


def _check_size(shape: Shape) -> None:
    if min(shape, default=0) < 1 or prod(shape) > MOST_NUMBERS:
        raise InvalidValueError(
            f"an image has the shape {shape} there: it must have from 1 to {MOST_NUMBERS:,} numbers"
        )
