"""The model that users type: layers in a row, with Keras's interface."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from math import prod
from typing import Any

from numpy.typing import NDArray

from gpucnn.backends import Backend, get_backend
from gpucnn.datasets.device_dataset import check_images, check_labels
from gpucnn.errors import (
    DeviceError,
    InvalidFileError,
    InvalidTypeError,
    InvalidValueError,
    ModelInUseError,
    TrainingError,
    printable,
)
from gpucnn.layers import LAYERS, Layer
from gpucnn.models.checkpoint import read_checkpoint, write_checkpoint
from gpucnn.models.divergence import check_weights, first_not_finite, refuse_not_finite
from gpucnn.models.network import Network
from gpucnn.models.parallel import Labelled, ParallelTrainer, predict
from gpucnn.models.parallel import evaluate as evaluate_replica
from gpucnn.models.pixels import Pixels, from_description, like_training, to_description, trained_on
from gpucnn.models.progress import show_progress
from gpucnn.models.replica import Replica
from gpucnn.models.summary import print_summary
from gpucnn.models.training import EpochRecord, Evaluation, History, check_finite, epoch_order
from gpucnn.optimizers import OPTIMIZERS, SCHEDULES, Adam, Optimizer, OptimizerState
from gpucnn.utils import arguments
from gpucnn.utils.config import from_config, to_config
from gpucnn.utils.locks import ModelLock

TRAINING = (*OPTIMIZERS, *SCHEDULES)
SLOT = "optimizer."  # before the names of the optimizer's vectors in a model file
MOST = 2**62  # steps or epochs that a file may tell of: their count is to stay within 64 bits


class Sequential(Network):
    """A network that is trained, measured, used, saved and loaded, under Keras's names.

    Pixels may be bytes (uint8, 0 to 255), which become `pixel / 255 - 0.5`, or floating-point
    numbers, which are used as they are. What a trained model is given later is made like what it
    was trained on, where that can be known, and refused where not: see `gpucnn/models/pixels.py`.

    A model can be used from any thread. While one trains it, others see the weights that it had
    after the last epoch, or before the first; but they cannot train it, nor change it. A model can
    be pickled and copied, the state of its training included.

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
        self._training = ModelLock(
            "the model is being trained by the call of fit that this call comes from: wait for "
            "its end"
        )
        self._trained: Replica | None = None
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
            ModelInUseError: the model is being trained.
        """
        self._refuse_training()
        with self._lock.claim():
            self._compile(optimizer)

    def _compile(self, optimizer: Optimizer) -> None:
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

        The arrays given may not be changed meanwhile: worker processes have copies of them. The
        optimizer goes on from where it is, a schedule too: past its end it stays at its last
        learning rate. A call that is interrupted leaves the model in the middle of an epoch, one
        whose loss is no longer a number as it was after the last one.

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
            TrainingError: the loss, or a weight, is not a finite number (any more).
            ModelInUseError: the model is being trained.

        Warns:
            GpucnnWarning: the learning rate's schedule ends before these epochs do.
        """
        arguments.positive_integer(batch_size, "batch_size")
        arguments.positive_integer(epochs, "epochs")
        arguments.flag(shuffle, "shuffle")
        data = self._labelled(x, y)
        check_weights(self, self.parameters)
        self.optimizer.tell_end(epochs * -(-len(data[0]) // batch_size))
        pixels = trained_on(x, self.pixels)
        validation = (
            None if validation_data is None else self._labelled(*_pair(validation_data), pixels)
        )
        history = History()
        self._refuse_training_elsewhere()
        with self._training.owned():
            self.pixels = pixels
            last_epoch = self.epochs_trained + epochs
            trainer = ParallelTrainer(self._twin(), self.optimizer, data, batch_size, validation)
            with closing(trainer), show_progress(verbose, last_epoch, len(data[0])) as progress:
                for epoch in range(self.epochs_trained + 1, last_epoch + 1):
                    order = epoch_order(self.seed, epoch, len(data[0]), shuffle=shuffle)
                    with self._trained_by(trainer, epoch):
                        record = trainer.epoch(epoch, order, progress.batch)
                        check_weights(self, trainer.replica.parameters)
                        refuse_not_finite(_slots(trainer.optimizer.state()))
                        if validation is not None:
                            record |= _validate(trainer, epoch)
                    history.epochs.append(record)
                    progress.epoch(record)
                    if on_epoch_end is not None:
                        on_epoch_end(record)
        return history

    def _twin(self) -> Replica:
        """The replica that is trained, kept from one call to the next."""
        if self._trained is None:
            with self._lock.claim():
                self._trained = self.replica.twin()
        return self._trained

    @contextmanager
    def _trained_by(self, trainer: ParallelTrainer, epoch: int) -> Iterator[None]:
        """A span in which the trainer trains: from what the model has, which then has the result.

        So it has of an epoch that is interrupted; not of one that has diverged.
        """
        with self._lock.claim():
            trainer.load(self.replica, self.optimizer)
        try:
            yield
        except TrainingError:
            raise
        except BaseException:
            self._take_over(trainer, self.epochs_trained)
            raise
        self._take_over(trainer, epoch)

    def _take_over(self, trainer: ParallelTrainer, epochs_trained: int) -> None:
        with self._lock.claim():
            trainer.store(self.replica, self.optimizer)
            self.epochs_trained = epochs_trained

    def _refuse_training(self) -> None:
        """Refuse what would change a model that is being trained.

        Raises:
            ModelInUseError: it is.
        """
        self._refuse_training_elsewhere()
        with self._training.claim():
            pass

    def _refuse_training_elsewhere(self) -> None:
        if self._training.is_anothers:
            raise ModelInUseError(
                "the model is being trained by another thread: wait for the end of its fit, or "
                "take a copy (copy.deepcopy)"
            )

    # Use

    def evaluate(self, x: NDArray[Any], y: NDArray[Any], batch_size: int = 128) -> Evaluation:
        """The mean loss and the accuracy, in [0, 1], over labelled images given as to `fit`.

        Raises:
            InvalidTypeError: the dtype of the images or labels cannot be used.
            InvalidValueError: an argument, or the shape or a value of the images or labels, cannot
                be used, or it is not known how the pixels become like those of training.
            TrainingError: a weight is not a finite number.
        """
        arguments.positive_integer(batch_size, "batch_size")
        data = self._labelled(x, y, self.pixels)
        with self._lock.claim():
            check_weights(self, self.parameters)
            return evaluate_replica(self.replica, data, batch_size)

    def predict(self, x: NDArray[Any], batch_size: int = 128) -> NDArray[Any]:
        """The probability of each class for each image, real (n, classes); `x` as for `fit`.

        Raises:
            InvalidTypeError: the dtype of the images cannot be used.
            InvalidValueError: an argument, or the shape or a value of the images, cannot be used,
                or it is not known how the pixels become like those of training.
            TrainingError: a weight is not a finite number.
        """
        arguments.positive_integer(batch_size, "batch_size")
        images = self._images(x, self.pixels)
        with self._lock.claim():
            check_weights(self, self.parameters)
            return predict(self.replica, images, batch_size)

    def summary(self) -> None:
        """Print a table of the layers: output shape, parameters, multiply-adds, memory."""
        print_summary(self)

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """See `Network.set_weights`; also at the end of an epoch, by the thread that trains.

        Raises:
            ModelInUseError: another thread trains the model.
        """
        self._refuse_training_elsewhere()
        super().set_weights(weights)

    def place(self, backend: Backend) -> None:
        """Move to `backend`, weights and optimizer included.

        Raises:
            ModelInUseError: the model is being trained.
        """
        self._refuse_training()
        state, self._trained = self.optimizer.state(), None
        super().place(backend)
        self.optimizer.place(self.backend, self.parameters, state)

    def to(self, device: str) -> "Sequential":
        """Move to another device, weights and optimizer included; returns the model itself.

        Raises:
            InvalidValueError: there is no such device.
            ModelInUseError: the model is being trained.
        """
        super().to(device)
        return self

    def _state(self) -> dict[str, Any]:
        """See `Network._state`; with that of the optimizer."""
        return super()._state() | {"optimizer_state": self.optimizer.state(), "_trained": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        optimizer_state = state.pop("optimizer_state")
        super().__setstate__(state)
        self.optimizer.place(self.backend, self.parameters, optimizer_state)

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
            InvalidValueError: an attribute of a layer or of the optimizer was set to what its
                constructor refuses.
            TrainingError: a weight, or a number of the optimizer's, is not finite.
            OSError: the file cannot be written.
        """
        with self._lock.claim():
            state, epochs_trained = self.optimizer.state(), self.epochs_trained
            weights = self.split(self.parameters)
        arrays = dict(zip(self.parameter_names, weights, strict=True))
        arrays |= _slots(state)
        description = self.settings() | {
            "iterations": state.iterations,
            "epochs_trained": epochs_trained,
            **to_description(self.pixels),
        }
        refuse_not_finite(arrays)
        self._check_attributes(description)
        write_checkpoint(path, arrays, description)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], device: str = "auto", threads: int | None = None
    ) -> "Sequential":
        """The model in a file that `save` wrote, with the state of its training.

        Raises:
            InvalidFileError: there is no such file, it is cut short, it is not a model of gpucnn,
                its arrays do not fit its architecture, or are not finite.
            InvalidValueError: there is no such device, or `threads` is no number of threads.
            DeviceError: it cannot be used, or has not enough memory.
        """
        # Here, where an error is not taken for one of the file.
        device = get_backend(device, threads).device
        arrays, description = read_checkpoint(path)
        diverged = first_not_finite(arrays)
        if diverged is not None:
            raise InvalidFileError(
                f"{path} has values that are not finite in {printable(diverged)}, since the "
                "training that wrote it diverged: load another file, or train anew with a lower "
                "learning rate"
            )
        try:
            layers, optimizer, count = _make_parts(description)
            held = sum(array.size for array in arrays.values())
            if count > held:  # before memory for them is taken
                raise InvalidValueError(f"it has {count:,} parameters, its arrays {held:,} numbers")
            shape, dtype = description["input_shape"], description["dtype"]
            model = cls(layers, shape, dtype, device, description["seed"], threads)
            model._restore(optimizer, arrays, description)
        except DeviceError:  # such as too little memory, which is no fault of the file
            raise
        except (ArithmeticError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise InvalidFileError(
                f"{path} does not describe a model that its arrays fit ({printable(error)}): "
                "give a file saved by gpucnn"
            ) from error
        return model

    def _check_attributes(self, description: dict[str, Any]) -> None:
        """Refuse to save what `load` would not take, since it was set past a constructor."""
        _, _, count = _make_parts(description)
        if count != self.parameters.size:
            raise InvalidValueError(
                f"the layers as they are now have {count:,} parameters, but the model was made "
                f"with {self.parameters.size:,}: make a new model instead of changing layers"
            )

    def _restore(
        self, optimizer: Optimizer, arrays: dict[str, NDArray[Any]], description: dict[str, Any]
    ) -> None:
        self.set_weights([arrays[name] for name in self.parameter_names])
        self.compile(optimizer)
        slots = {name: arrays[SLOT + name] for name in optimizer.slot_names}
        state = OptimizerState(_count(description, "iterations"), slots)
        optimizer.place(self.backend, self.parameters, state)
        self.epochs_trained = _count(description, "epochs_trained")
        self.pixels = from_description(description)

    def _images(self, x: NDArray[Any], pixels: Pixels | None) -> NDArray[Any]:
        """Checked images, made like those of `pixels`."""
        images = check_images(x, self.input_shape, self.dtype)
        return like_training(images, pixels, self.dtype)

    def _labelled(self, x: NDArray[Any], y: NDArray[Any], pixels: Pixels | None = None) -> Labelled:
        images = self._images(x, pixels)
        return images, check_labels(y, len(images), self.classes)


def _validate(trainer: ParallelTrainer, epoch: int) -> EpochRecord:
    """What an epoch's record has of the validation."""
    measured = trainer.validate()
    check_finite(measured.loss, epoch)
    return {"val_loss": measured.loss, "val_accuracy": measured.accuracy}


def _slots(state: OptimizerState) -> dict[str, NDArray[Any]]:
    """The optimizer's vectors, by their names in a model file."""
    return {SLOT + name: slot for name, slot in state.slots.items()}


def _make_parts(description: dict[str, Any]) -> tuple[list[Layer], Optimizer, int]:
    """The layers and the optimizer of a description, and the number of the layers' parameters."""
    layers = [from_config(config, LAYERS) for config in description["layers"]]
    optimizer = from_config(description["optimizer"], TRAINING)
    return layers, optimizer, _count_parameters(layers, description["input_shape"])


def _count_parameters(layers: list[Layer], input_shape: Any) -> int:
    shape = arguments.image_shape(input_shape, "input_shape")
    count = 0
    for layer in layers:
        layer.name = type(layer).__name__.lower()  # for errors
        layer.build(shape)
        count += sum(map(prod, layer.parameter_shapes().values()))
        shape = layer.output_shape
    return count


def _count(description: dict[str, Any], name: str) -> int:
    count = arguments.non_negative_integer(description[name], name)
    if count > MOST:
        raise InvalidValueError(f"{name} is {count}: it must be at most {MOST}")
    return count


def _pair(data: Any) -> tuple[Any, Any]:
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise InvalidTypeError("validation_data is not a pair: give (images, labels)")
    return data[0], data[1]
