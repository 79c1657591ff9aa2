"""Folding: in inference, batch normalisation is a part of the layer before it.

It multiplies each channel by a number and adds another. So do a kernel and a bias that are computed
once for many images; and what follows, such as ReLU and pooling, can be fused with them.
"""

from collections.abc import Sequence
from copy import copy
from itertools import chain, pairwise

import numpy as np

from gpucnn.backends import Backend, Shape
from gpucnn.layers import Affine, BatchNormalization, Conv2D, Dense, DepthwiseConv2D, Layer
from gpucnn.models.graph import Stretch, layers_of
from gpucnn.models.replica.lane import Lane
from gpucnn.models.replica.layout import lay_out, lay_out_state, size_of
from gpucnn.models.replica.objective import Objective

FOLDING = (Conv2D, DepthwiseConv2D, Dense)
"""The layers that batch normalisation is folded into; not subclasses, which may compute else."""


def can_fold(stretches: Sequence[Stretch]) -> bool:
    """Whether any layer can be a part of the one before it."""
    return any(_can_fold(*pair) for stretch in stretches for pair in pairwise(stretch.layers))


def _can_fold(layer: Layer, following: Layer) -> bool:
    """Whether `following`, which alone takes the output of `layer`, can be a part of it."""
    return type(layer) in FOLDING and type(following) is BatchNormalization


class FoldedLane(Lane):
    """A lane for inference with parameters of its own, which follow from those of other layers.

    Args:
        stretches: of placed layers.
        backend: where they run.
        input_shape: of one image.
        dtype: real, of the model.
        objective: see `Lane`.
    """

    def __init__(
        self,
        stretches: Sequence[Stretch],
        backend: Backend,
        input_shape: Shape,
        dtype: "np.dtype[np.floating]",
        objective: Objective,
    ) -> None:
        pairs = [_pair(stretch.layers) for stretch in stretches]
        self._sources = list(chain(*pairs))
        folded = [
            stretch._replace(layers=tuple(copy(layer) for layer, _ in mine))
            for stretch, mine in zip(stretches, pairs, strict=True)
        ]
        copies = layers_of(folded)
        for mine, (_, normalization) in zip(copies, self._sources, strict=True):
            if normalization is not None:
                assert isinstance(mine, Affine)
                vars(mine)["use_bias"] = True
        parameters, state = (
            backend.zeros((size_of(lay(copies)),), dtype) for lay in (lay_out, lay_out_state)
        )
        unused = backend.empty(parameters.shape, dtype)
        vectors = parameters, unused, state
        super().__init__(folded, backend, input_shape, dtype, *vectors, objective)
        self._folded: tuple[int, list[float]] | None = None

    def follow(self, changes: int) -> None:
        """As `Lane.follow`, and from the attributes of the layers, which a user may set."""
        self._take_settings()
        epsilons = [each.epsilon for _, each in self._sources if each is not None]
        if (changes, epsilons) != self._folded:
            self._folded = changes, epsilons
            self._fold()
            self.bound.renew()

    def _take_settings(self) -> None:
        for mine, (layer, normalization) in zip(self.plain, self._sources, strict=True):
            vars(mine).update(layer.__getstate__())
            if normalization is not None:
                vars(mine)["use_bias"] = True

    def _fold(self) -> None:
        """Compute the parameters from those that the layers have now."""
        for mine, (layer, normalization) in zip(self.plain, self._sources, strict=True):
            if normalization is None:
                for name, array in layer.parameters.items():
                    self._backend.copy(array, mine.parameters[name])
                self._backend.copy(layer.state, mine.state)
            else:
                assert isinstance(mine, Affine)
                assert isinstance(layer, Affine)
                normalization.fold(layer, mine)


def _pair(layers: Sequence[Layer]) -> list[tuple[Layer, BatchNormalization | None]]:
    """The layers of a folded lane, each with the normalisation that becomes a part of it."""
    pairs: list[tuple[Layer, BatchNormalization | None]] = []
    for layer in layers:
        if pairs and pairs[-1][1] is None and _can_fold(pairs[-1][0], layer):
            assert isinstance(layer, BatchNormalization)
            pairs[-1] = pairs[-1][0], layer
        else:
            pairs.append((layer, None))
    return pairs
