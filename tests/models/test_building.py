"""Models that are built when they know the shape of their images, and compiled by names."""

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

import small
from expect import refusal
from gpucnn import (
    SGD,
    Adam,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
    Sequential,
    Softmax,
    models,
)
from gpucnn.callbacks import Callback
from gpucnn.errors import InvalidTypeError
from gpucnn.layers import Activation, Layer
from gpucnn.losses import (
    LOSSES,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)
from gpucnn.models import building
from gpucnn.utils import to_categorical

X, Y = small.images(20), small.labels(20)


def layers(end: str | None = None) -> list[Layer]:
    return [
        Conv2D(4, 3, activation="relu"),
        MaxPooling2D(2),
        Flatten(),
        Dense(small.CLASSES, activation=end),
    ]


def trained(model: Sequential, y: Any = Y, **options: Any) -> bytes:
    model.fit(X, y, batch_size=5, epochs=2, verbose=0, **options)
    return small.weight_bytes(model)


def known() -> bytes:
    """The weights of a model that is given its shape at once."""
    return trained(Sequential(layers(), small.SHAPE))


def test_by_an_input() -> None:
    assert trained(Sequential([Input(small.SHAPE), *layers()])) == known()


def test_by_the_first_layer() -> None:
    first = Conv2D(4, 3, activation="relu", input_shape=small.SHAPE)
    assert trained(Sequential([first, *layers()[1:]])) == known()


@pytest.mark.parametrize("first", [Input((9, 9, 1)), Flatten(input_shape=(9, 9, 1))])
def test_by_two_shapes_is_refused(first: Any) -> None:
    with refusal(
        "the layers begin with images of the shape (9, 9, 1), but the model is to be built for "
        "(6, 6, 1): give one of the two"
    ):
        Sequential([first, Flatten(), Dense(3)], input_shape=small.SHAPE)
    assert Sequential([first, Flatten(), Dense(3)], (9, 9, 1)).input_shape == (9, 9, 1)


def test_a_later_layer_is_told_the_shape_that_it_has() -> None:
    def model(shape: tuple[int, ...]) -> Sequential:
        return Sequential([Input(small.SHAPE), Flatten(input_shape=shape), Dense(3)])

    assert model(small.SHAPE).classes == 3
    with refusal(
        "flatten is given input_shape=(9, 9, 1), but its input has the shape (6, 6, 1): leave the "
        "argument out"
    ):
        model((9, 9, 1)).predict(X)


def test_by_the_first_images() -> None:
    assert trained(Sequential(layers())) == known()


def test_images_without_the_axis_of_their_channel() -> None:
    model = Sequential(layers())
    model.fit(X[..., 0], Y, batch_size=5, epochs=2, verbose=0)
    assert model.input_shape == small.SHAPE
    assert small.weight_bytes(model) == known()


def test_layer_by_layer() -> None:
    model = Sequential()
    model.add(Input(small.SHAPE))
    for layer in layers():
        assert not model.is_built
        model.add(layer)
    assert len(model.get_weights()) == 4
    assert model.is_built
    assert trained(model) == known()


@pytest.mark.parametrize("begins", [[], [Input(small.SHAPE)]])
def test_of_models_that_are_not_built(begins: list[Any]) -> None:
    """Such as one of layers that vary the images; its layers become the model's."""
    first, second = Sequential([*begins, *layers()[:2]]), Sequential([Input((4, 4, 4))])
    second.add(layers()[2])
    model = Sequential([first, second])
    model.add(Sequential(layers()[3:]))
    assert trained(model) == known()
    assert [type(each) for each in model.layers] == [type(each) for each in layers()]


@pytest.mark.parametrize("end", [Softmax(), Activation("softmax")])
def test_softmax_as_a_layer_of_its_own(end: Any) -> None:
    model = Sequential([*layers(), end])
    model.compile(loss="sparse_categorical_crossentropy")
    assert trained(model) == known()


@pytest.mark.parametrize(
    "last",
    [
        lambda: [Conv2D(3, 3), GlobalAveragePooling2D()],
        lambda: [Flatten(), Dense(3), BatchNormalization()],
        lambda: [Flatten(), Dense(3, "relu")],
        lambda: [Conv2D(3, 6), Flatten()],
    ],
    ids=["pooling", "batch normalisation", "an activation", "flattening"],
)
def test_softmax_may_follow_any_layer(last: Callable[[], list[Layer]], tmp_path: Path) -> None:
    """The loss takes what comes before it, as from logits."""
    losses, from_logits = CategoricalCrossentropy(), CategoricalCrossentropy(from_logits=True)
    certain, unscaled = (
        Sequential([*last(), Softmax()], small.SHAPE),
        Sequential(last(), small.SHAPE),
    )
    for model, loss in ((certain, losses), (unscaled, from_logits)):
        model.compile("adam", loss)
        model.fit(X, to_categorical(Y), epochs=2, verbose=0)
    assert small.weight_bytes(certain) == small.weight_bytes(unscaled)
    expected = softmax(unscaled.predict(X))
    certain.save(tmp_path / "model.safetensors")
    for each in (certain, deepcopy(certain), Sequential.load(tmp_path / "model.safetensors")):
        assert_allclose(each.predict(X), expected, rtol=1e-5)
        assert repr(each.layers[-1]) == "Softmax()"


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    exponentials = np.exp(logits)
    shares: NDArray[Any] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares


def test_softmax_is_the_last_layer() -> None:
    with refusal(
        "Softmax() is not the last layer, the only one that may end in softmax: give it another "
        "activation"
    ):
        Sequential([Flatten(), Softmax(), Dense(3)], small.SHAPE).build(small.SHAPE)


def test_a_model_is_built_once() -> None:
    model = Sequential(layers(), small.SHAPE)
    before = trained(model)
    model.build(small.SHAPE)
    with refusal(
        "the model is built for images of the shape (6, 6, 1): make another for (8, 8, 1)"
    ):
        model.build((8, 8, 1))
    assert small.weight_bytes(model) == before


def test_threads_build_a_model_once() -> None:
    for _ in range(10):
        model, barrier = Sequential([Input(small.SHAPE), *layers()]), Barrier(4)

        def use(model: Sequential = model, barrier: Barrier = barrier) -> Any:
            barrier.wait()
            return model.predict(X)

        with ThreadPoolExecutor(4) as pool:
            found = [each.result() for each in [pool.submit(use) for _ in range(4)]]
        for each in found[1:]:
            assert_array_equal(each, found[0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_builds_what_another_thread_was_building() -> None:
    model, forked = Sequential([Input(small.SHAPE), *layers()]), Event()
    with ThreadPoolExecutor(1) as pool:
        claimed = Event()

        def hold() -> None:
            with model._building.claim():
                claimed.set()
                forked.wait()

        holding = pool.submit(hold)
        claimed.wait()
        child = os.fork()
        if child == 0:
            os._exit(0 if len(model.get_weights()) == 4 else 1)
        forked.set()
        holding.result()
    assert os.waitpid(child, 0)[1] == 0


def test_what_is_set_before_it_is_built_stays() -> None:
    model, optimizer = Sequential(layers()), SGD(0.3)
    model.run_eagerly, model.optimizer = True, optimizer
    model.fit(X, Y, verbose=0)
    assert model.run_eagerly
    assert model.optimizer is optimizer


def test_a_model_that_is_not_built_shows_its_layers() -> None:
    model = Sequential([Input(small.SHAPE), Flatten()])
    assert repr(model) == "Sequential([Input(shape=(6, 6, 1)), Flatten()])"
    assert not hasattr(model, "_repr_mimebundle_")
    deepcopy(model).add(Dense(3))
    assert not model.is_built
    model.add(Dense(3))


def test_what_is_no_list_of_layers() -> None:
    with refusal("layers is 5: give a list of layers", InvalidTypeError):
        Sequential(5)  # type: ignore[arg-type]


def test_nothing_is_added_to_what_is_built() -> None:
    model = Sequential(layers(), small.SHAPE)
    with refusal("the model is built: add layers before it is first used"):
        model.add(Dense(3))


def test_a_model_without_a_shape_says_so() -> None:
    with refusal(
        "the model does not know the shape of its images: begin its layers with "
        "Input((28, 28, 1)) or the like, or call fit first"
    ):
        Sequential(layers()).summary()


def test_a_model_that_cannot_be_built_is_not() -> None:
    model = Sequential([Input(small.SHAPE), Flatten(), Conv2D(3, 3)])
    for _ in range(2):
        with pytest.raises(ValueError, match="conv2d"):
            model.get_weights()
        assert not model.is_built


@pytest.mark.parametrize("name", ["__len__", "_repr_mimebundle_", "nothing"])
def test_a_built_model_has_no_other_names(name: str) -> None:
    model = Sequential(layers(), small.SHAPE)
    assert not hasattr(model, name)


def test_what_is_not_built_can_be_copied() -> None:
    copy = deepcopy(Sequential([Input(small.SHAPE), *layers()]))
    assert trained(copy) == known()


# Compiling


@pytest.mark.parametrize(
    "name", ["sgd", "adam", "Adam", "adamw", "rmsprop", "RMSprop", "adagrad", "lion", "muon"]
)
def test_an_optimizer_by_name(name: str) -> None:
    model = Sequential(layers(), small.SHAPE)
    model.compile(name)
    assert type(model.optimizer).__name__.lower() == name.lower()


def test_no_optimizer_of_that_name() -> None:
    with refusal(
        "optimizer is 'ftrl': choose one of adagrad, adam, adamw, lion, muon, rmsprop, sgd"
    ):
        Sequential(layers(), small.SHAPE).compile("ftrl")


def test_a_model_is_compiled_before_it_is_built() -> None:
    model = Sequential(layers())
    model.compile(SGD(0.3), run_eagerly=True)
    model.fit(X, Y, verbose=0)
    assert repr(model.optimizer) == repr(SGD(0.3))
    assert model.run_eagerly


ENDS: list[tuple[Any, Any]] = [
    (layers("softmax"), "sparse_categorical_crossentropy"),
    ([*layers(), Softmax()], SparseCategoricalCrossentropy()),
    (layers(), SparseCategoricalCrossentropy(from_logits=True)),
    (layers("softmax"), None),
]


@pytest.mark.parametrize(("given", "loss"), ENDS)
def test_the_loss_is_that_of_the_logits(given: Any, loss: Any) -> None:
    model = Sequential(deepcopy(given), small.SHAPE)
    model.compile("adam", loss, metrics=["accuracy"])
    assert trained(model) == known()
    takes_logits = getattr(loss, "from_logits", False)  # what the model then predicts
    sums = model.predict(X).sum(axis=1).round(5)
    assert np.array_equal(sums, np.ones(len(X))) is not takes_logits


@pytest.mark.parametrize(
    ("end", "loss"),
    [
        ("softmax", "categorical_crossentropy"),
        (None, CategoricalCrossentropy(from_logits=True)),
    ],
)
def test_labels_as_rows(end: str | None, loss: Any) -> None:
    model = Sequential(layers(end), small.SHAPE)
    model.compile("adam", loss)
    rows = to_categorical(Y)
    assert trained(model, rows, validation_data=(X, rows)) == known()
    assert model.evaluate(X, rows).accuracy > 0


def test_a_loss_that_does_not_fit_the_end() -> None:
    with refusal(
        "the model ends in logits, but SparseCategoricalCrossentropy() takes probabilities: end "
        'the model with activation="softmax", or give '
        "SparseCategoricalCrossentropy(from_logits=True)"
    ):
        Sequential(layers(), small.SHAPE).compile(loss="sparse_categorical_crossentropy")
    with refusal(
        "the model ends in softmax, but CategoricalCrossentropy(from_logits=True) takes logits: "
        "leave out one of the two"
    ):
        Sequential(layers("softmax"), small.SHAPE).compile(
            loss=CategoricalCrossentropy(from_logits=True)
        )


def test_a_loss_that_does_not_fit_layers_that_were_called_is_told_at_once() -> None:
    images = Input(small.SHAPE)
    model = models.Model(images, Dense(3)(Flatten()(images)))
    with pytest.raises(ValueError, match="the model ends in logits"):
        model.compile(loss="sparse_categorical_crossentropy")
    assert not model.is_built
    assert model.loss is None


def test_a_loss_that_does_not_fit_is_told_before_a_model_is_built() -> None:
    model = Sequential(layers())
    model.compile(loss="sparse_categorical_crossentropy")
    for _ in range(2):
        with pytest.raises(ValueError, match="the model ends in logits"):
            model.fit(X, Y, verbose=0)
    assert not model.is_built
    model.compile()
    assert trained(model) == known()


def test_an_optimizer_trains_one_model() -> None:
    optimizer = Adam()
    Sequential(layers(), small.SHAPE).compile(optimizer)
    other = Sequential(layers())
    with pytest.raises(ValueError, match="already trains another model"):
        other.compile(optimizer)


@pytest.mark.parametrize("columns", [2, 4])
def test_rows_for_another_number_of_classes(columns: int) -> None:
    model = Sequential(layers("softmax"), small.SHAPE)
    model.compile(loss="categorical_crossentropy")
    with refusal(
        f"the labels have the shape (20, {columns}): give a row of 3 numbers for each, as "
        "to_categorical makes it, or compile with sparse_categorical_crossentropy"
    ):
        model.fit(X, np.eye(columns)[np.zeros(20, int)], verbose=0)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("CategoricalCrossentropy", CategoricalCrossentropy),
        ("bce", BinaryCrossentropy),
        ("MSE", MeanSquaredError),
    ],
)
def test_losses_by_other_names(name: str, kind: Any) -> None:
    model = Sequential(layers())
    model.compile("Adam", name)
    assert model.loss == kind()


def test_wrong_losses() -> None:
    model = Sequential(layers(), small.SHAPE)
    with refusal(f"loss is 'hinge': choose one of {', '.join(LOSSES)}"):
        model.compile(loss="hinge")
    with refusal(
        'the loss is 3: give a name such as "sparse_categorical_crossentropy", or an object such '
        "as SparseCategoricalCrossentropy(from_logits=True)",
        InvalidTypeError,
    ):
        model.compile(loss=3)  # type: ignore[arg-type]


def test_softmax_in_the_middle() -> None:
    with refusal(
        "Dense(units=3, activation='softmax') is not the last layer, the only one that may end in "
        "softmax: give it another activation"
    ):
        Sequential([Flatten(), Dense(3, "softmax"), Dense(3)], small.SHAPE)


def test_the_loss_is_saved(tmp_path: Any) -> None:
    model = Sequential(layers("softmax"), small.SHAPE)
    model.compile("adam", "categorical_crossentropy")
    model.save(tmp_path / "model.safetensors")
    loaded = Sequential.load(tmp_path / "model.safetensors")
    assert loaded.loss == CategoricalCrossentropy()
    assert repr(loaded.layers) == repr(model.layers)


# Seeds


def test_the_seeds_of_models_that_are_given_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "next_seed", iter([7, 8]).__next__)
    seeds = [Sequential(layers(), small.SHAPE, seed=seed).seed for seed in (None, 0, None)]
    assert seeds == [7, 0, 8]


# Fitting and evaluating


def test_the_last_images_are_the_validation_data() -> None:
    model = Sequential(layers(), small.SHAPE)
    split = model.fit(X, Y, epochs=2, validation_split=0.25, verbose=0)
    other = Sequential(layers(), small.SHAPE)
    given = other.fit(X[:15], Y[:15], epochs=2, validation_data=(X[15:], Y[15:]), verbose=0)
    for name in ("loss", "val_loss", "val_accuracy"):
        assert split.history[name] == given.history[name]


def test_wrong_splits() -> None:
    model = Sequential(layers(), small.SHAPE)
    with refusal("validation_split is 1.0: it must be at least 0 and below 1"):
        model.fit(X, Y, validation_split=1.0)
    with refusal("validation_split and validation_data are both given: give one of them"):
        model.fit(X, Y, validation_split=0.5, validation_data=(X, Y))
    with refusal(
        "validation_split is 0.9 of 1 images, which leaves 0 to train on: give another share, or "
        "more images"
    ):
        model.fit(X[:1], Y[:1], validation_split=0.9)
    with refusal("the images have the shape (), and the labels (20,): give as many of each"):
        model.fit(None, Y, validation_split=0.5)


def test_history() -> None:
    model = Sequential(layers(), small.SHAPE)
    history = model.fit(X, Y, epochs=3, validation_data=(X, Y), verbose=0)
    assert history.epoch == [0, 1, 2]
    names = ["loss", "accuracy", "seconds", "images_per_second", "val_loss", "val_accuracy"]
    assert list(history.history) == names
    assert history.history["loss"] == [each["loss"] for each in history.epochs]


def test_evaluate_gives_a_pair_or_a_dictionary(capsys: pytest.CaptureFixture[str]) -> None:
    model = Sequential(layers(), small.SHAPE)
    loss, accuracy = model.evaluate(X, Y)
    assert capsys.readouterr().out == ""
    assert model.evaluate(X, Y, return_dict=True) == {"loss": loss, "accuracy": accuracy}
    model.evaluate(X, Y, verbose=1)
    assert capsys.readouterr().out == f"loss {loss:.4f}  accuracy {accuracy:.2%}\n"


def test_verbosity() -> None:
    model = Sequential(layers(), small.SHAPE)
    for use in (model.fit, model.evaluate):
        with refusal("verbose is 3: choose one of auto, 0, 1, 2"):
            use(X, Y[:1], verbose=3)  # before anything is looked at or begun
    with refusal("verbose is 'loud': choose one of auto, 0, 1, 2"):
        model.predict(X, verbose="loud")


def test_adam_is_the_default() -> None:
    model = Sequential(layers())
    model.compile()
    model.fit(X, Y, verbose=0)
    assert repr(model.optimizer) == repr(Adam())


class TestArgumentsOfKeras:
    """Of methods and of the model itself; the table of them has tests of its own."""

    @pytest.fixture
    def made(self) -> Any:
        return small.model()

    def test_that_change_nothing_are_taken(self, made: Any, tmp_path: Path) -> None:
        made.compile("adam", jit_compile=False, steps_per_execution=1, loss_weights=None)
        made.fit(X, Y, verbose=0, workers=1, use_multiprocessing=False, validation_freq=1)
        made.evaluate(X, Y, steps=None, callbacks=None)
        made.predict(X, steps=None)
        made.save(tmp_path / "model.safetensors", overwrite=True)
        load: Any = models.load_model
        load(tmp_path / "model.safetensors", custom_objects=None, compile=True)

    @pytest.mark.parametrize(
        ("method", "arguments", "line"),
        [
            (
                "compile",
                {"jit_compile": True},
                "compile has no argument jit_compile=True: nothing is compiled; leave it out",
            ),
            (
                "compile",
                {"steps_per_execution": 32},
                "compile has no argument steps_per_execution=32: leave it out; a GPU replays steps "
                "together",
            ),
            (
                "fit",
                {"workers": 4},
                "fit has no argument workers=4: batches are asked for one after the other; leave "
                "it out",
            ),
            (
                "fit",
                {"validation_freq": 2},
                "fit has no argument validation_freq=2: validation follows each epoch; leave it "
                "out",
            ),
            ("predict", {"callbacks": [Callback()]}, "predict has no argument callbacks=[<"),
            (
                "summary",
                {"line_length": 80},
                "summary has no argument line_length=80: leave",
            ),
        ],
    )
    def test_that_change_something_are_refused(
        self, made: Any, method: str, arguments: dict[str, Any], line: str
    ) -> None:
        given = (X, Y)[: {"fit": 2, "predict": 1}.get(method, 0)]
        with pytest.raises(InvalidTypeError, match=f"^{re.escape(line)}"):
            getattr(made, method)(*given, **arguments)

    def test_that_keras_has_not_are_refused(self, made: Any) -> None:
        with pytest.raises(InvalidTypeError, match=r"^fit has no argument epoch: it takes x"):
            made.fit(X, Y, epoch=3)

    def test_of_the_model(self) -> None:
        make: Any = Sequential
        assert make(small.layers(), small.SHAPE, trainable=True).layers
        with refusal(
            "Sequential has no argument trainable=False: all weights are trained; leave it out",
            InvalidTypeError,
        ):
            make(small.layers(), trainable=False)

    def test_custom_objects_are_registered(self) -> None:
        load: Any = models.load_model
        with refusal(
            "load_model has no argument custom_objects={}: put @gpucnn.utils.register before the "
            "classes",
            InvalidTypeError,
        ):
            load("model.safetensors", custom_objects={})


class TestName:
    def test_is_that_given(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        made = Sequential(small.layers(), small.SHAPE, name="digits")
        made.save(tmp_path / "model.safetensors")
        for each in (made, Sequential.load(tmp_path / "model.safetensors"), deepcopy(made)):
            assert each.name == "digits"
        made.summary()
        assert capsys.readouterr().out.split()[0] == "digits:"

    def test_is_sequential(self) -> None:
        assert Sequential().name == Sequential(name=None).name == "sequential"

    def test_is_a_text(self) -> None:
        with refusal("name is 3: it must be a text"):
            Sequential(name=3)  # type: ignore[arg-type]


class TestDtype:
    @pytest.mark.parametrize(
        "layers",
        [
            [Input((4,), dtype="float32"), Dense(3)],
            [Dense(3, dtype="float32")],
            [Dense(3), Activation("relu", dtype="float32")],
            [Dense(3), Softmax(dtype="float32")],
            [Dense(3), Activation("softmax", dtype="float32")],
        ],
    )
    def test_of_a_layer_is_that_of_its_model(self, layers: Any) -> None:
        x = np.zeros((2, 4))
        assert Sequential(layers, device="cpu").predict(x).dtype == np.float32
        (kind,) = (type(each).__name__ for each in layers if each.dtype)
        with refusal(
            f"the dtype of {kind} is 'float32', but that of its model is 'float64': "
            "leave the layer's out, or give Sequential(layers, dtype=...) the same"
        ):
            Sequential(layers, dtype="float64", device="cpu").predict(x)
