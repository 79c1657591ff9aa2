"""Model files: named arrays and a description, in the safetensors format.

The description is JSON under one key of the file's metadata. One key, because the format does not
preserve the order of keys, and equal models are to give equal bytes.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from gpucnn.backends.ranks.world import is_leader
from gpucnn.errors import (
    DeviceError,
    InvalidFileError,
    InvalidTypeError,
    InvalidValueError,
    NotRegisteredError,
    printable,
)
from gpucnn.layers import LAYERS, Layer
from gpucnn.layers.base import kind_of
from gpucnn.losses import LOSSES, Loss
from gpucnn.metrics import KINDS_OF_METRIC, Metric
from gpucnn.models.graph import Graph, build
from gpucnn.models.network import unroll
from gpucnn.models.pixels import Pixels, from_description, to_description
from gpucnn.models.training.divergence import check_finite_arrays, first_not_finite
from gpucnn.optimizers import OPTIMIZERS, SCHEDULES, Optimizer, OptimizerState, Schedule
from gpucnn.regularizers import L2
from gpucnn.utils import arguments
from gpucnn.utils.objects.config import from_config, registered, to_config
from gpucnn.utils.storage.files import write_bytes
from gpucnn.utils.warn import warn

KEY = "gpucnn"
VERSION = 1

PICKLE = (
    "is a pickle of PyTorch, which can run code of anyone: where torch is, write its state dict "
    "with safetensors.torch.save_file, and give that file"
)
OTHER_FORMATS = {
    ".pt": PICKLE,
    ".pth": PICKLE,
    ".onnx": "is an ONNX file: make a model of it by `gpucnn import`, or Sequential.from_onnx",
    ".npz": "has weights alone: make the model of its layers, and give it to load_weights",
}
"""What files are that are not of safetensors, by how their names end, and what to do."""

KIND, WEIGHTS = "kind", "weights"  # in the description of a file of weights alone
NAMES = "class_names"  # in the description of a model
SLOT = "optimizer."  # prefix of the names of the optimizer's vectors
MOST = 2**62  # steps or epochs of a file, so that their count stays within 64 bits
TRAINING = (*OPTIMIZERS, *SCHEDULES)
"""The library's classes that the description of an optimizer may name."""


# Models


@dataclass(frozen=True)
class Settings:
    """The arguments of a model's constructor, except the device, and its optimizer.

    Args:
        layers: in order.
        input_shape: of one image, (height, width, channels).
        dtype: "float32" or "float64".
        seed: of the initial parameters, the shuffles and dropout.
        optimizer: the one of `compile`.
        loss: the one of `compile`, or None.
        metrics: those of `compile`.
        name: of the model; None for that of its class.
        graph: which layers take whose outputs; None of a `Sequential`.
    """

    layers: Sequence[Layer]
    input_shape: Sequence[int]
    dtype: str
    seed: int
    optimizer: Optimizer
    loss: Loss | None = None
    metrics: Sequence[Metric] = ()
    name: str | None = None
    graph: Graph | None = None


@dataclass(frozen=True)
class SavedModel:
    """What a model file holds, on the host.

    Args:
        settings: the architecture and the optimizer.
        weights: by the names of the parameters, in their order.
        state: the optimizer's, taken together with the weights.
        epochs_trained: the epochs trained when they were taken.
        pixels: of the training images; None if they are unknown.
        class_names: by number; None if the classes have no names.
    """

    settings: Settings
    weights: dict[str, NDArray[Any]]
    state: OptimizerState
    epochs_trained: int
    pixels: Pixels | None
    class_names: tuple[str, ...] | None = None


def describe(settings: Settings) -> dict[str, Any]:
    """Settings as plain values.

    Raises:
        InvalidTypeError: a part is of a class of the user's that is not registered, or does not
            tell its arguments.

    Warns:
        GpucnnWarning: this is so of a metric, which is left out.
    """
    further: dict[str, Any] = {}
    if settings.loss is not None:
        further["loss"] = to_config(settings.loss, _losses())
    metrics = [_describe_metric(each) for each in settings.metrics]
    if any(metrics):
        further["metrics"] = [each for each in metrics if each is not None]
    if settings.graph is not None:
        further["inputs"] = settings.graph.inputs
    return {
        "layers": [to_config(layer, _layers()) for layer in settings.layers],
        "input_shape": list(settings.input_shape),
        "dtype": settings.dtype,
        "seed": settings.seed,
        "name": settings.name,
        "optimizer": to_config(settings.optimizer, _training()),
        **further,
    }


def _describe_metric(metric: Metric) -> dict[str, Any] | None:
    """A metric as plain values; None, and a warning, where it cannot be described.

    A model computes and trains the same without it: no training is to be lost for a metric.
    """
    try:
        return to_config(metric, _metrics())
    except InvalidTypeError as error:
        warn(f"the metric {metric.name} is left out of the saved model, since {error}")
        return None


def optimizer_arrays(state: OptimizerState) -> dict[str, NDArray[Any]]:
    """The optimizer's vectors, by their names in a model file."""
    return {SLOT + name: slot for name, slot in state.slots.items()}


def save_model(path: str | os.PathLike[str], model: SavedModel) -> None:
    """Write a model file, with the errors of `Sequential.save`."""
    arrays = model.weights | optimizer_arrays(model.state)
    description = describe(model.settings) | {
        "iterations": model.state.iterations,
        "epochs_trained": model.epochs_trained,
        **to_description(model.pixels),
        **({} if model.class_names is None else {NAMES: list(model.class_names)}),
    }
    check_finite_arrays(arrays)
    _check_attributes(description, sum(each.size for each in model.weights.values()))
    write_checkpoint(path, arrays, description)


def load_model(path: str | os.PathLike[str]) -> SavedModel:
    """Read a model file, with the errors of `Sequential.load`.

    The names and shapes of the arrays are not checked: make the model within `blaming`.
    """
    arrays, description = read_checkpoint(path)
    if description.get(KIND) == WEIGHTS:
        raise InvalidFileError(
            f"{path} has weights alone: make the model of its layers, and give it to load_weights"
        )
    diverged = first_not_finite(arrays)
    if diverged is not None:
        raise InvalidFileError(
            f"{path} has values that are not finite in {printable(diverged)}, since the "
            "training that wrote it diverged: load another file, or train anew with a lower "
            "learning rate"
        )
    with blaming(path):
        layers, graph, optimizer, count = _make_layers(description)
        held = sum(array.size for array in arrays.values())
        if count > held:  # checked before memory for the parameters is allocated
            raise InvalidValueError(f"it has {count:,} parameters, its arrays {held:,} numbers")
        shape, dtype, seed = (description[each] for each in ("input_shape", "dtype", "seed"))
        name = description.get("name")
        slots = {name: arrays.pop(SLOT + name) for name in optimizer.all_slot_names}
        return SavedModel(
            Settings(
                layers, shape, dtype, seed, optimizer, *_make_compiled(description), name, graph
            ),
            weights=arrays,
            state=OptimizerState(_count(description, "iterations"), slots),
            epochs_trained=_count(description, "epochs_trained"),
            pixels=from_description(description),
            class_names=description.get(NAMES),
        )


@contextmanager
def blaming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn errors of a model made from a file into one that names the file."""
    try:
        yield
    except DeviceError:  # such as too little memory, for which the file is not to blame
        raise
    except NotRegisteredError as error:
        raise InvalidFileError(f"{path} cannot be loaded: {error}") from error
    except (ArithmeticError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise InvalidFileError(
            f"{path} does not describe a model that its arrays fit ({printable(error)}): "
            "give a file saved by gpucnn"
        ) from error


def _check_attributes(description: dict[str, Any], parameters: int) -> None:
    """Check that `load_model` will accept a description, whose values may be attributes set later.

    Args:
        description: of the model as it is now.
        parameters: the number of its parameters.

    Raises:
        InvalidValueError: it will not.
    """
    *_, count = _make_layers(description)
    if count != parameters:
        raise InvalidValueError(
            f"the layers as they are now have {count:,} parameters, but the model was made "
            f"with {parameters:,}: make a new model instead of changing layers"
        )


def _make_layers(
    description: dict[str, Any],
) -> tuple[list[Layer], Graph | None, Optimizer, int]:
    """The layers and the optimizer of a description, and the layers' number of parameters."""
    layers = [from_config(config, _layers()) for config in description["layers"]]
    if not all(isinstance(each, Layer) for each in layers):
        raise InvalidValueError(f"its layers are {layers!r}")
    optimizer = from_config(description["optimizer"], _training())
    if not isinstance(optimizer, Optimizer):
        raise InvalidValueError(f"its optimizer is {optimizer!r}")
    inputs = description.get("inputs")
    graph = None if inputs is None else Graph.of(inputs, len(layers))
    return layers, graph, optimizer, count_parameters(layers, description["input_shape"], graph)


def _make_compiled(description: dict[str, Any]) -> tuple[Loss | None, list[Metric]]:
    """The loss and the metrics of a description, which may name none."""
    loss, metrics = description.get("loss"), description.get("metrics", ())
    made = None if loss is None else from_config(loss, _losses())
    return made, [from_config(each, _metrics()) for each in metrics]


def count_parameters(layers: Sequence[Layer], input_shape: Any, graph: Graph | None = None) -> int:
    """Build layers, which are in no model, and count their parameters and the numbers of state.

    Args:
        layers: in order.
        input_shape: of one image.
        graph: which of them take whose outputs; None for a chain.

    Raises:
        InvalidValueError: `input_shape` is none of an image, or a layer does not accept the output
            of the one before it.
    """
    shape = arguments.image_shape(input_shape, "input_shape")
    running = unroll(layers)
    for layer in running:
        layer.name_in_model = kind_of(layer)  # for error messages
    build(running, (graph or Graph.of_chain(layers)).unrolled(layers), shape)
    return sum(
        prod(each)
        for layer in running
        for shapes in (layer.parameter_shapes(), layer.state_shapes())
        for each in shapes.values()
    )


def _count(description: dict[str, Any], name: str) -> int:
    count = arguments.non_negative_integer(description[name], name)
    if count > MOST:
        raise InvalidValueError(f"{name} is {count}: it must be at most {MOST}")
    return count


# What a description may name


def _layers() -> tuple[type[Any], ...]:
    return *LAYERS, L2, *registered(Layer)


def _training() -> tuple[type[Any], ...]:
    return *TRAINING, *registered(Optimizer, Schedule)


def _losses() -> tuple[type[Any], ...]:
    return *LOSSES.values(), *registered(Loss)


def _metrics() -> tuple[type[Any], ...]:
    return *KINDS_OF_METRIC, *registered(Metric)


# Files


def write_checkpoint(
    path: str | os.PathLike[str], arrays: dict[str, NDArray[Any]], description: dict[str, Any]
) -> None:
    """Write arrays and a description, to a temporary file that is then renamed.

    Raises:
        InvalidFileError: `path` is a directory, or its folder does not exist.
        OSError: the file cannot be written.
    """
    text = json.dumps({"version": VERSION} | description, sort_keys=True)
    encoded = save(arrays, metadata={KEY: text})
    if is_leader():
        write_bytes(Path(path), encoded)


def read_checkpoint(
    path: str | os.PathLike[str],
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read the arrays and the description of a model file.

    Raises:
        InvalidFileError: there is no such file, it is cut short, or it is not a model of gpucnn.
    """
    with opened_safetensors(path) as file:
        description = read_description(path, file.metadata() or {})
        return arrays_of(file), description


@contextmanager
def opened_safetensors(path: str | os.PathLike[str]) -> Iterator[Any]:
    """A safetensors file, opened as by `safe_open`.

    Raises:
        InvalidFileError: there is no such file, it is cut short, or of another format.
    """
    file = Path(path)
    if file.is_dir():
        inside = min(file.glob("*.safetensors"), default="a .safetensors file")
        raise InvalidFileError(f"{path} is a directory: give a file, such as {inside}")
    if not file.is_file():
        raise InvalidFileError(
            f"there is no file {path}: give a file that gpucnn or Keras has saved"
        )
    try:
        with safe_open(file, framework="numpy") as opened:
            yield opened
    except TypeError as error:
        raise InvalidFileError(
            f"{path} has numbers of a dtype that NumPy has not ({printable(error)}): write it in "
            "float32"
        ) from error
    except SafetensorError as error:
        if file.suffix in OTHER_FORMATS:
            raise InvalidFileError(f"{path} {OTHER_FORMATS[file.suffix]}") from error
        raise InvalidFileError(
            f"{path} is cut short or not a safetensors file ({printable(error)}): "
            "give another copy, or train again"
        ) from error


def arrays_of(file: Any) -> dict[str, NDArray[Any]]:
    """The arrays of an opened safetensors file by name.

    Raises:
        TypeError: one has a dtype that NumPy has not, or only where another library, such as
            ml_dtypes, is imported.
    """
    arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dictionary
    for name, array in arrays.items():
        if array.dtype.kind == "V":
            raise TypeError(f"{name} is of dtype {array.dtype}")
    return arrays


def read_description(path: str | os.PathLike[str], metadata: dict[str, str]) -> dict[str, Any]:
    """The description of a model in the metadata of its file.

    Raises:
        InvalidFileError: there is none, or one of another version.
    """
    try:
        description = json.loads(metadata[KEY])
        version = description["version"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InvalidFileError(
            f"{path} is a safetensors file, but not a model of gpucnn: give one saved by gpucnn"
        ) from error
    if type(version) is not int or version != VERSION:  # True == 1
        raise InvalidFileError(
            f"{path} is a model file of version {printable(json.dumps(version))}, but this gpucnn "
            f"reads version {VERSION}: install the gpucnn that wrote it"
        )
    return description  # type: ignore[no-any-return]
