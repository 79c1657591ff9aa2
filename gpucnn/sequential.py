"""The model that users type: layers in a row, with Keras's interface."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from gpucnn import arguments
from gpucnn.backends import get_backend
from gpucnn.batches import Batches, check_images, check_labels
from gpucnn.checkpoint import read_checkpoint, write_checkpoint
from gpucnn.config import from_config, to_config
from gpucnn.errors import DeviceError, InvalidFileError, InvalidTypeError, InvalidValueError
from gpucnn.layers import LAYERS, Layer
from gpucnn.network import Network
from gpucnn.optimizers import OPTIMIZERS, Adam, Optimizer, OptimizerState
from gpucnn.pixels import Pixels, from_description, like_training, to_description, trained_on
from gpucnn.progress import show_progress
from gpucnn.schedules import SCHEDULES
from gpucnn.summary import print_summary
from gpucnn.training import EpochRecord, Evaluation, History, Trainer, check_finite, epoch_order
from gpucnn.training import evaluate as evaluate_network
from gpucnn.training import predict as predict_network

TRAINING = (*OPTIMIZERS, *SCHEDULES)
SLOT = "optimizer."  # before the names of the optimizer's vectors in a model file


class Sequential(Network):
    """A network that is trained, measured, used, saved and loaded, under Keras's names.

    Pixels may be bytes (uint8, 0 to 255), which become `pixel / 255 - 0.5`, or floating-point
    numbers, which are used as they are. What a trained model is given later is made like what it
    was trained on, where that can be known, and refused where not: see `gpucnn/pixels.py`.

    The arguments, attributes and errors are those of `Network`, and:

    Attributes:
        optimizer: what `fit` trains with; `Adam()` unless `compile` sets another.
        epochs_trained: how many epochs the model has been trained for, over all calls of `fit`.
        pixels: what pixels it was trained on; None if it was not, or by an earlier version.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        input_shape: Sequence[int],
        dtype: str = "float32",
        device: str = "auto",
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        super().__init__(layers, input_shape, dtype, device, seed, threads)
        self.epochs_trained = 0
        self.pixels: Pixels | None = None
        self.optimizer: Optimizer = Adam()
        self.compile(self.optimizer)

    # Training

    def compile(self, optimizer: Optimizer) -> None:
        """Train with `optimizer` from now on; it begins anew.

        Raises:
            InvalidTypeError: it is not an optimizer.
            InvalidValueError: it trains another model.
        """
        if not isinstance(optimizer, Optimizer):
            raise InvalidTypeError(
                f"the optimizer is {optimizer!r}: give an object such as SGD(0.1) or Adam()"
            )
        if optimizer.is_placed and optimizer is not self.optimizer:
            raise InvalidValueError(f"{optimizer!r} already trains another model: make a new one")
        optimizer.place(self.backend, self.parameters)
        self.optimizer = optimizer

    def fit(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        batch_size: int = 32,
        epochs: int = 1,
        validation_data: tuple[NDArray[Any], NDArray[Any]] | None = None,
        shuffle: bool = True,
        verbose: int = 1,
        on_epoch_end: Callable[[EpochRecord], None] | None = None,
    ) -> History:
        """Train for `epochs` further epochs.

        The optimizer goes on from where it is, a schedule too: past its end it stays at its last
        learning rate. A call that is interrupted leaves the model in the middle of an epoch.

        Args:
            x: uint8 or floating point (n, *input_shape), the images; the axis of a single channel
                may be left out.
            y: whole numbers (n,), the labels, in [0, classes).
            batch_size: images in a training step; the last of an epoch has what is left.
            epochs: how many times to go through the images.
            validation_data: (x, y) to measure the model on after each epoch, or None.
            shuffle: whether each epoch takes the images in a new order.
            verbose: 0 to print nothing.
            on_epoch_end: called after each epoch with its record, see `History`.

        Returns:
            What was measured in each epoch of this call.

        Raises:
            InvalidTypeError: the dtype of the images or labels cannot be used.
            InvalidValueError: an argument, or the shape or a value of the images or labels, cannot
                be used.
            TrainingError: the loss is no longer a finite number.
        """
        arguments.positive_integer(batch_size, "batch_size")
        arguments.positive_integer(epochs, "epochs")
        arguments.flag(shuffle, "shuffle")
        data = self._labelled(x, y)
        pixels = trained_on(x, self.pixels)
        validation = (
            None if validation_data is None else self._labelled(*_pair(validation_data), pixels)
        )
        trainer = Trainer(self, self.optimizer, data, batch_size)
        history = History()
        self.pixels = pixels
        last_epoch = self.epochs_trained + epochs
        with show_progress(verbose, last_epoch, len(data)) as progress:
            for epoch in range(self.epochs_trained + 1, last_epoch + 1):
                order = epoch_order(self.seed, epoch, len(data), shuffle=shuffle)
                record = trainer.epoch(epoch, order, progress.batch)
                if validation is not None:
                    measured = evaluate_network(self, validation, batch_size)
                    check_finite(measured.loss, epoch)
                    record |= {"val_loss": measured.loss, "val_accuracy": measured.accuracy}
                self.epochs_trained = epoch
                history.epochs.append(record)
                progress.epoch(record)
                if on_epoch_end is not None:
                    on_epoch_end(record)
        return history

    # Use

    def evaluate(self, x: NDArray[Any], y: NDArray[Any], batch_size: int = 128) -> Evaluation:
        """The mean loss and the accuracy, in [0, 1], over labelled images given as to `fit`.

        Raises:
            InvalidTypeError: the dtype of the images or labels cannot be used.
            InvalidValueError: an argument, or the shape or a value of the images or labels, cannot
                be used, or it is not known how the pixels become like those of training.
        """
        arguments.positive_integer(batch_size, "batch_size")
        return evaluate_network(self, self._labelled(x, y, self.pixels), batch_size)

    def predict(self, x: NDArray[Any], batch_size: int = 128) -> NDArray[Any]:
        """The probability of each class for each image, real (n, classes); `x` as for `fit`.

        Raises:
            InvalidTypeError: the dtype of the images cannot be used.
            InvalidValueError: an argument, or the shape or a value of the images, cannot be used,
                or it is not known how the pixels become like those of training.
        """
        arguments.positive_integer(batch_size, "batch_size")
        data = Batches(self.backend, self.dtype, self._images(x, self.pixels))
        return predict_network(self, data, batch_size)

    def summary(self) -> None:
        """Print a table of the layers: output shape, parameters, multiply-adds, memory."""
        print_summary(self)

    def to(self, device: str) -> "Sequential":
        """Move to another device, weights and optimizer included; returns the model itself.

        Raises:
            InvalidValueError: there is no such device.
        """
        state = self.optimizer.state()
        super().to(device)
        self.optimizer.place(self.backend, self.parameters, state)
        return self

    # Files

    def settings(self) -> dict[str, Any]:
        """What the model was made and compiled with, as plain values."""
        return {
            "layers": [to_config(layer, LAYERS) for layer in self.layers],
            "input_shape": list(self.input_shape),
            "dtype": self.dtype.name,
            "seed": self.seed,
            "optimizer": to_config(self.optimizer, TRAINING),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file with all that `load` needs to go on from here.

        It holds the weights and, in its metadata, the architecture; and the state of training: the
        optimizer and its vectors, and the epochs trained. The file appears under its name complete,
        or not at all.

        Raises:
            InvalidFileError: `path` is a directory, or its folder does not exist.
            InvalidTypeError: a layer, the optimizer or its schedule is of a class of your own.
            OSError: the file cannot be written.
        """
        state = self.optimizer.state()
        arrays = dict(zip(self.parameter_names, self.get_weights(), strict=True))
        arrays |= {SLOT + name: slot for name, slot in state.slots.items()}
        description = self.settings() | {
            "iterations": state.iterations,
            "epochs_trained": self.epochs_trained,
            **to_description(self.pixels),
        }
        write_checkpoint(path, arrays, description)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], device: str = "auto", threads: int | None = None
    ) -> "Sequential":
        """The model in a file that `save` wrote, with the state of its training.

        Raises:
            InvalidFileError: there is no such file, it is cut short, it is not a model of gpucnn,
                or its arrays do not fit its architecture.
            InvalidValueError: there is no such device, or `threads` is no number of threads.
            DeviceError: it cannot be used, or has not enough memory.
        """
        # Here, where an error is not taken for one of the file.
        device = get_backend(device, threads).device
        arrays, description = read_checkpoint(path)
        try:
            layers = [from_config(config, LAYERS) for config in description["layers"]]
            shape, dtype = description["input_shape"], description["dtype"]
            model = cls(layers, shape, dtype, device, description["seed"], threads)
            model._restore(arrays, description)
        except DeviceError:  # such as too little memory, which is no fault of the file
            raise
        except (KeyError, TypeError, ValueError, MemoryError) as error:
            raise InvalidFileError(
                f"{path} does not describe a model that its arrays fit ({error}): "
                "give a file saved by gpucnn"
            ) from error
        return model

    def _restore(self, arrays: dict[str, NDArray[Any]], description: dict[str, Any]) -> None:
        self.set_weights([arrays[name] for name in self.parameter_names])
        optimizer = from_config(description["optimizer"], TRAINING)
        self.compile(optimizer)
        slots = {name: arrays[SLOT + name] for name in optimizer.slot_names}
        iterations = arguments.non_negative_integer(description["iterations"], "iterations")
        optimizer.place(self.backend, self.parameters, OptimizerState(iterations, slots))
        epochs_trained = description["epochs_trained"]
        self.epochs_trained = arguments.non_negative_integer(epochs_trained, "epochs_trained")
        self.pixels = from_description(description)

    def _images(self, x: NDArray[Any], pixels: Pixels | None) -> NDArray[Any]:
        """Checked images, made like those of `pixels`."""
        images = check_images(x, self.input_shape, self.dtype)
        return like_training(images, pixels, self.dtype)

    def _labelled(self, x: NDArray[Any], y: NDArray[Any], pixels: Pixels | None = None) -> Batches:
        images = self._images(x, pixels)
        return Batches(self.backend, self.dtype, images, check_labels(y, len(images), self.classes))


def _pair(data: Any) -> tuple[Any, Any]:
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise InvalidTypeError("validation_data is not a pair: give (images, labels)")
    return data[0], data[1]
