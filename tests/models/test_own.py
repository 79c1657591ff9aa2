"""Models with layers, losses and optimizers of the user's own, in array code, on either device."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import small
from expect import refusal
from gpucnn import (
    SGD,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    MaxPool2D,
    Model,
    ReLU,
    Sequential,
)
from gpucnn.backends import Array, Shape
from gpucnn.backends.cuda.simulator_runtime import _Recording
from gpucnn.errors import GpucnnWarning, InvalidFileError, InvalidTypeError
from gpucnn.layers import Layer, Step
from gpucnn.losses import BinaryCrossentropy, Loss
from gpucnn.metrics import F1Score, TopKCategoricalAccuracy
from gpucnn.models.training.parallel import ParallelTrainer
from gpucnn.optimizers import Optimizer
from gpucnn.utils import register
from gpucnn.utils.objects import config
from gradients import assert_network_gradients
from microbatches import InMicrobatches
from own import Certainty, Cubed, Gains, Halving, Signs, Softplus, doubt

IMAGES, BATCH = 17, 5
X, Y = small.images(IMAGES), small.labels(IMAGES)
ROWS = np.eye(3)[Y]

devices = pytest.mark.parametrize("device", ["cpu", "simulator"])
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def layers() -> list[Layer]:
    """Layers of one's own before, between and after each kind of the library's."""
    return [
        *(
            Gains(),
            Conv2D(4, 3, use_bias=False),
            Gains(),
            BatchNormalization(),
            Softplus(2.0),
            MaxPool2D(2),
        ),
        *(Softplus(), Flatten(), Gains(), Dense(5), Gains(), Dense(3), Softplus()),
    ]


def model(device: str = "cpu", dtype: str = "float64", **options: Any) -> Sequential:
    made = Sequential(layers(), small.SHAPE, dtype, device, seed=4, threads=1, **options)
    made.compile(Signs(Halving(0.01, 3)), Cubed(), [Certainty(), doubt])
    return made


def fit(made: Model) -> dict[str, Any]:
    history = made.fit(X, ROWS, BATCH, 2, verbose=0, validation_data=(X, ROWS)).history
    return {k: v for k, v in history.items() if k not in ("seconds", "images_per_second")}


@devices
def test_gradients_agree_with_differences(device: str) -> None:
    made = Sequential(layers(), small.SHAPE, "float64", "cpu", seed=4)
    made.compile(SGD(0.1), Cubed())
    x = np.random.default_rng(1).standard_normal((3, *small.SHAPE))
    other = Sequential(layers(), small.SHAPE, "float64", device, seed=4)
    other.compile(SGD(0.1), Cubed())
    _, gradients = other.loss_and_gradients(x, ROWS[:3])
    flat = np.concatenate([each.ravel() for each in gradients])
    assert_network_gradients(made, lambda: made.loss_and_gradients(x, ROWS[:3])[0], flat)


@dtypes
def test_devices_train_alike(dtype: str) -> None:
    one, other = (model(device, dtype) for device in ("cpu", "simulator"))
    histories = fit(one), fit(other)
    tolerance = {"float32": 1e-4, "float64": 1e-12}[dtype]
    assert histories[0].keys() == histories[1].keys()
    for name, values in histories[0].items():
        assert_allclose(values, histories[1][name], rtol=tolerance)


@devices
def test_microbatches_and_whole_batches_train_alike(device: str) -> None:
    one, other = model(device), model()
    other.place(InMicrobatches(2, 2))
    fit(one)
    fit(other)
    for mine, others in zip(one.get_weights(), other.get_weights(), strict=True):
        assert_allclose(mine, others, rtol=1e-9)


@pytest.mark.usefixtures("workers")
def test_workers_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    load = ParallelTrainer.load

    def joining(self: Any, *arguments: Any) -> None:
        load(self, *arguments)
        self.join()
        assert self._sharing.has_joined()

    for joined in (False, True):
        made = model()
        made.place(InMicrobatches(2, 3))
        if joined:
            monkeypatch.setattr(ParallelTrainer, "load", joining)
        results.append((fit(made), small.weight_bytes(made)))
    assert results[0] == results[1]


class Lookup(Layer):
    """Adds an array, which it was given."""

    def __init__(self, table: Any) -> None:
        self.table = table

    def build(self, input_shape: Shape) -> None:
        self.input_shape = self.output_shape = input_shape

    def forward(self, x: Array, step: Step | None) -> Array:
        return x + self.xp.asarray(self.table)  # type: ignore[no-any-return]

    def backward(self, output_gradient: Array) -> Array:
        return output_gradient


@pytest.mark.usefixtures("workers")
def test_an_array_as_an_argument() -> None:
    """Workers are sent another, which is not compared with the one before."""
    made = Sequential([Lookup(np.ones(small.SHAPE)), Flatten(), Dense(3)], small.SHAPE)
    made.place(InMicrobatches(2, 3))
    made.compile(SGD(0.1))
    with pytest.MonkeyPatch.context() as patch:
        load = ParallelTrainer.load
        patch.setattr(ParallelTrainer, "load", lambda self, *a: (load(self, *a), self.join()))
        assert len(made.fit(X, Y, BATCH, 2, verbose=0).epochs) == 2


# Parameters


def test_a_first_layer_with_parameters_is_trained() -> None:
    made = Sequential([Gains(), Flatten(), Dense(3)], small.SHAPE, seed=4)
    before = made.get_weights()[0]
    made.fit(X, Y, BATCH, verbose=0)
    assert (made.get_weights()[0] != before).all()


def test_a_model_may_have_parameters_in_ones_own_layers_alone() -> None:
    made = Sequential([Flatten(), Gains()], (3,), seed=4)
    made.compile(SGD(0.1), Cubed())
    made.fit(X[:, 0, :3, 0].astype(np.float32), ROWS, verbose=0)
    assert made.parameter_names == ["gains.gain"]


# Arrays


class Wide(Softplus):
    """Computes in float64, whatever the dtype of the model."""

    def forward(self, x: Array, step: Step | None) -> Array:
        return super().forward(x.astype(np.float64), step)


class Cut(Softplus):
    """Computes too few images, or for too few channels."""

    way: str

    def forward(self, x: Array, step: Step | None) -> Array:
        return super().forward(x, step)[: -1 if self.way == "forward" else None]

    def backward(self, output_gradient: Array) -> Array:
        return super().backward(output_gradient)[..., : -1 if self.way == "backward" else None]


@devices
def test_arrays_of_another_dtype_become_those_of_the_model(device: str) -> None:
    for kind in (Wide, Softplus):
        made = Sequential([Flatten(), Dense(4), kind(), Dense(3)], small.SHAPE, device=device)
        assert made.predict(X).dtype == np.float32
        made.fit(X, Y, verbose=0)


@devices
@pytest.mark.parametrize(
    ("way", "line"),
    [
        ("forward", "cut computes an array of the shape (4, 4), but by its build it is (5, 4)"),
        ("backward", "cut computes an array of the shape (5, 3), but by its build it is (5, 4)"),
    ],
)
def test_arrays_of_another_shape_are_refused(device: str, way: str, line: str) -> None:
    cut = Cut()
    cut.way = way
    made = Sequential([Flatten(), Dense(4), cut, Dense(3)], small.SHAPE, device=device)
    with refusal(f"{line}: change one of the two"):
        made.fit(X, Y, BATCH, verbose=0)


class Blocking(Softplus):
    """Returns no array."""

    way: str
    returned: Any

    def forward(self, x: Array, step: Step | None) -> Array:
        output = super().forward(x, step)
        return self.returned if self.way == "forward" else output

    def backward(self, output_gradient: Array) -> Array:
        return self.returned  # type: ignore[no-any-return]


@devices
@pytest.mark.parametrize("way", ["forward", "backward"])
@pytest.mark.parametrize("returned", [None, [1.0, 2.0]])
def test_what_is_no_array_is_refused(device: str, way: str, returned: Any) -> None:
    """None of `backward` too, at which the layers below would not be trained."""
    layer = Blocking()
    layer.way, layer.returned = way, returned
    made = Sequential([Flatten(), Dense(4), layer, Dense(3)], small.SHAPE, device=device)
    with refusal(
        f"blocking returns what is of type {type(returned).__name__}, but by its build an array of "
        "the shape (5, 4) is due: return one from forward, and from backward",
        InvalidTypeError,
    ):
        made.fit(X, Y, BATCH, verbose=0)


def test_no_gradient_is_needed_below_the_first_parameters() -> None:
    layer = Blocking()
    layer.way, layer.returned = "backward", None
    Sequential([layer, Flatten(), Dense(3)], small.SHAPE, device="cpu").fit(X, Y, verbose=0)


class Shapeless(Softplus):
    """Sets no shape, or one that is none of an image."""

    shape: ClassVar[Any] = None

    def build(self, input_shape: Shape) -> None:
        self.input_shape = input_shape
        if self.shape is not None:
            self.output_shape = self.shape


class WithBatch(Shapeless):
    shape = (None, 3)


@pytest.mark.parametrize("kind", [Shapeless, WithBatch])
def test_shapes_that_are_not_set_are_refused(kind: Any) -> None:
    with refusal(
        f"output_shape of {kind.__name__.lower()}, which its build is to set, is {kind.shape}: "
        "give the shape of one image, such as (28, 28, 1)"
    ):
        Sequential([Flatten(), kind(), Dense(3)], small.SHAPE, device="cpu")


# Losses


class InKerasStyle(Loss):
    def __init__(self) -> None:
        super().__init__(name="keras", reduction="sum_over_batch_size")  # type: ignore[call-arg]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return abs(y_true - y_pred)


class CalledBinary(BinaryCrossentropy):
    call = InKerasStyle.call


class Ungraded(BinaryCrossentropy):
    def value(self, labels: Array, outputs: Array) -> Array:
        return abs(outputs - labels).mean(axis=1)  # type: ignore[no-any-return]


class OnlyGraded(BinaryCrossentropy):
    def gradient(self, labels: Array, outputs: Array) -> Array:
        return outputs - labels


class Called(Layer):
    """A layer in Keras's style."""

    def call(self, x: Any) -> Any:
        return x


def test_a_layer_without_its_methods_is_refused() -> None:
    kind: Any = Called
    with refusal(
        "Called does not define backward, build, forward, which it has to: see docs/own.md",
        InvalidTypeError,
    ):
        kind()


@pytest.mark.parametrize(
    ("kind", "lacking"),
    [
        (InKerasStyle, "value and gradient"),
        (CalledBinary, "value and gradient"),
        (Ungraded, "gradient"),
        (OnlyGraded, "value"),
    ],
)
def test_losses_without_a_method_are_refused(kind: Any, lacking: str) -> None:
    made = Sequential([Flatten(), Dense(3)], small.SHAPE, device="cpu")
    with refusal(
        f"the loss {kind.__name__} does not define {lacking}: a loss defines value(labels, "
        "outputs) and gradient(labels, outputs), see gpucnn.losses.Loss",
        InvalidTypeError,
    ):
        made.compile("adam", kind())


class Shaped(Cubed):
    """Returns what it is told."""

    values: Any = None
    gradients: Any = None

    def value(self, labels: Array, outputs: Array) -> Array:
        found = super().value(labels, outputs)
        return found if self.values is None else self.values(outputs)

    def gradient(self, labels: Array, outputs: Array) -> Array:
        found = super().gradient(labels, outputs)
        return found if self.gradients is None else self.gradients(outputs)


@devices
@pytest.mark.parametrize(
    ("method", "shaped", "given", "due"),
    [
        ("value", lambda outputs: outputs, "the shape (5, 3)", "(5,)"),
        ("value", lambda outputs: outputs[:, :1], "the shape (5, 1)", "(5,)"),
        ("value", lambda outputs: float(outputs.mean()), "type float", "(5,)"),
        ("gradient", lambda outputs: outputs[0], "the shape (3,)", "(5, 3)"),
    ],
)
def test_losses_of_another_shape_are_refused(
    device: str, method: str, shaped: Any, given: str, due: str
) -> None:
    loss = Shaped()
    vars(loss)[f"{method}s"] = shaped
    made = Sequential([Flatten(), Dense(3)], small.SHAPE, device=device)
    made.compile(SGD(0.1), loss)
    with refusal(
        f"{method} of Shaped returns what is of {given}: return an array of the shape {due}"
    ):
        made.fit(X, ROWS, BATCH, verbose=0)


# Recording


class Passing(ReLU):
    """What a subclass computes is not known; this one says nothing of recording."""


class Repeating(ReLU):
    """Computes in operations of the backend alone, and says so."""

    can_record: ClassVar[bool] = True


class Inheriting(Repeating):
    """May compute something else than its base class."""


class MyDescent(SGD):
    pass


class Repeated(SGD):
    can_record: ClassVar[bool] = True


@pytest.mark.parametrize(
    ("layer", "optimizer", "is_recorded"),
    [
        (ReLU, SGD, True),
        (Passing, SGD, False),
        (Repeating, SGD, True),
        (Inheriting, SGD, False),
        (ReLU, MyDescent, False),
        (ReLU, Repeated, True),
    ],
)
def test_what_is_not_known_to_be_recordable_is_not_recorded(
    layer: type[Layer], optimizer: type[Optimizer], is_recorded: bool
) -> None:
    made = Sequential([Flatten(), Dense(4), layer(), Dense(3)], small.SHAPE, device="simulator")
    made.compile(optimizer(0.1))
    with pytest.MonkeyPatch.context() as patch:
        found: list[Any] = []
        replay = _Recording.replay
        patch.setattr(_Recording, "replay", lambda self: found.append(replay(self)))
        made.fit(X, Y, BATCH, 2, verbose=0)
        assert bool(found) is is_recorded
        found.clear()
        made.predict(X, BATCH)
        assert bool(found) is (layer in (ReLU, Repeating))


# Files


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a file, where nothing is registered yet."""
    monkeypatch.setattr(config, "REGISTERED", {})
    return tmp_path / "model.safetensors"


PARTS: list[Any] = [Softplus, Gains, Signs, Halving, Cubed]
OWN = [*PARTS, Certainty, doubt]


@devices
def test_a_saved_model_trains_on(path: Path, device: str) -> None:
    for each in OWN:
        register(each)
    made = model(device)
    fit(made)
    made.save(path)
    loaded = Sequential.load(path, device, threads=1)
    assert fit(loaded) == fit(made)
    assert small.weight_bytes(loaded) == small.weight_bytes(made)


@pytest.mark.parametrize("missing", PARTS, ids=lambda each: each.__name__)
def test_each_has_to_be_registered_to_be_saved(path: Path, missing: Any) -> None:
    for each in OWN:
        if each is not missing:
            register(each)
    name = missing.__name__
    with pytest.raises(InvalidTypeError, match=r"cannot be saved: put @gpucnn\.") as it:
        model().save(path)
    assert str(it.value).endswith(f" {name}")
    assert not path.exists()


def test_metrics_that_are_not_registered_are_left_out_of_the_file(path: Path) -> None:
    for each in PARTS:
        register(each)
    made = model()
    fit(made)
    left_out = (
        r"^the metric .* is left out of the saved model, since .* cannot be saved: put "
        r"@gpucnn.utils.register before (its def|class Certainty)$"
    )
    with pytest.warns(GpucnnWarning, match=left_out) as told:
        made.save(path)
    assert [str(each.message).split()[2] for each in told] == ["certainty", "doubt"]
    loaded = Sequential.load(path, threads=1)
    assert loaded.metrics == ()
    assert_array_equal(loaded.predict(X), made.predict(X))
    for each in (loaded, made):
        fit(each)
    assert small.weight_bytes(loaded) == small.weight_bytes(made)


@pytest.mark.parametrize("missing", OWN, ids=lambda each: each.__name__)
def test_each_has_to_be_registered_to_be_loaded(path: Path, missing: Any) -> None:
    for each in OWN:
        register(each)
    model().save(path)
    del config.REGISTERED[missing.__name__]
    with refusal(
        f"{path} cannot be loaded: {missing.__name__} is neither in gpucnn nor registered: import "
        "the file that defines it, with @gpucnn.utils.register before its class or def",
        InvalidFileError,
    ):
        Sequential.load(path)


def test_ones_own_layer_is_an_activation(path: Path) -> None:
    register(Softplus)
    made = Sequential([Flatten(), Dense(4, Softplus(2.0)), Dense(3)], small.SHAPE, seed=4)
    assert [each.name for each in made.replica.plain] == ["flatten", "dense", "softplus", "dense_1"]
    made.save(path)
    assert_array_equal(Sequential.load(path).predict(X), made.predict(X))


def test_metrics_of_the_library_are_saved(path: Path) -> None:
    made = Sequential([Flatten(), Dense(3)], small.SHAPE, seed=4)
    made.compile(SGD(0.1), metrics=["acc", TopKCategoricalAccuracy(2), F1Score("macro")])
    made.save(path)
    loaded = Sequential.load(path)
    assert loaded.evaluate(X, Y, return_dict=True) == made.evaluate(X, Y, return_dict=True)
    assert loaded.settings() == made.settings()
