"""The batch normalisation layer."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Backend, Shape
from gpucnn.errors import InvalidValueError
from gpucnn.layers.affine import Affine
from gpucnn.layers.base import Settable, Step
from gpucnn.layers.whole_batch import Sums, WholeBatchLayer
from gpucnn.utils import arguments


@dataclass(eq=False, repr=False)
class BatchNormalization(WholeBatchLayer):
    """Brings each channel to a mean and a standard deviation that are trained.

    In training a channel has the mean and the variance of the whole batch, over all images and
    positions, however the batch is split. In inference these are moving averages of what they were
    in training: state, which is saved with the weights.

    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal
    covariate shift", ICML 2015.

    Args:
        axis: that of the channels, which is the last one.
        momentum: the share of the moving averages that a training step keeps, in [0, 1).
        epsilon: above 0, added to the variance.
        center: whether a mean beta is trained; False for 0.
        scale: whether a standard deviation gamma is trained; False for 1.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    settable: ClassVar[Settable] = {
        "momentum": arguments.share,
        "epsilon": arguments.positive_number,
    }

    axis: int = -1
    momentum: float = 0.99
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True

    def __post_init__(self) -> None:
        arguments.flag(self.center, "center")
        arguments.flag(self.scale, "scale")

    # Building

    def build(self, input_shape: Shape) -> None:
        if self.axis not in (-1, len(input_shape)):
            raise InvalidValueError(
                f"{self.name} normalises the channels, the last axis of its input: give axis -1 or "
                f"{len(input_shape)} and not {self.axis}"
            )
        self.input_shape = self.output_shape = input_shape

    def parameter_shapes(self) -> dict[str, Shape]:
        trained = {"gamma": self.scale, "beta": self.center}
        return {name: self._channels for name, is_trained in trained.items() if is_trained}

    def initial_parameters(self, generator: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        values = {"gamma": np.ones(self._channels), "beta": np.zeros(self._channels)}
        return {name: values[name] for name in self.parameter_shapes()}

    def state_shapes(self) -> dict[str, Shape]:
        return dict.fromkeys(("moving_mean", "moving_variance"), self._channels)

    def initial_state(self) -> dict[str, NDArray[np.float64]]:
        return {
            "moving_mean": np.zeros(self._channels),
            "moving_variance": np.ones(self._channels),
        }

    @property
    def _channels(self) -> Shape:
        return self.input_shape[-1:]

    # Placing

    def place(
        self,
        backend: Backend,
        real: "np.dtype[np.floating]",
        parameters: dict[str, Array],
        gradients: dict[str, Array],
        state: Array,
    ) -> None:
        super().place(backend, real, parameters, gradients, state)
        shape = self._channels
        self._moving = state.reshape(2, *shape)
        self._statistics, self._gradient_sums = (backend.empty((2, *shape), real) for _ in range(2))
        self._zeros = backend.zeros(shape, real)
        self._gamma = parameters["gamma"] if self.scale else self._ones()
        self._beta = parameters["beta"] if self.center else self._zeros
        self._gamma_gradient, self._beta_gradient = (
            gradients.get(name, unused)
            for name, unused in zip(("gamma", "beta"), self._gradient_sums, strict=True)
        )

    def _ones(self) -> Array:
        return self.backend.asarray(np.ones(self._channels), self.real)

    # Running

    def infer(self, x: Array) -> Array:
        return self._normalize(x, *self._moving)

    def infer_gradient(self, output_gradient: Array) -> Array:
        _, variances = self._moving
        scale = self._gamma / self.xp.sqrt(variances + self.epsilon)
        input_gradient = self.buffer("input_gradient", len(output_gradient))
        self.backend.scale_shift(output_gradient, scale, None, input_gradient)
        return input_gradient

    def forward_together(self, x: Array, step: Step) -> Sums[Array]:
        images = len(x) if step.images is None else step.images
        self._x, self._count = x, images * prod(self.input_shape[:-1])
        self._is_split = len(x) < images
        means, variances = self._statistics
        self.backend.channel_means(x, self._count, means)
        if self._is_split:
            yield means
        self.backend.channel_variances(x, means, self._count, variances)
        if self._is_split:
            yield variances
        return self._normalize(x, means, variances)

    def backward_together(self, output_gradient: Array) -> Sums[Array | None]:
        means, variances = self._statistics
        normal = self._x, means, variances, self.epsilon
        mine = self._gamma_gradient, self._beta_gradient
        self.backend.normalize_gradient_sums(output_gradient, *normal, *mine)
        input_gradient = self.input_gradient_buffer(len(output_gradient))
        if input_gradient is None:
            return None
        if self._is_split:
            for own, total in zip(mine, self._gradient_sums, strict=True):
                self.backend.copy(own, total)
            yield self._gradient_sums
        of_gamma, of_beta = self._gradient_sums if self._is_split else mine
        self.backend.normalize_gradient(
            output_gradient, *normal, self._gamma, of_gamma, of_beta, self._count, input_gradient
        )
        return input_gradient

    def idle_forward(self) -> Sums[None]:
        yield from self._statistics

    def idle_backward(self) -> Sums[None]:
        if self.needs_input_gradient:
            yield self._gradient_sums

    def update_state(self) -> None:
        kept = self.momentum
        self.backend.axpby(self._statistics, self._moving, alpha=1 - kept, beta=kept)

    def _normalize(self, x: Array, means: Array, variances: Array) -> Array:
        output = self.buffer("output", len(x))
        self.backend.normalize(x, means, variances, self.epsilon, self._gamma, self._beta, output)
        return output

    # Folding

    def fold(self, layer: Affine, folded: Affine) -> None:
        """Make `folded` compute what `layer` and then this one do in inference.

        Args:
            layer: placed, whose outputs this layer takes.
            folded: a copy of it with a bias, whose parameters are written.
        """
        means, variances = self._moving
        zeros = self._zeros

        def scale(values: Array, means: Array, beta: Array, out: Array) -> None:
            normal = means, variances, self.epsilon, self._gamma, beta
            # A depthwise kernel's last axes, channels and depth_multiplier, are those of outputs.
            rows, scaled = (each.reshape(-1, *self._channels) for each in (values, out))
            self.backend.normalize(rows, *normal, scaled)

        scale(layer.parameters["kernel"], zeros, zeros, folded.parameters["kernel"])
        scale(layer.bias[None], means, self._beta, folded.bias[None])
