"""The model that users type: layers that were called on one another, with Keras's interface."""

import os
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Backend, get_backend
from gpucnn.backends.ranks.world import is_leader
from gpucnn.errors import InvalidFileError, InvalidTypeError, InvalidValueError
from gpucnn.layers import Input, Layer
from gpucnn.layers.ends import ends_in_softmax
from gpucnn.layers.tensor import Tensor, check_is_called_for_both
from gpucnn.metrics import Evaluation
from gpucnn.models.checkpoint import (
    SavedModel,
    Settings,
    blaming,
    describe,
    load_model,
    save_model,
)
from gpucnn.models.data import (
    Arrays,
    Source,
    Stream,
    check_weights_of_images,
    count_images,
    is_stream,
    refuse_with_arrays,
    refuse_with_batches,
)
from gpucnn.models.exchange.exported import Exported
from gpucnn.models.exchange.imported import Compiled, Imported, loss_of_outputs
from gpucnn.models.graph import Graph, trace
from gpucnn.models.part import Part, whole_of
from gpucnn.models.pictures.pictured import Pictured
from gpucnn.models.pixels import FLOATS, encoded, trained_elsewhere
from gpucnn.models.progress import show_evaluation, verbosity
from gpucnn.models.summary import outline, summary
from gpucnn.models.training import evaluation
from gpucnn.models.training.divergence import check_weights
from gpucnn.models.training.parallel import evaluate as evaluate_replica
from gpucnn.models.training.parallel import predict
from gpucnn.optimizers import Adam, OptimizerState
from gpucnn.utils import arguments
from gpucnn.utils.keras.arguments import keras_arguments
from gpucnn.utils.storage.files import write_bytes
from gpucnn.utils.table import Table

T = TypeVar("T")


class Model(Pictured):
    """Layers that were called on one another, from images to the output of the last.

        inputs = Input((28, 28, 1))
        x = Conv2D(8, 3, padding="same", activation="relu")(inputs)
        y = Conv2D(8, 3, padding="same")(x)
        outputs = Dense(10, activation="softmax")(Flatten()(Add()([x, y])))
        model = Model(inputs, outputs)

    Layers are called on the images or on the output of another, `Add` and `Concatenate` on lists of
    outputs; models that are not built, too, whose layers become a part of this one. A layer is
    called once. What `outputs` do not follow from is no part of the model. `Sequential` is the
    model of a list of layers, each of which takes the output of the one before.

    Made of layers of another model, once that is built, such as
    `Model(base.input, base.get_layer("dense").output)`, it gives what these do, also images, with
    the weights that the other has when it is used. It is trained, changed and saved by that model.

    Pixels may be bytes (uint8, 0 to 255), which become `pixel / 255 - 0.5`, or stay as they are for
    a model that begins with `Rescaling` or `Normalization`; or floating-point numbers, which are
    used as they are. Later images are converted to the encoding of the training
    images where that can be determined, and refused where not: see `gpucnn/models/pixels.py`.

    A model can be used from any thread. While one thread trains it, the others see the weights as
    of the last completed epoch, and can neither train nor change it. A model can be pickled and
    copied, the state of its training included. It is built when it is first used.

    Arguments, attributes and errors are those of `Network` and `Trainable`, and:

    Args:
        inputs: what `Input` has returned.
        outputs: what the last layer gives, or a list of that alone, as of `inputs`.
        name: of the model, in its summary and its file; None for "functional".
        seed: None for one that follows from `gpucnn.utils.set_random_seed`, or from 0 if it
            was not called, and is another for each model.

    Raises:
        InvalidTypeError: `inputs` or `outputs` is not as described, such as two outputs.
        InvalidValueError: `outputs` do not follow from `inputs` alone, a layer is called twice, or
            layers with weights follow on those of a built model.
    """

    name = "functional"

    of_list: ClassVar[type[Any]]
    """The class of models of a list of layers, `Sequential`, which is a subclass of this one."""

    def __init__(
        self,
        inputs: Input | Sequence[Input],
        outputs: Tensor | Sequence[Tensor],
        name: str | None = None,
        dtype: str = "float32",
        device: str = "auto",
        seed: int | None = None,
        threads: int | None = None,
    ) -> None:
        images, layers, graph = trace(inputs, outputs)
        whole_of(layers)  # which refuses what it cannot be made of
        self._take_name(name)
        super().__init__([images, *layers], dtype, device, seed, threads, graph)

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse what Keras's subclasses define.

        Raises:
            InvalidTypeError: a class of the user's defines `call`.
        """
        super().__init_subclass__(**options)
        if "call" in vars(cls):
            raise InvalidTypeError(
                f"{cls.__name__} defines call, but models are not traced: call layers on what "
                "Input and other layers give, and make a Model(inputs, outputs)"
            )

    def _take_name(self, name: str | None) -> None:
        if name is not None:
            self.name = arguments.text(name, "name")

    # Use

    @overload
    def evaluate(
        self,
        x: Any,
        y: NDArray[Any] | None = ...,
        batch_size: int | None = ...,
        verbose: int | str = ...,
        sample_weight: NDArray[Any] | None = ...,
        steps: int | None = ...,
        *,
        return_dict: Literal[False] = ...,
    ) -> Evaluation: ...

    @overload
    def evaluate(
        self,
        x: Any,
        y: NDArray[Any] | None = ...,
        batch_size: int | None = ...,
        verbose: int | str = ...,
        sample_weight: NDArray[Any] | None = ...,
        steps: int | None = ...,
        *,
        return_dict: Literal[True],
    ) -> dict[str, Any]: ...

    @keras_arguments
    def evaluate(
        self,
        x: Any,
        y: NDArray[Any] | None = None,
        batch_size: int | None = None,
        verbose: int | str = 0,
        sample_weight: NDArray[Any] | None = None,
        steps: int | None = None,
        *,
        return_dict: bool = False,
    ) -> Evaluation | dict[str, Any]:
        """Compute the mean loss and the metrics over labelled images.

        Args:
            x: the images, or an iterable of batches, as for `fit`.
            y: the labels, as for `fit`.
            batch_size: images in a batch, None for 128; None with batches.
            verbose: 0 to print nothing, else a line.
            sample_weight: as for `fit`.
            steps: batches of an iterable to take; None for all.
            return_dict: whether to return a dictionary.

        Returns:
            The loss, and the metrics in order, of which an accuracy is in [0, 1]: a tuple, or a
            dictionary by name.

        Raises:
            InvalidTypeError: the dtype of the images or labels cannot be used.
            InvalidValueError: an argument, or the shape or a value of the images or labels, cannot
                be used, or the encoding of the pixels cannot be matched to that of training.
            TrainingError: a weight is not finite.
        """
        size = arguments.positive_integer(128 if batch_size is None else batch_size, "batch_size")
        level = verbosity(verbose)
        source: Source
        if is_stream(x, has_labels=y is None):
            refuse_with_batches(y=y, batch_size=batch_size, sample_weight=sample_weight)
            source = self._batches(Stream(x, "x", steps), pixels=self.pixels)
        else:
            refuse_with_arrays(steps=steps)
            self._build_for(x)
            weights = check_weights_of_images(sample_weight, x)
            source = Arrays(self._labelled(x, y, weights, pixels=self.pixels), size)
        measures = self._measures  # which another thread may change meanwhile
        measured = [
            self._infer(evaluate_replica, data, batch, measures)
            for data, batch in source.in_memory()
        ]
        found = evaluation(measured, measures)
        show_evaluation(level, found)
        return found._asdict() if return_dict else found

    @keras_arguments
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = 0,
        steps: int | None = None,
    ) -> NDArray[Any]:
        """Compute the outputs for images: by default the probability of each class.

        They are logits where the model ends in these and is compiled with a loss of
        `from_logits=True`.

        Args:
            x: the images, as for `fit`; or an iterable of batches, whose labels are not looked at
                and may be left out.
            batch_size: images in a batch, None for 128; None with batches.
            verbose: as for `evaluate`; but there is nothing to print.
            steps: as for `evaluate`.

        Returns:
            real (n, outputs), on the host.

        Raises:
            InvalidTypeError: the dtype of the images cannot be used.
            InvalidValueError: an argument, or the shape or a value of the images, cannot be used,
                or the encoding of the pixels cannot be matched to that of training.
            TrainingError: a weight is not finite.
        """
        size = 128 if batch_size is None else arguments.positive_integer(batch_size, "batch_size")
        verbosity(verbose)
        softmax = True if self._adds_softmax else None
        if not is_stream(x, has_labels=False):
            refuse_with_arrays(steps=steps)
            self._build_for(x)
            images = self._images(x, self.pixels)
            return self._outputs(images, size, softmax)
        refuse_with_batches(batch_size=batch_size)
        source = self._batches(Stream(x, "x", steps, has_labels=False), pixels=self.pixels)
        found = [self._outputs(data.images, batch, softmax) for data, batch in source.in_memory()]
        return found[0] if len(found) == 1 else np.concatenate(found)

    @keras_arguments
    def test_on_batch(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        sample_weight: NDArray[Any] | None = None,
        return_dict: bool = False,
    ) -> Evaluation | dict[str, Any]:
        """As `evaluate` of a single batch, without the mean over earlier calls that it is in Keras.

        Arguments and errors are those of `evaluate`.
        """
        size = max(count_images(x), 1)
        found = self.evaluate(x, y, size, sample_weight=sample_weight)
        return found._asdict() if arguments.flag(return_dict, "return_dict") else found

    @keras_arguments
    def predict_on_batch(self, x: NDArray[Any]) -> NDArray[Any]:
        """As `predict`, also for the errors, of images in a single batch."""
        return self.predict(x, max(count_images(x), 1))

    @keras_arguments
    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """Compute what the layers give for images, without dropout.

        Called on what `Input` or a layer gives, a model that is not built gives what its layers do,
        which are then a part of the model that is made of it, see `Model`.

        It differs from `predict` where the model ends in logits and is compiled without a loss:
        these are logits then.

        Args:
            x: the images, as for `fit`.
            training: None, or False of images.

        Returns:
            real (n, outputs), on the host.

        Raises:
            InvalidTypeError: as by `predict`.
            InvalidValueError: as by `predict`, or `training` is not as described.
            TrainingError: a weight is not finite.
        """
        if isinstance(x, Tensor):
            check_is_called_for_both(training)
            return self.call_layers(x)
        if training:
            raise InvalidValueError(
                "training is True, but to call a model computes what it gives when it is used: "
                "train with fit or train_on_batch"
            )
        self._build_for(x)
        images = self._images(x, self.pixels)
        softmax = self._adds_softmax or ends_in_softmax(self.layers)
        return self._outputs(images, len(images), softmax)

    def _outputs(self, images: NDArray[Any], batch_size: int, softmax: bool | None) -> NDArray[Any]:
        """What the model gives for images, see `gpucnn.models.inference.predict`."""
        found = self._infer(predict, images, batch_size, softmax)
        return found.reshape(len(found), *self.output_shape)

    def _infer(self, infer: Callable[..., T], *arguments: Any) -> T:
        """Call `evaluate` or `predict` of a replica for images that are in memory."""
        with self._lock.claim():
            check_weights(self, self.replica)
            return infer(self.replica, *arguments, run_eagerly=self.run_eagerly)

    @keras_arguments
    def summary(self) -> None:
        """Print a table of the layers: output shape, parameters, multiply-adds and memory.

        A model that is not built stays so: layers can be added after it.
        """
        (self._summary() if self.is_built else self._preview()).print()

    def _summary(self) -> Table:
        return summary(self, self._shared.added if isinstance(self._shared, Part) else 0)

    def _preview(self) -> Table:
        """The summary of the model once it is built."""
        return summary(deepcopy(self))

    def _repr_html_(self) -> str:
        """The summary, as Jupyter shows the model; of one that is not built, the layers so far.

        It waits for nothing, whatever other threads do with the model.
        """
        if self.is_built:
            return self._summary().to_html()
        return outline(self.name, self._given).to_html()

    def place(self, backend: Backend) -> None:
        """Move the model to `backend`, with its weights and its optimizer.

        Raises:
            ModelInUseError: the model is being trained.
        """
        self._refuse_training()
        self.build(self.input_shape)  # if it is not
        state = self.optimizer.state()
        super().place(backend)
        self._place_optimizer(state)

    def _place_optimizer(self, state: OptimizerState) -> None:
        self.optimizer.place(self.backend, self.parameters, self.replica.layout, state)

    def to(self, device: str) -> "Model":
        """Move the model to another device, with its weights and its optimizer.

        Returns:
            The model itself.

        Raises:
            InvalidValueError: there is no such device.
            ModelInUseError: the model is being trained.
        """
        super().to(device)
        return self

    def __getstate__(self) -> dict[str, Any]:
        """As for `Network`; a model without weights of its own is its attributes."""
        has_weights = self.is_built and self._shared is None
        return super().__getstate__() if has_weights else dict(vars(self))

    def _state(self) -> dict[str, Any]:
        memory: dict[str, Any] = {"_trained": None, "_batch_trainers": []}
        return super()._state() | {"optimizer_state": self.optimizer.state(), **memory}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "optimizer_state" not in state:  # it has no weights of its own
            vars(self).update(state)
            return
        optimizer_state = state.pop("optimizer_state")
        super().__setstate__(state)
        self._place_optimizer(optimizer_state)

    # Files

    def settings(self) -> dict[str, Any]:
        """The arguments of the constructor and of `compile`, except the device, as plain values."""
        return describe(self._settings())

    def _settings(self) -> Settings:
        dtype, loss = self.dtype.name, self.loss
        of_fit = self.optimizer, loss, self._metrics
        of_model = self.layers, self.input_shape, dtype, self.seed
        return Settings(*of_model, *of_fit, self.name, self._given_graph)

    @keras_arguments
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file from which `load` continues.

        It holds the weights and the optimizer's vectors, and in its metadata the architecture, the
        optimizer and the epochs trained. The file appears under its name complete or not at all.

        Raises:
            InvalidFileError: `path` is a directory, or its folder does not exist.
            InvalidTypeError: a part of it, but a metric, is of a class of your own that is not
                registered, see `gpucnn.utils.register`.
            InvalidValueError: an attribute of a layer or of the optimizer was set to a value that
                its constructor refuses.
            TrainingError: a weight, or an element of the optimizer's vectors, is not finite.
            OSError: the file cannot be written.

        Warns:
            GpucnnWarning: a metric of your own is not registered, and so is left out: `load` makes
                a model without it.
        """
        if self._shared is not None:
            self._refuse_training_elsewhere()
        with self._lock.claim():
            state, epochs_trained = self.optimizer.state(), self.epochs_trained
            weights = self.named_weights(self.replica)
        of_training = state, epochs_trained, self.pixels, self.class_names
        save_model(path, SavedModel(self._settings(), weights, *of_training))

    @keras_arguments
    def save_weights(self, filepath: str | os.PathLike[str]) -> None:
        """Write the weights alone, for `load_weights`; raises as `save`.

        Args:
            filepath: under any name, of which ".safetensors" says what the file is; or one that
                ends in ".npz", for a file of NumPy's, without the record of the pixels.
        """
        # Imported here, and so below: `import gpucnn` stays light.
        from gpucnn.models.exchange.weights import save_weights

        if self._shared is not None:
            self._refuse_training_elsewhere()
        with self._lock.claim():
            weights = self.named_weights(self.replica)
        save_weights(filepath, weights, self.pixels)

    @keras_arguments
    def load_weights(self, filepath: str | os.PathLike[str]) -> None:
        """Set the weights to those of a file, and what pixels the model was trained on.

        Args:
            filepath: a file that `save_weights` or `save` wrote, of a model with the same layers
                under the same names; or NumPy's ".npz" with arrays of these names; or the state
                dict of PyTorch's modules, as a safetensors file, in which the modules that have
                weights may have any names, if these are told apart by shapes and numbers.

        Raises:
            InvalidFileError: there is no such file, it is cut short, it is not of gpucnn, or its
                weights are not those of this model's layers.
            InvalidTypeError: it is PyTorch's, and a layer is of a class of your own.
            ModelInUseError: another thread is training the model.
        """
        from gpucnn.models.exchange.weights import load_weights

        self._refuse_change()
        names = self.weight_names
        try:
            of_layers = self.layers, self.graph, self.input_shape
            weights, pixels = load_weights(filepath, names, *of_layers)
            self.set_weights(weights)
        except InvalidValueError as error:
            raise InvalidFileError(f"{filepath} is not of this model: {error}") from error
        self.pixels = pixels

    @keras_arguments
    def export(
        self,
        filepath: str | os.PathLike[str],
        format: str | None = None,  # noqa: A002 - Keras's name
        verbose: int | str | None = None,
        pixels: str = FLOATS,
    ) -> None:
        """Write an ONNX file, a file of Keras or PyTorch, or a page that runs in a browser.

        An ONNX file computes in float32 what `predict` does. Its input, "input", is
        `(images, *input_shape)`, and its output (images, outputs), called "probabilities", or
        "outputs" where the model gives others. The number of images is free. Nodes have the names
        of the layers, and weights those of `weight_names`.

        PyTorch's is the state dict of `to_torch` of the model, as a safetensors file: what
        `load_state_dict(safetensors.torch.load_file(filepath))` takes. PyTorch is not needed.

        Keras's is what `keras.models.load_model` takes, a model that predicts what this one does,
        and is not compiled; or what `load_weights` of such a model takes. Keras is not needed.

        A page is one HTML file to draw on, of a classifier of images. It has the weights in
        float32, and computes what `predict` does in the browser, without a server.

        The file appears under its name complete or not at all.

        Args:
            filepath: of a name that ends in .onnx; for PyTorch in .safetensors; for Keras in .keras
                or .weights.h5; for a page in .html.
            format: "onnx", "torch", "keras" or "page"; None for that of the name.
            verbose: as for `evaluate`, or None; but there is nothing to print.
            pixels: "floats" for float32, in the encoding that the model was trained on, which the
                description of the input tells; "bytes" for uint8 of 0 to 255, which an ONNX graph
                converts to it. A page takes bytes.

        Raises:
            InvalidFileError: `filepath` is a directory, or its folder does not exist.
            InvalidTypeError: a layer is of a class of your own.
            InvalidValueError: an argument is not as described, the model was trained on pixels in
                no encoding to which bytes can be converted, or a name, the weights or a shape are
                such as the format cannot hold, or the model is none that a page can show.
            TrainingError: a weight is not finite.
            MissingExtraError: the package that writes it, onnx or h5py, is not installed.
            OSError: the file cannot be written.
        """
        from gpucnn.models.exchange.export import check_export, content_of

        verbosity(verbose or 0)
        chosen = check_export(filepath, format, pixels)
        content = content_of(filepath, self.exported(), chosen, pixels, self.pixels)
        if is_leader():
            write_bytes(Path(filepath), content)

    def exported(self) -> Exported:
        """What the model's form in another library is made of.

        Raises:
            TrainingError: a weight is not finite.
        """
        from gpucnn.models.pictures.files import takes_photographs

        softmax = self._adds_softmax or self._objective.predicts_softmax
        with self._lock.claim():
            check_weights(self, self.replica)
            weights = self.named_weights(self.replica)
        of_layers = self.layers, self.graph, weights, self.input_shape
        of_outputs = softmax, self.loss, self._tells_classes, self.class_names
        photographs = takes_photographs(self)
        return Exported(self.name, *of_layers, self.dtype.name, *of_outputs, photographs)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], device: str = "auto", threads: int | None = None
    ) -> "Model":
        """Load a model, with the state of its training, from a file that `save` wrote.

        It is a `Sequential` or another `Model`, as the one that was saved.

        Of a `.keras` file it has what Keras's `load_model` gives, without what the optimizer has
        gathered, by h5py; Keras is not needed.

        Raises:
            InvalidFileError: there is no such file, it is cut short, it is not a model of gpucnn,
                its arrays do not fit its architecture, or are not finite.
            InvalidValueError: there is no such device, or `threads` is not a positive integer.
            DeviceError: the device cannot be used, or has too little memory.
        """
        from gpucnn.models.exchange.keras.files import is_of_keras, opened_file
        from gpucnn.models.exchange.keras.from_keras import imported_of_file

        # Resolved here, so that an error of the device is not taken for one of the file.
        device = get_backend(device, threads).device
        if is_of_keras(path):
            with opened_file(path) as file:
                return cls.from_imported(imported_of_file(file), device, threads)
        saved = load_model(path)
        with blaming(path):
            of = saved.settings
            of_file = of.layers, of.graph, of.input_shape, of.dtype, device, of.seed
            model = cls._made_of(*of_file, threads, of.name)
            model._restore(saved)
        return model

    @classmethod
    def _made_of(
        cls,
        layers: Sequence[Layer],
        graph: Graph | None,
        input_shape: Sequence[int],
        dtype: str,
        device: str,
        seed: int | None,
        threads: int | None,
        name: str | None,
    ) -> "Model":
        """A model of layers: a `Sequential` unless there is a graph of them."""
        if graph is None:
            kind: Any = cls if issubclass(cls, cls.of_list) else cls.of_list
            made: Model = kind(layers, input_shape, dtype, device, seed, threads, name)
            return made
        images = Input(input_shape)
        return Model(images, graph.call(layers, images), name, dtype, device, seed, threads)

    def _restore(self, saved: SavedModel) -> None:
        """Set the weights and the state of training."""
        self.set_weights([saved.weights[name] for name in self.weight_names])
        of = saved.settings
        self.compile(of.optimizer, of.loss, of.metrics)
        self._place_optimizer(saved.state)
        self.epochs_trained, self.pixels = saved.epochs_trained, saved.pixels
        self.class_names = saved.class_names

    @classmethod
    def from_onnx(
        cls, path: str | os.PathLike[str], device: str = "auto", threads: int | None = None
    ) -> "Model":
        """Make a model of an ONNX file of a convolutional classifier, such as PyTorch's or Keras's.

        It is a `Sequential`, or another `Model` where the graph branches. It takes images of (rows,
        columns, channels), also where those of the file have their channels first, with pixels as
        that model was given them: which ones, a file does not tell. It predicts what the file
        computes, probabilities or logits, and can be trained further.

        Raises:
            MissingExtraError: the package onnx is not installed.
            InvalidFileError: there is no such file, it is damaged, or has what no layer of gpucnn
                does, such as a product of two outputs of others, which is named.
            InvalidValueError: a weight is not finite, there is no such device, or `threads` is not
                a positive integer.
            DeviceError: the device cannot be used, or has too little memory.
        """
        from gpucnn.models.exchange.onnx.from_onnx import from_onnx

        return cls.from_imported(from_onnx(path), device, threads)

    @classmethod
    def from_imported(
        cls, imported: Imported, device: str = "auto", threads: int | None = None
    ) -> "Model":
        """Make a model of what was read from another library, see `gpucnn.models.exchange`.

        It predicts what its layers give there, so that one that ends in logits is compiled with the
        loss of logits.

        Raises:
            InvalidValueError: the layers do not fit each other, or their weights; or there is no
                such device, or `threads` is not a positive integer.
            DeviceError: the device cannot be used, or has too little memory.
        """
        of = imported
        of_model = of.layers, of.graph, of.input_shape, of.dtype, device, None, threads
        model = cls._made_of(*of_model, of.name)
        weights = dict(zip(map(id, of.layers), of.weights, strict=True))
        model.set_weights([array for layer in model.layers for array in weights[id(layer)]])
        optimizer, loss, metrics = of.compiled or Compiled(None, loss_of_outputs(model.layers), ())
        model.compile(optimizer or Adam(), loss, metrics)
        model.pixels = trained_elsewhere(model.layers)
        if of.encoding is not None:
            model.set_encoding(*of.encoding)
        model.class_names, photographs = of.metadata
        if model.pixels is not None:
            model.pixels = replace(model.pixels, photographs=photographs)
        return model

    def set_encoding(self, low: float, high: float) -> None:
        """Say what pixels a model was given that another library has trained.

        Bytes that are given to it are then converted to that, and so are floating-point numbers in
        another encoding.

        Args:
            low: the number that stood for the byte 0.
            high: the number that stood for the byte 255: one of (0, 1), (-0.5, 0.5), (-1, 1) and
                (0, 255).

        Raises:
            InvalidValueError: it is none of these.
        """
        known = None if self.pixels is None else self.pixels.photographs
        self.pixels = replace(encoded(low, high), photographs=known)
