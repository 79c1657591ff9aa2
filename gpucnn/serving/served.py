"""A model that is served: a copy on each device, with a worker of its own."""

from collections.abc import Sequence
from copy import deepcopy
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import get_backend
from gpucnn.errors import InvalidTypeError, InvalidValueError, TrainingError
from gpucnn.models.model import Model
from gpucnn.models.pictures.files import takes_photographs
from gpucnn.models.pictures.images import check_is_of_images
from gpucnn.models.pictures.passes import Explanation, Probe
from gpucnn.models.pixels import BYTES, Conversion, Pixels, conversion, convert, encoding_of_bytes
from gpucnn.serving.answers import Answer
from gpucnn.serving.batching import Batcher
from gpucnn.serving.limits import Limits
from gpucnn.serving.metrics import Metrics

ALL_BYTES = Pixels(BYTES, 0, 255)


class Asked(NamedTuple):
    """An image, and whether the answer is to be explained."""

    pixels: NDArray[np.uint8]
    is_explained: bool = False


class Served:
    """A model by its name, on devices.

    It is tried out on the first device; on another it is placed when somebody asks for that.

    Args:
        name: of the model.
        model: whose state of now is served.
        devices: by name, each of which can be used.
        limits: of the requests.
        metrics: of all models.

    Raises:
        InvalidTypeError: it is not a model.
        InvalidValueError: it is not built, takes no images, does not tell one class of several, or
            was trained on pixels to which bytes cannot be converted.
        DeviceError: the first device cannot be used.
        TrainingError: a weight is not finite.
    """

    def __init__(
        self,
        name: str,
        model: Model,
        devices: Sequence[str],
        limits: Limits,
        metrics: Metrics,
    ) -> None:
        self.name, original = name, deepcopy(_checked(name, model))
        self.input_shape = original.input_shape
        self.takes_photographs = takes_photographs(original)
        placed = {device: Placed(original, device) for device in devices}
        black = np.zeros(self.input_shape, np.uint8)
        (tried,) = placed[devices[0]].answer([Asked(black, is_explained=True)])
        self._describe(tried)
        self._batchers = {
            device: Batcher(
                metrics.counting(each.compute, name, device), limits.batch, limits.waiting
            )
            for device, each in placed.items()
        }
        for device, batcher in self._batchers.items():
            metrics.watch(batcher, name, device)

    def _describe(self, tried: Answer) -> None:
        assert tried.explanation is not None
        self.description = {
            "name": self.name,
            "input_shape": list(self.input_shape),
            "classes": list(tried.class_names),
            "photographs": self.takes_photographs,
            "layers": [
                {"name": name, "shape": list(maps.shape[1:])}
                for name, maps in tried.explanation.maps.items()
            ],
        }

    def on(self, device: str) -> Batcher[Asked, bytes]:
        """What computes answers, as JSON, on one of the devices."""
        return self._batchers[device]


class Placed:
    """A copy of a model on a device, for one thread.

    Args:
        model: it is copied when the first answer is asked for.
        device: by name.

    Raises:
        InvalidValueError: bytes cannot be converted to what the model was trained on.
    """

    def __init__(self, model: Model, device: str) -> None:
        self._original, self._device, self._how = model, device, _conversion(model)

    @cached_property
    def _model(self) -> Model:
        model = deepcopy(self._original)
        model.pixels = None  # what is given to it is converted already
        model.place(get_backend(self._device, 1 if self._device == "cpu" else None))
        return model

    @cached_property
    def _probe(self) -> Probe:
        return Probe(self._model)

    def compute(self, asked: Sequence[Asked]) -> list[bytes]:
        """Answers as JSON."""
        return [each.encode() for each in self.answer(asked)]

    def answer(self, asked: Sequence[Asked]) -> list[Answer]:
        """Answers, each as if it were asked alone, to rounding.

        Raises:
            DeviceError: the device cannot be used, or failed.
            TrainingError: a weight is not finite, or a probability, which JSON does not have.
        """
        model = self._model
        images = convert(np.stack([each.pixels for each in asked]), self._how, model.dtype)
        said = model.classify(images)
        rows, names = said.probabilities, said.names
        if not np.isfinite(rows).all():
            raise TrainingError(
                "a probability is not finite, since the weights are too large: train the model "
                "again, with a lower learning rate"
            )
        explained = [index for index, each in enumerate(asked) if each.is_explained]
        found = self._explain(images[explained])
        return [
            Answer(row, names, each.pixels, found, explained.index(index))
            if each.is_explained
            else Answer(row, names, each.pixels)
            for index, (row, each) in enumerate(zip(rows, asked, strict=True))
        ]

    def _explain(self, images: NDArray[Any]) -> Explanation | None:
        return self._probe.explain(images) if len(images) else None


def _checked(name: str, model: Any) -> Model:
    if not isinstance(model, Model):
        raise InvalidTypeError(f"{name} is {model!r}: give a Model")
    if not model.is_built:
        raise InvalidValueError(f"{name} is not built: give it an input_shape, or fit it first")
    check_is_of_images(model.input_shape)
    return model


def _conversion(model: Model) -> Conversion | None:
    if model.pixels is None:
        return None
    return conversion(ALL_BYTES, model.pixels, encoding_of_bytes(model.layers))
