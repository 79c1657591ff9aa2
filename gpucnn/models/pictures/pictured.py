"""Trainable networks that can be looked at."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidTypeError, InvalidValueError, printable
from gpucnn.losses import DEFAULT
from gpucnn.losses.cross_entropy import CrossEntropy
from gpucnn.models.network import Network
from gpucnn.models.part import Part
from gpucnn.models.pictures.classes import Classified, draw_confusion, draw_mistakes
from gpucnn.models.pictures.filters import draw_activations, draw_filters
from gpucnn.models.pictures.images import check_is_of_images
from gpucnn.models.pictures.passes import feature_maps, saliency
from gpucnn.models.pictures.prediction import Prediction, names_or_numbers
from gpucnn.models.pictures.saliency import MOST_IMAGES, draw_saliency
from gpucnn.models.trainable import Trainable
from gpucnn.models.training.divergence import check_weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Pictured(Trainable):
    """A trainable network with pictures of what it has learned.

    Each is a figure of Matplotlib's, which notebooks show, and `savefig` writes; it belongs to no
    global state, and can be drawn in any thread. All raise `GpucnnError` if Matplotlib is not
    installed.
    """

    _class_names: tuple[str, ...] | None = None

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes, by number; None if they have none but their numbers.

        They are saved with the model. Set them to a list of texts, one for each class, or None.

        Raises:
            InvalidTypeError: they are no list of texts.
            InvalidValueError: a name is empty, unprintable or twice there, or there are more or
                fewer than the model has classes.
        """
        return getattr(self._shared, "class_names", None) if self._shared else self._class_names

    @class_names.setter
    def class_names(self, names: Sequence[str] | None) -> None:
        checked = None if names is None else _checked_names(names)
        if self.is_built:
            _check_count(checked, self.classes)
        self._refuse_training_elsewhere()
        self._class_names = checked

    def _complete(self, made: Network) -> None:
        _check_count(self._class_names, made.classes)
        super()._complete(made)

    @abstractmethod
    def predict(self, x: Any) -> NDArray[Any]:
        """Compute the outputs for images."""

    def classify(self, x: NDArray[Any]) -> Prediction:
        """Predict the classes of images, to be looked at: `predict` gives the numbers alone.

        Args:
            x: the images, as for `predict`; or a single one, (height, width, channels).

        Returns:
            The images and the probabilities of their classes, which Jupyter shows, as
            `Prediction.plot` draws them.

        Raises:
            InvalidTypeError: their dtype cannot be used.
            InvalidValueError: their shape or a value cannot be used, or the model does not tell one
                class of several.
            TrainingError: a weight is not finite.
        """
        self._check_tells_classes()
        images = self._looked_at(x)
        probabilities = self._probabilities(images)
        return Prediction(images, probabilities, class_names=self.class_names)

    def plot_filters(self, layer: str | None = None) -> "Figure":
        """Draw the kernels of a convolution, those of colour images in colour.

        Args:
            layer: its name; None for the first one.

        Raises:
            InvalidValueError: there is no such layer, or it has no kernels.
            TrainingError: a weight is not finite.
        """
        check_weights(self, self.replica)
        with_kernels = {
            each.name: weights[0]
            for each in self.layers
            if (weights := self.get_weights_of(each)) and weights[0].ndim == 4
        }
        if not with_kernels:
            raise InvalidValueError(
                "no layer has kernels to draw: that is of models with a Conv2D or the like"
            )
        name = next(iter(with_kernels)) if layer is None else self.get_layer(layer).name
        if name not in with_kernels:
            raise InvalidValueError(
                f"{name} has no kernels to draw: give {', '.join(with_kernels)}"
            )
        return draw_filters(with_kernels[name], name)

    def plot_activations(self, x: NDArray[Any]) -> "Figure":
        """Draw an image, and what each layer makes of it, as far as that is images.

        Args:
            x: the image, (height, width, channels); or a batch of it alone.

        Raises:
            InvalidTypeError: its dtype cannot be used.
            InvalidValueError: its shape or a value cannot be used, or it is not one image.
        """
        images = self._looked_at(x)
        if len(images) != 1:
            raise InvalidValueError(f"x has {len(images)} images: give one, such as x[0]")
        return draw_activations(images[0], feature_maps(self, images), self._says(images)[0])

    def plot_confusion(self, x: NDArray[Any], y: NDArray[Any]) -> "Figure":
        """Draw how many images of each class are taken for which.

        Args:
            x: the images, as for `fit`.
            y: their classes, as for `fit`.

        Raises:
            InvalidTypeError: the dtype of `x` or `y` cannot be used.
            InvalidValueError: their shape or a value cannot be used, or the model does not tell one
                class of several.
        """
        return draw_confusion(self._classified(x, y))

    def plot_mistakes(self, x: NDArray[Any], y: NDArray[Any]) -> "Figure":
        """Draw the images that are taken for another class, highest loss first.

        Arguments and errors are those of `plot_confusion`.
        """
        self._build_for(x)
        check_is_of_images(self.input_shape)
        return draw_mistakes(self._classified(x, y))

    def plot_saliency(self, x: NDArray[Any]) -> "Figure":
        """Draw images, and how much the score of the predicted class depends on each pixel.

        Args:
            x: the images, or a single one, (height, width, channels).

        Raises:
            InvalidTypeError: their dtype cannot be used.
            InvalidValueError: their shape or a value cannot be used, or there are too many.
        """
        images = self._looked_at(x)
        if len(images) > MOST_IMAGES:
            raise InvalidValueError(
                f"x has {len(images):,} images: give at most {MOST_IMAGES}, such as "
                f"x[:{MOST_IMAGES}]"
            )
        return draw_saliency(images, saliency(self, images).gradients, self._says(images))

    def _looked_at(self, x: NDArray[Any]) -> NDArray[Any]:
        """Checked images, of which one may be given without the axis of the batch."""
        shape, given = self.input_shape, np.asarray(x)
        check_is_of_images(shape)
        if given.shape in (shape, shape[:2]):  # the axis of a single channel may be left out
            given = given[None]
        return self._images(given, self.pixels)

    def _classified(self, x: NDArray[Any], y: NDArray[Any]) -> Classified:
        self._build_for(x)
        self._check_tells_classes()
        data = self._labelled(x, y, pixels=self.pixels)
        labels = data.labels
        if labels.ndim == 2:
            labels = labels.argmax(axis=1) if self.classes > 1 else labels[:, 0] > 0.5
        return Classified(
            data.images,
            self._probabilities(data.images),
            labels.astype(np.int64),
            class_names=self.class_names,
        )

    def _check_tells_classes(self) -> None:
        if not self._tells_classes:
            raise InvalidValueError(
                "the model does not tell one class of several, so there are none to show: look at "
                "what predict returns"
            )

    @property
    def _tells_classes(self) -> bool:
        of_classes = (self.loss or DEFAULT).tells_accuracy(self.classes)
        return of_classes and not isinstance(self._shared, Part)

    def _probabilities(self, images: NDArray[Any]) -> NDArray[np.float64]:
        """The probability of each class, of a model that tells classes; of one output, of two."""
        outputs = self.predict(images).astype(np.float64)
        ends_in_logits = isinstance(self.loss, CrossEntropy) and self.loss.from_logits
        of_logits = ends_in_logits and self._shared is None  # which Softmax() follows
        if self.classes == 1:
            yes = 1 / (1 + np.exp(-outputs)) if of_logits else outputs
            return np.hstack([1 - yes, yes])
        if of_logits:
            outputs = np.exp(outputs - outputs.max(axis=1, keepdims=True))
            outputs /= outputs.sum(axis=1, keepdims=True)
        return outputs

    def _says(self, images: NDArray[Any]) -> list[str]:
        """What the model predicts for each of some images, in words."""
        if self._tells_classes:
            rows = self._probabilities(images)
            names = names_or_numbers(self.class_names, rows.shape[1])
            return [f"predicted {names[row.argmax()]}: {row.max():.1%}" for row in rows]
        return [f"output {row.argmax()}: {row.max():.3g}" for row in self.predict(images)]


def _check_count(names: Sequence[str] | None, outputs: int) -> None:
    classes = max(outputs, 2)  # of one output, two
    if names is not None and len(names) != classes:
        raise InvalidValueError(
            f"class_names has {len(names)} names, but the model has {classes} classes: give one "
            "for each"
        )


def _checked_names(names: Any) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise InvalidTypeError(
            f"class_names is {printable(repr(names), 100)}: give a list of texts, or None"
        )
    for each in names:
        if not isinstance(each, str) or not each.strip() or not each.isprintable():
            raise InvalidValueError(
                f"a name of a class is {printable(repr(each), 100)}: give texts of one line"
            )
    if len(set(names)) < len(names):
        raise InvalidValueError(
            f"class_names is {printable(list(names), 100)}: give each class another name"
        )
    return tuple(names)
