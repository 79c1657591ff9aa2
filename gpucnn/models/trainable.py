"""Networks that are compiled, and trained epoch by epoch."""

import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from functools import cached_property, partial
from math import isfinite
from typing import Any

from numpy.typing import NDArray

from gpucnn.backends import Backend
from gpucnn.backends.ranks.world import World, check_equal, world
from gpucnn.callbacks import Callback, CallbackList
from gpucnn.datasets.device_dataset import check_images
from gpucnn.errors import InvalidValueError, ModelInUseError, TrainingError
from gpucnn.layers import Input, Layer
from gpucnn.layers.ends import without_input
from gpucnn.losses import DEFAULT, BinaryCrossentropy, Loss, loss_of
from gpucnn.metrics import Evaluation, Measures, Metric, MetricLike, metrics_of
from gpucnn.models.building import BuiltLater
from gpucnn.models.checkpoint import optimizer_arrays
from gpucnn.models.data import (
    Arrays,
    Batches,
    ChunkLayout,
    Given,
    Labelled,
    Source,
    Stream,
    check_weights_of_images,
    is_stream,
    naming,
    refuse_with_arrays,
    refuse_with_batches,
    split_validation,
    weights_by_class,
    with_weights,
    without_labels,
)
from gpucnn.models.data.value_ranges import check_value_ranges
from gpucnn.models.graph import Graph
from gpucnn.models.network import Network
from gpucnn.models.part import Part
from gpucnn.models.pixels import Encoding, Pixels, encoding_of_bytes, like_training, trained_on
from gpucnn.models.progress import show_progress, verbosity
from gpucnn.models.replica import Objective, Replica
from gpucnn.models.training import EpochRecord, History, check_finite, epoch_order
from gpucnn.models.training.agreement import (
    check_images_for,
    check_parts,
    digest_of,
    kinds_of,
    plain,
)
from gpucnn.models.training.divergence import check_finite_arrays, check_weights
from gpucnn.models.training.on_batch import BatchTrainer
from gpucnn.models.training.parallel import ParallelTrainer
from gpucnn.models.training.trainer import Progress
from gpucnn.optimizers import Adam, Optimizer, optimizer_of
from gpucnn.utils import arguments
from gpucnn.utils.keras.arguments import keras_arguments
from gpucnn.utils.locks import ModelLock
from gpucnn.version import __version__

KEPT = 4
"""Kinds of batches for which `train_on_batch` keeps memory: with weights or without, and so on."""

OF_TRAINING = (
    *("loss", "optimizer", "stop_training", "run_eagerly", "epochs_trained", "history", "pixels"),
    "_metrics",
)
"""The attributes that models have of their training."""


class Trainable(BuiltLater):
    """A network with what it is trained for, an optimizer, and the state of its training.

    Arguments are those of `BuiltLater`.

    Attributes:
        optimizer: used by `fit`; `Adam()` unless `compile` sets another.
        loss: the loss function; None for the cross-entropy of classes, with layers that end in
            softmax or not, and labels that are whole numbers.
        stop_training: set it in `fit`, such as in a callback, to end the training after the epoch.
        run_eagerly: whether `fit`, `evaluate` and `predict` launch the operations on a batch one
            by one, where they would replay them as one on a device that can record; the results
            are the same.
        epochs_trained: the number of epochs trained, over all calls of `fit`.
        history: what the last call of `fit` returned, or is about to; None before the first.
        pixels: of the training images; None before training, and for files of early versions.
    """

    def __init__(
        self,
        layers: Sequence[Layer | Input | Network],
        dtype: str,
        device: str,
        seed: int | None,
        threads: int | None,
        graph: Graph | None = None,
    ) -> None:
        super().__init__(layers, dtype, device, seed, threads, graph)
        if self._shared is not None:
            return
        self._training = ModelLock(
            "the model is being trained by the call of fit that this call comes from: wait for "
            "its end"
        )
        self.optimizer: Optimizer = Adam()
        self._metrics: tuple[Metric, ...] = ()
        self.stop_training = self.run_eagerly = False
        self.epochs_trained = 0
        self.history: History | None = None
        self.pixels: Pixels | None = None

    def _place(self, backend: Backend, weights: Iterable[NDArray[Any]]) -> None:
        super()._place(backend, weights)
        self._trained: Replica | None = None
        self._batch_trainers: list[BatchTrainer] = []

    def _complete(self, made: Network) -> None:
        self._measures = Measures.of(self._metrics, self.loss or DEFAULT, made.classes)
        self.optimizer.place(made.backend, made.parameters, made.replica.layout)

    def _become(self, part: Part) -> None:
        super()._become(part)
        for name in OF_TRAINING:
            vars(self).pop(name, None)

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns, in order."""
        return ["loss", *(each.name for each in self.metrics)]

    # Training

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is measured besides the loss: the metrics of `compile`, and an accuracy unasked.

        The latter is among them once the model is built.
        """
        return self._measures.metrics if self.is_built else self._metrics

    @keras_arguments
    def compile(
        self,
        optimizer: Optimizer | str = "adam",
        loss: Loss | str | None = None,
        metrics: Sequence[MetricLike] | None = ("accuracy",),
        run_eagerly: bool = False,
    ) -> None:
        """Set the optimizer of `fit`, which starts without state, the loss and the metrics.

        Args:
            optimizer: an optimizer that no other model uses, or Keras's name of one, such as
                "adam", for one with its defaults.
            loss: of `gpucnn.losses`, one of your own, or Keras's name; None for the cross-entropy
                of classes that are whole numbers.
            metrics: of `gpucnn.metrics`, by name or as objects, or functions of y_true and y_pred
                on the host. The accuracy is measured in any case where the loss is a cross-entropy
                of classes, or of a single output.
            run_eagerly: see the attribute.

        Raises:
            InvalidTypeError: `optimizer` is not an optimizer, `loss` not a loss, `metrics` not a
                list of metrics, or `run_eagerly` not a bool.
            InvalidValueError: there is no optimizer, loss or metric of that name, the optimizer
                already trains another model, the loss does not fit what the layers end in, or a
                metric not the loss and the number of outputs.
            ModelInUseError: the model is being trained.
        """
        optimizer, loss, given = optimizer_of(optimizer), loss_of(loss), metrics_of(metrics)
        arguments.flag(run_eagerly, "run_eagerly")
        if optimizer.is_placed and optimizer is not self.optimizer:
            kind = type(optimizer).__name__
            raise InvalidValueError(f"this {kind} already trains another model: make a new one")
        self._refuse_training()
        with self._building.claim(), self._lock.claim() if self.is_built else nullcontext():
            if not self.is_built and self._given_graph is not None:  # no layers will be added
                Objective.of(loss, without_input(self._given))
            if self.is_built:
                objective = Objective.of(loss, self.layers)
                measures = Measures.of(given, loss or DEFAULT, self.classes)
                self._aim_at(objective)
                optimizer.place(self.backend, self.parameters, self.replica.layout)
                self._measures = measures
            self.optimizer, self.loss, self.run_eagerly = optimizer, loss, run_eagerly
            self._metrics, self._batch_trainers = given, []

    def _aim_at(self, objective: Objective) -> None:
        """Take another objective, for which layers may be fused in another way."""
        # An own loss may compare equal, and compute something else.
        if objective.loss.is_own or objective != self._objective:
            self._objective = objective
            self._place(self.backend, self.named_weights(self.replica).values())

    @keras_arguments
    def fit(
        self,
        x: Any,
        y: NDArray[Any] | None = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Sequence[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: NDArray[Any] | None = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        on_epoch_end: Callable[[EpochRecord], None] | None = None,
    ) -> History:
        """Train for further epochs, which are numbered from `initial_epoch` on, as in Keras.

        Do not modify `x` and `y` meanwhile: worker processes have copies of them. The optimizer
        continues from its state, and so does a schedule: past its end it stays at its last learning
        rate. An interrupted call leaves the model in the middle of an epoch, and so does an error
        of an iterable; one that diverges, as it was after the last epoch.

        For what is larger than memory, `x` may be an iterable of batches: what has a length and can
        be indexed, such as a `PyDataset` of Keras, any iterable, such as a `DataLoader`, or a
        generator. A batch is (images, labels) or (images, labels, sample_weight), and a training
        step; see `gpucnn.models.data.Stream` for what an epoch has of them, and
        `gpucnn.models.data.Batches` for what they have in common.

        Args:
            x: uint8 or floating point `(n, *input_shape)`, the images; the axis of a single channel
                may be left out. Or an iterable of batches.
            y: the labels: whole numbers (n,), in [0, classes), or what the loss takes; None with
                batches.
            batch_size: images in a training step, None for 32; the last batch of an epoch may be
                smaller. None with batches.
            epochs: the number of passes over the images, less `initial_epoch`.
            verbose: 0 to print nothing, 1 for a bar on a terminal or in a notebook, 2 for a line an
                epoch; "auto" for 1.
            callbacks: told of the beginning and the end of the training and of each epoch; they may
                stop it. A list, or a single one.
            validation_split: the share of the images, the last of them, that are not trained on but
                are the validation data, in [0, 1).
            validation_data: (x, y), or (x, y, sample_weight), or an iterable of batches, on which
                to evaluate the model after each epoch; or None.
            shuffle: whether to permute the images anew in each epoch; of batches, those that can be
                indexed, as a whole.
            class_weight: by the number of a class, what the loss of its images counts; 1 for
                classes that are left out.
            sample_weight: real (n,), what the loss of each image counts; None for 1.
            initial_epoch: the number of epochs that `epochs` counts as done, and with which the
                first of this call is numbered for callbacks. The shuffles go on from those of the
                epochs trained before in any case.
            steps_per_epoch: batches of an epoch; None for all that an iterable gives.
            validation_steps: batches of an iterable to validate on; None for all.
            on_epoch_end: called after each epoch with its record, see `History`.

        Returns:
            The records of the epochs of this call.

        Raises:
            InvalidTypeError: the dtype of the images or labels cannot be used.
            InvalidValueError: an argument, or the shape or a value of the images or labels, cannot
                be used.
            TrainingError: the loss or a weight is NaN or infinite.
            ModelInUseError: the model is being trained.

        Warns:
            GpucnnWarning: the learning rate's schedule ends before the last of these epochs, or a
                generator does, which ends the training.
        """
        size = arguments.positive_integer(32 if batch_size is None else batch_size, "batch_size")
        epochs = arguments.positive_integer(epochs, "epochs")
        numbers = range(arguments.non_negative_integer(initial_epoch, "initial_epoch"), epochs)
        if not numbers:
            raise InvalidValueError(
                f"initial_epoch is {initial_epoch}: it must be below epochs, the number of the last"
            )
        arguments.flag(shuffle, "shuffle")
        level = verbosity(verbose)
        ranks = world()
        told = CallbackList(callbacks, self)
        self._refuse_training()  # before a batch is taken from an iterable
        order = partial(epoch_order, self._options.seed, shuffle=shuffle)
        source: Source
        if is_stream(x, has_labels=y is None):
            of_arrays = {"y": y, "batch_size": batch_size, "sample_weight": sample_weight}
            refuse_with_batches(**of_arrays, validation_split=validation_split)
            stream = Stream(x, "x", steps_per_epoch, "steps_per_epoch", order=order)
            stream.check_lasts(len(numbers))
            source = self._batches(stream, class_weight, epoch=self.epochs_trained + 1)
        else:
            refuse_with_arrays(steps_per_epoch=steps_per_epoch)
            given = x, y, check_weights_of_images(sample_weight, x)
            given, validation_data = split_validation(given, validation_split, validation_data)
            self._build_for(given[0])
            source = Arrays(self._labelled(*given, class_weight), size, order)
        check_weights(self, self.replica)
        if source.steps is not None:
            self.optimizer.tell_end(len(numbers) * source.steps)
        pixels = trained_on(source.pixels, self.pixels)
        check_value_ranges(self._unrolled, self._running_graph, source.pixels)
        size = source.batch_size
        of_validation = validation_data, validation_steps, size, len(numbers), pixels
        validation = self._validation(*of_validation)
        held_out = None if validation is None else validation.memory
        history = History()
        self._refuse_training_elsewhere()
        with self._training.owned(), ranks.together():
            if ranks.size > 1:
                check_images_for(ranks, source.images or size, size)
                fitted = {
                    "batch_size": size,
                    "epochs": list(numbers),
                    "shuffle": shuffle,
                    "validation data": held_out is not None,
                    "validation_steps": validation_steps,
                }
                self._check_agreement(ranks, fitted, source.memory, held_out)
            self.pixels, self.history = pixels, history
            trainer = ParallelTrainer(
                self._twin(), self.optimizer, source.memory, size, held_out, self._measures
            )
            trainer.run_eagerly = self.run_eagerly
            self.stop_training = False
            level = 0 if ranks.rank else level
            if ranks.size > 1 and level:
                print(f"{ranks.size} ranks, which divide each batch among them", flush=True)
            shown = show_progress(level, epochs, source.images)
            params = {"verbose": verbose, "epochs": epochs, "steps": source.steps}
            with closing(trainer), told.training(params), shown as progress:
                report = told.progress(progress.batch)
                for epoch in numbers:
                    if source.has_ended(self.epochs_trained + 1):
                        break
                    told.epoch_begins(epoch)
                    by = ranks, trainer, source, validation, told
                    record = self._train_epoch(*by, epoch, report)
                    told.epoch_ends(epoch, record)
                    history.epochs.append(record)
                    progress.epoch(record)
                    if on_epoch_end is not None:
                        on_epoch_end(record)
                    if self._is_to_stop(ranks, epoch):
                        break
                with self._lock.claim():
                    self.optimizer.finalize(self.parameters)
        return history

    def _check_agreement(
        self,
        ranks: World,
        fitted: dict[str, object],
        data: Labelled | ChunkLayout,
        held_out: Labelled | ChunkLayout | None,
    ) -> None:
        """Check that all ranks train the same model in the same way on the same images.

        Args:
            ranks: all of them.
            fitted: the arguments of `fit`, by name.
            data: the images to train on.
            held_out: those to validate on.

        Raises:
            InvalidValueError: they do not.
        """
        digests = [digest_of(d) if isinstance(d, Labelled) else None for d in (data, held_out)]
        check_equal(
            ranks,
            {
                "version of gpucnn": __version__,
                "kind of device": self.backend.device.partition(":")[0],
                "number of threads": self.backend.threads,
                "model": (self.seed, str(self.dtype), kinds_of([*self._unrolled, self.loss])),
                "graph": self.graph.inputs,
                "state of training": self._digest(),
                **fitted,
                "set of images": digests[0],
                "set to validate on": digests[1],
            },
        )

    def _is_to_stop(self, ranks: World, epoch: int) -> bool:
        """Whether any rank is to stop after an epoch; all are to be in the same state.

        Raises:
            InvalidValueError: they are not.
        """
        if ranks.size == 1:
            return self.stop_training
        check_equal(ranks, {f"state after epoch {epoch + 1}": self._digest()})
        return ranks.any(self.stop_training)

    def _digest(self) -> str:
        """A digest of the weights, the optimizer's state, and what a user may set of both."""
        state = self.optimizer.state()
        arrays = self.named_weights(self.replica) | state.slots
        settings = [kinds_of([self.optimizer]), *map(plain, self.replica.settings)]
        return digest_of(arrays, repr((state.iterations, self.epochs_trained, settings)))

    def _train_epoch(
        self,
        ranks: World,
        trainer: ParallelTrainer,
        source: Source,
        validation: Source | None,
        told: CallbackList,
        epoch: int,
        progress: Progress,
    ) -> EpochRecord:
        """Train the model for an epoch, and evaluate it on the validation data.

        It is the next of all that the model was trained for; its number in this `fit`, from 0, is
        `epoch`.
        """
        of_all = self.epochs_trained + 1
        with self._trained_by(trainer, source):
            parts = check_parts(ranks, source.parts(of_all, trainer.chunk), trainer.chunk)
            record = trainer.epoch_of_parts(epoch + 1, parts, progress)
            check_weights(self, trainer.replica)
            check_finite_arrays(optimizer_arrays(trainer.optimizer.state()))
            if validation is not None:
                with self._lent(trainer) if told.is_told_of_tests else nullcontext():
                    told.test_begins()
                held_out = validation.parts(of_all, trainer.test_chunk)
                found = trainer.validate(check_parts(ranks, held_out, trainer.test_chunk))
                check_finite(found.loss, epoch + 1)
                with self._lent(trainer) if told.is_told_of_tests else nullcontext():
                    told.test_ends(found._asdict())
                record |= {f"val_{name}": value for name, value in found._asdict().items()}
        return record

    @keras_arguments
    def train_on_batch(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        sample_weight: NDArray[Any] | None = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Evaluation | dict[str, Any]:
        """Take one training step, from the optimizer's state.

        It is a step as `fit` takes them, but by this process alone, and other threads see the
        weights after it. One that diverges leaves weights that are not finite.

        Args:
            x: the images of the batch, as for `fit`.
            y: their labels, as for `fit`.
            sample_weight: as for `fit`.
            class_weight: as for `fit`.
            return_dict: whether to return a dictionary.

        Returns:
            What is measured of the batch before the update, as by `evaluate`; not the mean over
            earlier calls, which it is in Keras.

        Raises:
            InvalidTypeError: as by `fit`.
            InvalidValueError: as by `fit`.
            TrainingError: the loss is NaN or infinite.
            ModelInUseError: the model is being trained.
        """
        arguments.flag(return_dict, "return_dict")
        self._build_for(x)
        batch = self._labelled(x, y, check_weights_of_images(sample_weight, x), class_weight)
        pixels = Pixels.of_training(batch.images)
        check_value_ranges(self._unrolled, self._running_graph, pixels)
        pixels = trained_on(pixels, None) if self.pixels is None else pixels.after(self.pixels)
        self._refuse_training_elsewhere()
        with self._training.owned(), self._lock.claim():
            self.pixels = pixels
            trainer = self._batch_trainer(ChunkLayout.of_batch(batch, self.dtype))
            found = trainer.step(batch, run_eagerly=self.run_eagerly)
        if not isfinite(found.loss):
            raise TrainingError(
                f"the loss became {found.loss}: load or set weights from before, and train with a "
                "lower learning rate"
            )
        return found._asdict() if return_dict else found

    def _batch_trainer(self, layout: ChunkLayout) -> BatchTrainer:
        """What takes steps on batches of a layout, kept from one call to the next."""
        for trainer in self._batch_trainers:
            if trainer.takes(layout) and trainer.optimizer is self.optimizer:
                return trainer
        trainer = BatchTrainer(self.replica, self.optimizer, layout, self._measures)
        self._batch_trainers = [trainer, *self._batch_trainers][:KEPT]
        return trainer

    def _twin(self) -> Replica:
        """The replica that `fit` trains, kept from one call to the next."""
        if self._trained is None:
            with self._lock.claim():
                self._trained = self.replica.twin()
        return self._trained

    @contextmanager
    def _trained_by(self, trainer: ParallelTrainer, source: Source) -> Iterator[None]:
        """Train an epoch in this context: from the model's state, which is then the trainer's.

        The model takes over the state of an interrupted epoch too, but not of one that diverged.
        """
        known = source.pixels
        with self._lock.claim():
            trainer.load(self.replica, self.optimizer)
        try:
            yield
        except TrainingError:
            raise
        except BaseException:
            self._take_over(trainer, 0)
            raise
        else:
            self._take_over(trainer, 1)
        finally:
            if source.pixels != known:
                self.pixels = source.pixels.after(self.pixels)

    @contextmanager
    def _lent(self, trainer: ParallelTrainer) -> Iterator[None]:
        """In the middle of an epoch, have the trainer's state in this context, and so change it.

        The model has its own again after it, since the epoch may yet diverge.
        """
        with self._lock.claim():
            own = trainer.lend(self.replica, self.optimizer)
        yield
        with self._lock.claim():
            trainer.take_back(self.replica, self.optimizer, own)

    def _take_over(self, trainer: ParallelTrainer, epochs: int) -> None:
        """Take over the trainer's state after so many further whole epochs."""
        with self._lock.claim():
            trainer.store(self.replica, self.optimizer)
            self.epochs_trained += epochs

    def _refuse_training(self) -> None:
        """Check that the model may be changed.

        Raises:
            ModelInUseError: it is being trained, by this thread or another.
        """
        self._refuse_training_elsewhere()
        with self._training.claim():
            pass

    def _refuse_change(self) -> None:
        self._refuse_training_elsewhere()

    def _refuse_training_elsewhere(self) -> None:
        """Check that no other thread trains the model, and that the weights are its own.

        Raises:
            ModelInUseError: another thread does.
            InvalidValueError: they are not.
        """
        if self._shared is not None:
            whole = getattr(self._shared, "whole", None)
            owner = "the model before Softmax()" if whole is None else whole.name
            raise InvalidValueError(
                f"the weights are those of {owner}: compile, train, change or save that one"
            )
        if self._training.is_anothers:
            raise ModelInUseError(
                "the model is being trained by another thread: wait for the end of its fit, or "
                "take a copy (copy.deepcopy)"
            )

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The arguments of the constructor and of `compile`, as plain values."""

    @abstractmethod
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file."""

    # Data

    def _images(self, x: NDArray[Any], pixels: Pixels | None) -> NDArray[Any]:
        """Checked images, in the encoding of `pixels`."""
        images = check_images(x, self.input_shape, self.dtype)
        if pixels is None:
            return images
        return like_training(images, pixels, self.dtype, self._encoding_of_bytes)

    @cached_property
    def _encoding_of_bytes(self) -> Encoding:
        """That in which the layers, which are built, see bytes."""
        return encoding_of_bytes(self._unrolled)

    def _labelled(
        self,
        x: Any,
        y: Any,
        weights: NDArray[Any] | None = None,
        class_weight: Mapping[int, float] | None = None,
        pixels: Pixels | None = None,
    ) -> Labelled:
        """Checked images with checked labels, in the encoding of `pixels`."""
        if y is None:
            raise InvalidValueError(
                "there are no labels: give y, or let x be an iterable of batches that have them"
            )
        images = self._images(x, pixels)
        labels = (self.loss or DEFAULT).labels(y, len(images), self.classes)
        if self._measures.needs_outputs:
            self._measures.check_labels(labels, self.classes)
        data = Labelled(images, labels, weights)
        if class_weight is not None:
            weights = weights_by_class(class_weight, data, self._count_classes())
            return data._replace(weights=weights)
        return data

    def _count_classes(self) -> int | None:
        """The number of classes; None of a single output whose labels are any numbers."""
        if self.classes > 1:
            return self.classes
        return 2 if isinstance(self.loss, BinaryCrossentropy) else None

    def _batches(
        self,
        stream: Stream,
        class_weight: Mapping[int, float] | None = None,
        epoch: int = 1,
        pixels: Pixels | None = None,
    ) -> Batches:
        """The checked batches of a stream, in the encoding of `pixels`, from epoch `epoch` on."""

        def check(given: Given) -> Labelled:
            if not stream.has_labels:
                return without_labels(self._images(given.x, None))
            weights = check_weights_of_images(given.weights, given.x)
            return self._labelled(given.x, given.y, weights, class_weight)

        for first in stream.peek(epoch, 1):
            self._build_for(first.x)
        return Batches(stream, check, self.dtype, epoch, pixels, self._encoding_of_bytes)

    def _validation(
        self, data: Any, steps: int | None, batch_size: int, epochs: int, pixels: Pixels
    ) -> Source | None:
        """What to evaluate the model on after each epoch, in the encoding of `pixels`."""
        if is_stream(data, has_labels=False):
            stream = Stream(data, "validation_data", steps, "validation_steps")
            stream.check_lasts(epochs)
            return self._batches(stream, pixels=pixels)
        refuse_with_arrays(validation_steps=steps)
        if data is None:
            return None
        x, y, weights = with_weights(data)
        with naming("validation_data"):
            return Arrays(self._labelled(x, y, weights, pixels=pixels), batch_size)
