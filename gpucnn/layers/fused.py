"""Fusion of several layers into one operation, where a backend gains from it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from gpucnn.backends import (
    Array,
    Backend,
    BatchMemory,
    Buffer,
    Calls,
    ConvClassifier,
    ConvReluPool,
    ConvReluPoolPlan,
    Order,
    Shape,
)
from gpucnn.layers.activations import ReLU
from gpucnn.layers.base import Batch, Layer, Step
from gpucnn.layers.dense import Dense, compute_gradients, compute_parameter_gradients
from gpucnn.layers.dropout import Dropout
from gpucnn.layers.reshaping import Flatten
from gpucnn.layers.windowed.conv2d import Conv2D
from gpucnn.layers.windowed.pooling2d import MaxPool2D


class FusedConv2D(Layer):
    """Replaces three placed layers, whose parameters and gradients it uses.

    It is made by `fuse` when a network is placed on a backend, not by users.

    Args:
        convolution: the first of the three.
        relu: the second.
        pooling: the third.
        before: the layer that it takes the output of, if it is a layer.

    Attributes:
        parts: the convolution, the ReLU and the max-pooling.
    """

    has_parameters: ClassVar[bool] = True

    def __init__(
        self, convolution: Conv2D, relu: ReLU, pooling: MaxPool2D, before: Layer | None
    ) -> None:
        self.parts = (convolution, relu, pooling)
        self.name = "+".join(part.name for part in self.parts)
        self.index, self.seed = convolution.index, convolution.seed
        self.needs_input_gradient = convolution.needs_input_gradient
        self._fused = describe(convolution, pooling)
        self._images_order: Order = "C"
        if isinstance(before, FusedConv2D):
            self._images_order = convolution.backend.conv_relu_pool_order(self._fused)
            before.write_in_order(self._images_order)
        self._plans: dict[int, ConvReluPoolPlan] = {}
        self.input_shape, self.output_shape = convolution.input_shape, pooling.output_shape
        self.place(
            convolution.backend,
            convolution.real,
            convolution.parameters,
            convolution.gradients,
            convolution.state,
        )
        self._bias, self._bias_gradient = convolution.bias, convolution.bias_gradient

    def build(self, input_shape: Shape) -> None:
        """Do nothing: the three layers are built."""

    def multiply_adds(self) -> int:
        return sum(part.multiply_adds() for part in self.parts)

    def write_in_order(self, order: Order) -> None:
        """Lay the output out as the layer that takes it reads it fastest, before it is reserved."""
        self._fused = replace(self._fused, order=order)

    def inference_buffers(self) -> dict[str, Buffer]:
        """Those of `forward`, unless calls that are bound do without."""
        return {} if self.backend.binds_calls else self._forward_buffers()

    def training_buffers(self) -> dict[str, Buffer]:
        of_images = super().training_buffers()
        in_order = {k: replace(each, order=self._images_order) for k, each in of_images.items()}
        return in_order | self._forward_buffers()

    def _forward_buffers(self) -> dict[str, Buffer]:
        output = Buffer(self.output_shape, order=self._fused.order)
        return {"output": output, **self._plan_buffers()}

    def reserve(self, batch: int, *, training: bool) -> bool:
        grows = super().reserve(batch, training=training)
        if grows:
            self._plans.clear()  # which holds memory that was replaced by larger
        return grows

    def forward(self, x: Array, step: Step | None) -> Array:
        output = self.buffer("output", len(x))
        kernel, bias = self.parameters["kernel"], self._bias
        self.backend.conv2d_relu_max_pool(
            x, kernel, bias, self._plan(len(x)), output, training=step is not None
        )
        return output

    def _bind(self, x: Array, calls: Calls) -> Array:
        kernel = self.parameters["kernel"]
        return self.backend.bind_conv2d_relu_max_pool(self._fused, x, kernel, self._bias, calls)

    def can_gather(self, images: Array) -> bool:
        """Whether it is faster to let `forward_gathered` pick from `images`, a data set."""
        return self.backend.can_fuse_gather(self._fused, images)

    def forward_gathered(self, images: Array, indices: Array, step: Step | None) -> Array:
        """The output for the images with the indices `indices`, see `Backend.gather_images`."""
        output = self.buffer("output", len(indices))
        kernel, bias = self.parameters["kernel"], self._bias
        plan, training = self._plan(len(indices)), step is not None
        self.backend.gathered_conv2d_relu_max_pool(
            images, indices, kernel, bias, plan, output, training=training
        )
        return output

    def backward(self, output_gradient: Array) -> Array | None:
        batch = len(output_gradient)
        input_gradient = self.input_gradient_buffer(batch)
        self.backend.conv2d_relu_max_pool_gradients(
            output_gradient,
            self.parameters["kernel"],
            self._plan(batch),
            self.gradients["kernel"],
            self._bias_gradient,
            input_gradient,
        )
        return input_gradient

    def _plan_buffers(self) -> dict[str, Buffer]:
        return self.backend.conv_relu_pool_buffers(self._fused)

    def _plan(self, batch: int) -> ConvReluPoolPlan:
        plan = self._plans.get(batch)
        if plan is None:
            arrays = {name: self.buffer(name, batch) for name in self._plan_buffers()}
            plan = self._plans[batch] = self.backend.conv_relu_pool_plan(self._fused, arrays)
        return plan


class FusedDense(Layer):
    """Replaces a placed dense layer, ReLU and, if there is one, dropout; see `FusedConv2D`.

    Attributes:
        dense: the dense layer.
        relu: the ReLU.
        dropout: what follows it; None for nothing.
        rate: that at which the last `forward` dropped outputs.
    """

    has_parameters: ClassVar[bool] = True

    def __init__(self, dense: Dense, relu: ReLU, dropout: Dropout | None = None) -> None:
        self.dense, self.relu, self.dropout = dense, relu, dropout
        self.name = "+".join(part.name for part in self.parts)
        self.index, self.seed = dense.index, dense.seed
        self.needs_input_gradient = dense.needs_input_gradient
        self.input_shape, self.output_shape = dense.input_shape, dense.output_shape
        self.place(dense.backend, dense.real, dense.parameters, dense.gradients, dense.state)

    @property
    def parts(self) -> tuple[Layer, ...]:
        """The layers that it replaces."""
        layers = self.dense, self.relu, self.dropout
        return tuple(layer for layer in layers if layer is not None)

    def build(self, input_shape: Shape) -> None:
        """Do nothing: the layers are built."""

    def multiply_adds(self) -> int:
        return self.dense.multiply_adds()

    def training_buffers(self) -> dict[str, Buffer]:
        return super().training_buffers() | {"score_gradient": Buffer(self.output_shape)}

    def forward(self, x: Array, step: Step | None) -> Array:
        self._input, self.rate = x, 0.0  # for the gradients
        output = self.buffer("output", len(x))
        kernel, bias = self.parameters["kernel"], self.dense.bias
        dropout = self.dropout
        if dropout is None or step is None or step.number is None:
            self.backend.dense_relu(x, kernel, bias, output)
            return output
        self.rate = dropout.rate
        first = step.first * self.output_shape[0]
        random = dropout.rate, dropout.seed, dropout.index
        self.backend.dense_relu(x, kernel, bias, output, *random, step.number, first)
        return output

    def backward(self, output_gradient: Array) -> Array | None:
        batch = len(output_gradient)
        output, score_gradient = self.buffer("output", batch), self.buffer("score_gradient", batch)
        self.backend.dense_relu_gradient(output_gradient, output, self.rate, score_gradient)
        return self.backward_from_scores(score_gradient)

    def backward_from_scores(self, score_gradient: Array) -> Array | None:
        """The same from the gradient of what ReLU was given."""
        input_gradient = self.input_gradient_buffer(len(score_gradient))
        compute_gradients(self.backend, self.dense, self._input, score_gradient, input_gradient)
        return input_gradient


class FusedHead:
    """A placed dense layer of logits and softmax cross-entropy, for the gradients of a batch.

    The mask of a `FusedDense` before it is applied where it makes the gradient.

    Args:
        dense: the dense layer.
        before: the `FusedDense` before it, if there is one.
    """

    def __init__(self, dense: Dense, before: FusedDense | None = None) -> None:
        self._dense, self._before = dense, before
        self._logits_gradient = BatchMemory(dense.backend, Buffer(dense.output_shape), dense.real)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that it runs."""
        return (self._dense,) if self._before is None else (self._before, self._dense)

    def gradients(self, x: Array, step: Step, batch: Batch) -> Array | None:
        """Compute the metrics of a microbatch, and the gradients of the mean loss of its batch.

        Args:
            x: real `(n, *input_shape)` of the first layer.
            step: the training step, and where the microbatch begins.
            batch: that of the microbatch, whose metrics are written.

        Returns:
            The gradient with respect to `x`, or None if it is not needed.
        """
        before, dense = self._before, self._dense
        features = x if before is None else before.forward(x, step)
        logits_gradient = self._logits_gradient[len(x)]
        input_gradient = dense.input_gradient_buffer(len(x))
        dense.backend.dense_softmax_cross_entropy(
            features,
            dense.parameters["kernel"],
            dense.bias,
            batch.labels,
            batch.indices[step.first : step.first + len(x)],
            batch.position,
            batch.losses,
            batch.correct,
            batch.size,
            step.first,
            logits_gradient,
            input_gradient,
            len(batch.indices),
            None if before is None else before.rate,
        )
        compute_parameter_gradients(dense.backend, dense, features, logits_gradient)
        if before is None or input_gradient is None:
            return input_gradient
        return before.backward_from_scores(input_gradient)


def fuse_head(layers: Sequence[Layer]) -> FusedHead | None:
    """The end of placed layers and their loss as one operation; None where that gains nothing."""
    dense = layers[-1]
    if type(dense) is not Dense or not dense.backend.can_fuse_head(
        dense.input_shape[0], dense.units, dense.real
    ):
        return None
    before = layers[-2] if len(layers) > 1 else None
    return FusedHead(dense, before if isinstance(before, FusedDense) else None)


def describe(convolution: Conv2D, pooling: MaxPool2D) -> ConvReluPool:
    """A placed convolution, and the pooling of its positive part, as one operation."""
    channels, filters = convolution.input_shape[2], convolution.output_shape[2]
    return ConvReluPool(convolution.window, pooling.window, channels, filters, convolution.real)


def fuse(layers: Sequence[Layer], backend: Backend) -> tuple[Layer, ...]:
    """The placed layers, with each sequence that `backend` runs as one operation fused into one."""
    fused: list[Layer] = []
    for layer in layers:
        fused.append(layer)
        _fuse_convolution(fused, backend)
        _fuse_dense(fused, backend)
    return tuple(fused)


def _fuse_convolution(layers: list[Layer], backend: Backend) -> None:
    """Fuse the last three layers if they are a convolution in one group, ReLU and max-pooling.

    Subclasses of these layers may compute something else, and are left as they are; so is a ReLU up
    to a most.
    """
    convolution, relu, pooling = layers[-3:] if len(layers) >= 3 else (None, None, None)
    if (type(convolution), type(relu), type(pooling)) != (Conv2D, ReLU, MaxPool2D):
        return
    assert isinstance(convolution, Conv2D)
    assert isinstance(relu, ReLU)
    assert isinstance(pooling, MaxPool2D)
    if (
        convolution.groups == 1
        and relu.max_value is None
        and backend.can_fuse(describe(convolution, pooling))
    ):
        before = layers[-4] if len(layers) > 3 else None
        layers[-3:] = [FusedConv2D(convolution, relu, pooling, before)]


def _fuse_dense(layers: list[Layer], backend: Backend) -> None:
    """Fuse the last two layers if they are a dense layer and ReLU, or these and dropout.

    No subclasses, and no ReLU up to a most, as for convolutions.
    """
    before, last = layers[-2:] if len(layers) >= 2 else (None, None)
    kinds = type(before), type(last)
    if kinds == (Dense, ReLU) and backend.can_fuse_dense():
        assert isinstance(before, Dense)
        assert isinstance(last, ReLU)
        if last.max_value is None:
            layers[-2:] = [FusedDense(before, last)]
    elif isinstance(before, FusedDense) and before.dropout is None and type(last) is Dropout:
        layers[-2:] = [FusedDense(before.dense, before.relu, last)]


CLASSIFIER = (Conv2D, ReLU, MaxPool2D, Flatten, Dense)


def as_classifier(layers: Sequence[Layer]) -> ConvClassifier | None:
    """Placed layers as one operation, a `ConvClassifier`; None if they are not one."""
    if tuple(type(layer) for layer in layers) != CLASSIFIER or layers[0].input_shape[2] != 1:
        return None
    convolution, relu, pooling, _, dense = layers
    assert isinstance(convolution, Conv2D)
    assert isinstance(relu, ReLU)
    assert isinstance(pooling, MaxPool2D)
    assert isinstance(dense, Dense)
    if relu.max_value is not None or not (convolution.use_bias and dense.use_bias):
        return None
    filters, classes = convolution.output_shape[2], dense.output_shape[0]
    return ConvClassifier(convolution.window, pooling.window, filters, classes, convolution.real)
