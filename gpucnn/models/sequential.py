"""Models of a list of layers, each of which takes the output of the one before."""

from collections.abc import Sequence
from copy import deepcopy

from gpucnn.errors import InvalidValueError
from gpucnn.layers import Flatten, Input, Layer
from gpucnn.layers.ends import ends_in_softmax
from gpucnn.models.building import in_one_list
from gpucnn.models.model import Model
from gpucnn.models.network import Network
from gpucnn.models.summary import summary
from gpucnn.utils.keras.arguments import keras_arguments
from gpucnn.utils.table import Table


class Sequential(Model):
    """A stack of layers with training, evaluation, prediction and files, under Keras's names.

    The shape of the images is that of `input_shape`, or of an `Input` that the layers begin with,
    or the `input_shape` of the first layer, or that of the first images that `fit` is given.
    Without the argument, layers can be added until the model is first used.

    Arguments, attributes and errors are those of `Network` and `Trainable`, and the rest is as for
    any `Model`:

    Args:
        layers: in order.
        input_shape: of one image; None if it is known otherwise.
        seed: None for one that follows from `gpucnn.utils.set_random_seed`, or from 0 if it
            was not called, and is another for each model.
        name: of the model, in its summary and its file; None for "sequential".
    """

    name = "sequential"

    def __init__(
        self,
        layers: Sequence[Layer | Input | Network] = (),
        input_shape: Sequence[int] | None = None,
        dtype: str = "float32",
        device: str = "auto",
        seed: int | None = None,
        threads: int | None = None,
        name: str | None = None,
    ) -> None:
        self._take_name(name)
        super(Model, self).__init__(layers, dtype, device, seed, threads)
        if input_shape is not None:
            self.build(input_shape)

    @keras_arguments
    def add(self, layer: Layer | Input | Network) -> None:
        """Add a layer at the end, or those of a model that is not built.

        Raises:
            InvalidValueError: the model is built, since it has been used.
        """
        if self.is_built:
            raise InvalidValueError("the model is built: add layers before it is first used")
        self._given += in_one_list([layer])

    @keras_arguments
    def pop(self) -> Layer | Input | Network:
        """Take away the last layer, and return it.

        Raises:
            InvalidValueError: the model is built, since it has been used, or has no layers.
        """
        if self.is_built:
            raise InvalidValueError(
                "the model is built: take layers away before it is first used, or make another "
                "model, and set_weights of its layers"
            )
        if not self._given:
            raise InvalidValueError("the model has no layers: add one first")
        return self._given.pop()

    def _preview(self) -> Table:
        """The summary of the layers so far, which may end in images."""
        layers = deepcopy(self._given)
        ending = [] if ends_in_softmax(layers) else [Flatten()]
        preview = Sequential([*layers, *ending], None, *self._options, self.name)
        return summary(preview, len(ending))


Model.of_list = Sequential
