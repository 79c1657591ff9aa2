"""The passes through stretches of placed layers: their outputs in order, and the gradients back."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from gpucnn.backends import Array, Backend, BatchMemory, Buffer, Calls, Shape
from gpucnn.layers import Layer, Step, Sums, is_of_whole_batch
from gpucnn.models.graph import IMAGES, Stretch

Gradients = dict[int, Array | None]
"""The gradients of the outputs of stretches by number, as far as they are known, of one pass."""


def forward(stretches: Sequence[Stretch], images: Array, step: Step | None) -> Sums[Array]:
    """The output of the last of stretches.

    Args:
        stretches: in order.
        images: real (n, ...), what those take that take `IMAGES`.
        step: the training step; None if `backward` will not be called.
    """
    if len(stretches) == 1 and len(stretches[0].inputs) == 1:
        return _along(stretches[0].layers, images, len(images), step)
    return _forward(stretches, images, step)


def backward(stretches: Sequence[Stretch], gradient: Array | None, totals: "Totals") -> Sums[Any]:
    """Compute the gradients of stretches, given that of the output of the last.

    Args:
        stretches: of the last `forward`.
        gradient: real (n, ...), or None if it is not needed.
        totals: adds up the gradients of an output.
    """
    if len(stretches) == 1:
        return _back_along(stretches[0].layers, gradient)
    return _backward(stretches, gradient, totals)


def bind(stretches: Sequence[Stretch], images: Array, calls: Calls) -> Array:
    """Add the calls of `forward` in inference; returns the output, which they write."""
    x, outputs = images, {IMAGES: images}
    for number, stretch in enumerate(stretches):
        x = taken(stretch.inputs, outputs)
        for layer in stretch.layers:
            x = layer.bind(x, calls)
        outputs[number] = x
    return x


def _forward(stretches: Sequence[Stretch], images: Array, step: Step | None) -> Sums[Array]:
    x, outputs = images, {IMAGES: images}
    for number, stretch in enumerate(stretches):
        x = yield from _along(stretch.layers, taken(stretch.inputs, outputs), len(images), step)
        outputs[number] = x
    return x


def _backward(stretches: Sequence[Stretch], gradient: Array | None, totals: "Totals") -> Sums[None]:
    gradients: Gradients = {len(stretches) - 1: gradient}
    for number in reversed(range(len(stretches))):
        stretch = stretches[number]
        found = yield from _back_along(stretch.layers, gradients.get(number))
        if found is not None:
            totals.add(stretch.inputs, found, gradients)


def _along(layers: Sequence[Layer], x: Any, images: int, step: Step | None) -> Sums[Array]:
    """The output of the last of consecutive layers for `x`, which is that of so many images."""
    for layer in layers:
        if step is not None and is_of_whole_batch(layer):
            output = yield from layer.forward_together(x, step)
        else:
            output = layer.forward(x, step)
        x = output_of(layer, output, images) if layer.is_own else output
    return x  # type: ignore[no-any-return]


def _back_along(layers: Sequence[Layer], gradient: Array | None) -> Sums[Any]:
    """The gradient of what the first of consecutive layers takes, given that of their output.

    It is None if it is not needed.
    """
    found = gradient
    for layer in reversed(layers):
        if found is None:
            return None
        above = found
        if is_of_whole_batch(layer):
            found = yield from layer.backward_together(above)
        else:
            found = layer.backward(above)
        if layer.is_own and (found is not None or layer.needs_input_gradient):
            found = gradient_of(layer, found, len(above))
    return found


def taken(inputs: Sequence[int], outputs: dict[int, Array]) -> Any:
    """What the first layer of a stretch takes: an array, or a list of them if it is merging."""
    return outputs[inputs[0]] if len(inputs) == 1 else [outputs[each] for each in inputs]


def output_of(layer: Layer, output: Any, images: int) -> Array:
    """What a layer of the user's has computed for a number of images, as operations take it."""
    return layer.as_operand(output, (images, *layer.output_shape))


def gradient_of(layer: Layer, gradient: Any, images: int) -> Any:
    """The gradient that such a layer has computed of its input, or those of all, likewise."""
    if not layer.is_merging:
        return layer.as_operand(gradient, (images, *layer.input_shape))
    shapes = layer.input_shapes  # type: ignore[attr-defined]
    pairs = zip(gradient, shapes, strict=True)
    return [layer.as_operand(each, (images, *shape)) for each, shape in pairs]


class Totals:
    """Adds up the gradients of an output over the layers that take it.

    The gradients that it is given stay as they are: layers may share them, and may need them yet.

    Args:
        stretches: of placed layers.
        backend: where they run.
        input_shape: of one image.
        dtype: real, of the model.
        of_images: whether the gradient of the images is wanted.
    """

    def __init__(
        self,
        stretches: Sequence[Stretch],
        backend: Backend,
        input_shape: Shape,
        dtype: "np.dtype[np.floating]",
        *,
        of_images: bool = False,
    ) -> None:
        self._backend = backend
        shapes = {IMAGES: input_shape} if of_images else {}
        shapes |= {
            number: stretch.layers[-1].output_shape
            for number, stretch in enumerate(stretches)
            if stretch.layers[-1].has_parameters or stretch.layers[-1].needs_input_gradient
        }
        self._wanted = frozenset(shapes)
        taken = Counter(chain.from_iterable(each.inputs for each in stretches))
        self.buffers = {n: Buffer(shape) for n, shape in shapes.items() if taken[n] > 1}
        self._memory = {n: BatchMemory(backend, each, dtype) for n, each in self.buffers.items()}

    def reserve(self, images: int) -> None:
        """Reserve memory for microbatches of up to `images`."""
        for memory in self._memory.values():
            memory.reserve(images)

    def add(self, inputs: Sequence[int], found: Any, gradients: Gradients) -> None:
        """Add the gradient of what a stretch takes to those that are known.

        Args:
            inputs: of the stretch.
            found: the gradient of the input, or those of several.
            gradients: of the pass.
        """
        each_of = (found,) if len(inputs) == 1 else found
        for number, gradient in zip(inputs, each_of, strict=True):
            if number in self._wanted:
                before = gradients.get(number)
                total = gradient if before is None else self._sum(number, before, gradient)
                gradients[number] = total

    def _sum(self, number: int, before: Array, gradient: Array) -> Array:
        """The sum of the gradients before this, and this one."""
        total = self._memory[number][len(gradient)]
        if before is total:
            self._backend.accumulate(gradient, total)
        else:
            self._backend.add(before, gradient, total)
        return total
