"""Layers that mix each image of a batch with another in training, and the losses of both."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Backend, Buffer, Shape
from gpucnn.errors import InvalidValueError
from gpucnn.layers.base import Layer, Step
from gpucnn.layers.preprocessing.augmentation import number_of
from gpucnn.layers.preprocessing.rectangles import CHOICES, RECTANGLES, draw_rectangles, units
from gpucnn.layers.windowed.sliding import image_size
from gpucnn.utils import arguments

PARTNERS = 2**18
"""What is added to the index of a layer for the stream of the images' partners."""

Gather = Callable[[Array, Array], None]
"""Writes the images of some indices, int64 (n,), to an array, real (n, h, w, c)."""


class MixingLayer(Layer):
    """A layer that mixes images as they are gathered: then their partners can be, too.

    In passes of a model it leaves images as they are. The partner of an image is the one that is a
    number of places on in the batch; the number is drawn for each step. So it is the same on every
    device, however the batch is split.
    """

    def build(self, input_shape: Shape) -> None:
        if self.needs_input_gradient or self.index != 0:
            raise InvalidValueError(
                f"{self.name} mixes images as they are loaded: put it first in the model"
            )
        image_size(self.name, input_shape)
        self.input_shape = self.output_shape = input_shape

    def inference_buffers(self) -> dict[str, Buffer]:
        return {}

    def training_buffers(self) -> dict[str, Buffer]:
        images = {name: Buffer(self.input_shape) for name in ("others", "output")}
        return RECTANGLES | images | {"partners": Buffer((), "int64")}

    def place(
        self,
        backend: Backend,
        real: "np.dtype[np.floating]",
        parameters: dict[str, Array],
        gradients: dict[str, Array],
        state: Array,
    ) -> None:
        super().place(backend, real, parameters, gradients, state)
        self._table = backend.asarray(self._weights())

    def forward(self, x: Array, step: Step | None) -> Array:
        return x

    def backward(self, output_gradient: Array) -> None:
        """Do nothing: no layer before it needs a gradient."""

    def mix(
        self, x: Array, batch: Array, step: Step, gather: Gather, shares: Array
    ) -> tuple[Array, Array]:
        """Mix the images of a microbatch with their partners.

        Args:
            x: real (n, h, w, c).
            batch: int64 (m,), the indices of the whole batch's images.
            step: of training, with a number.
            gather: loads the partners.
            shares: real (2, n), written: the weights of the losses of images, and of partners.

        Returns:
            The mixed images, of the shape of `x`, and the indices of the partners, int64 (n,).
        """
        partners, others = self.buffer("partners", len(x)), self.buffer("others", len(x))
        stream = self.index + PARTNERS
        number = number_of(step)
        self.backend.draw_partners(batch, self.seed, stream, number, partners, step.first)
        gather(partners, others)
        output = self.buffer("output", len(x))
        self._mix(x, others, step, output, shares)
        return output, partners

    @abstractmethod
    def _weights(self) -> NDArray[np.int32]:
        """What is drawn from, in units of 1 / `PIXEL`, as operations take it: (2 * CHOICES,)."""

    @abstractmethod
    def _mix(self, x: Array, others: Array, step: Step, out: Array, shares: Array) -> None:
        """Write mixed images, and the shares."""


@dataclass(eq=False, repr=False)
class MixUp(MixingLayer):
    """Replaces each image by a weighted mean of it and another of the batch; in training only.

    The loss is the mean of those of both images' labels, with the same weights: of whole classes
    as well as of rows. Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: beyond empirical risk
    minimization", ICLR 2018. The layer comes first in a model.

    Args:
        alpha: above 0 and at most 1, both parameters of the beta distribution that weights are
            drawn from: the greater, the more images are mixed.
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    alpha: float = 0.2
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        if not 0 < arguments.number(self.alpha, "alpha") <= 1:
            raise InvalidValueError(
                f"alpha is {self.alpha!r}: it must be a number above 0 and at most 1"
            )

    def _weights(self) -> NDArray[np.int32]:
        return units(np.tile(beta_quantiles(np.full(CHOICES, self.alpha)), 2))

    def _mix(self, x: Array, others: Array, step: Step, out: Array, shares: Array) -> None:
        drawn, _ = draw_rectangles(self, len(x), step)
        self.backend.blend(x, others, drawn, self._table, out, shares)


@dataclass(eq=False, repr=False)
class CutMix(MixingLayer):
    """Replaces a rectangle of each image by that of another of the batch; in training only.

    The loss is the mean of those of both images' labels, weighted by their shares of the pixels: of
    whole classes as well as of rows. Yun, Han, Oh, Chun, Choe and Yoo, "CutMix: regularization
    strategy to train strong classifiers with localizable features", ICCV 2019. The layer comes
    first in a model.

    Args:
        factor: (lowest, highest) of both parameters of the beta distribution that the shares are
            drawn from, in [0, 1], all between being as likely; or one number for the highest, the
            lowest being 0.
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    factor: float | tuple[float, float] = 1.0
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        self._alphas = arguments.shares(self.factor, "factor")

    def _weights(self) -> NDArray[np.int32]:
        alphas = np.resize(np.linspace(*self._alphas, SPREAD), CHOICES) + LEAST
        return units(np.tile(np.sqrt(1 - beta_quantiles(alphas)), 2))

    def _mix(self, x: Array, others: Array, step: Step, out: Array, shares: Array) -> None:
        drawn, places = draw_rectangles(self, len(x), step)
        self.backend.paste(x, others, drawn, places, self._table, out, shares, is_alike=True)


LEAST = 1e-6
"""What is added to the parameters of a beta distribution, which are above 0."""

SPREAD = 64
"""How many of these are drawn from."""

GRID = 2**12
"""The points of an integral."""


def beta_quantiles(alphas: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quantiles of beta distributions, evenly spaced, each of that with both parameters `alphas`.

    Below 1/2 the density of x is that of t = x^alpha times a smooth function, (1 - x)^(alpha - 1):
    its integral over t is a sum of trapezoids. Above, it is symmetric.
    """
    levels = (np.arange(len(alphas)) + 0.5) / len(alphas)
    below = np.minimum(levels, 1 - levels)
    quantiles = np.empty(len(alphas))
    for alpha in np.unique(alphas):
        t = np.linspace(0, 0.5**alpha, GRID)
        density = (1 - t ** (1 / alpha)) ** (alpha - 1)
        integral = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
        mine = alphas == alpha
        quantiles[mine] = np.interp(below[mine], integral / integral[-1] / 2, t) ** (1 / alpha)
    return np.where(levels < 0.5, quantiles, 1 - quantiles)
