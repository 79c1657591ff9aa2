"""Attributes of Keras's objects that are not there."""

import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest

import gpucnn
import small
from expect import refusal
from gpucnn import SGD, BatchNormalization, Conv2D, ExponentialDecay, Input, Sequential
from gpucnn.errors import MissingNameError
from gpucnn.layers import ReLU
from gpucnn.losses import MeanSquaredError
from gpucnn.metrics import Accuracy
from gpucnn.utils.keras.attributes import ABSENT, absent_of


def example(kind: str) -> Any:
    """An object of the class of that name, as it is before use."""
    makers: dict[str, Callable[[], Any]] = {
        "Network": lambda: Sequential([Input((6, 6, 1)), *small.layers()]),
        "Layer": ReLU,
        "Affine": lambda: Conv2D(3, 3),
        "BatchNormalization": BatchNormalization,
        "Optimizer": lambda: SGD(0.1),
        "Loss": MeanSquaredError,
        "Metric": Accuracy,
        "Schedule": lambda: ExponentialDecay(0.1, 1, 0.5),
    }
    return makers[kind]()


NAMES = {kind: " ".join(advices).split() for kind, advices in ABSENT.items()}

each_kind = pytest.mark.parametrize("kind", NAMES)


@each_kind
def test_they_are_not_there_and_a_line_says_so(kind: str) -> None:
    thing = example(kind)
    assert not {*NAMES[kind]} & {*dir(thing)}
    for name in NAMES[kind]:
        assert not hasattr(thing, name)
        with pytest.raises(MissingNameError) as caught:
            getattr(thing, name)
        (line,) = str(caught.value).splitlines()
        assert line.startswith(f"{type(thing).__name__} has no {name}: ")


@each_kind
def test_none_can_be_set(kind: str) -> None:
    thing = example(kind)
    for name in NAMES[kind]:
        with pytest.raises((MissingNameError, AttributeError)):
            setattr(thing, name, 1)
        assert not hasattr(thing, name)


@each_kind
def test_what_to_use_instead_is_there(kind: str) -> None:
    """What an advice names of the object, or calls by its place."""
    thing = example(kind)
    of: Any = type(thing)
    for name in NAMES[kind]:
        advice = absent_of(of)[name]
        for path in re.findall(r"gpucnn(?:\.\w+)+", advice):
            found: Any = gpucnn
            for part in path.split(".")[1:]:
                found = getattr(found, part)
        for word in re.findall(r"\buse (\w+)(?= with|, |$)", advice):
            if word not in ("Muon", "kernel_regularizer"):
                assert hasattr(thing, word), (name, word)


@pytest.mark.parametrize(
    ("thing", "name", "line"),
    [
        (SGD(0.1), "lr", "SGD has no lr: it is called learning_rate"),
        (Conv2D(3, 3), "kernel", "Conv2D has no kernel: use get_weights"),
        (ReLU(), "call", "ReLU has no call: layers run in a model"),
        (
            small.model(),
            "train_step",
            "Sequential has no train_step: use train_on_batch, or loss_and_gradients, in a loop of "
            "your own",
        ),
    ],
)
def test_the_line(thing: Any, name: str, line: str) -> None:
    with refusal(line, MissingNameError):
        getattr(thing, name)
    with refusal(line, MissingNameError):
        setattr(thing, name, 0.5)


@pytest.mark.parametrize("thing", [small.model(), ReLU(), SGD(0.1)])
def test_of_other_names_pythons_error_is_raised_and_they_can_be_set(thing: Any) -> None:
    line = f"^'{type(thing).__name__}' object has no attribute 'colour'"
    with pytest.raises(AttributeError, match=line) as caught:
        getattr(thing, "colour")  # noqa: B009 - which mypy does not know
    assert not isinstance(caught.value, MissingNameError)
    thing.colour = "red"
    assert thing.colour == "red"
    assert copy.deepcopy(thing).colour == pickle.loads(pickle.dumps(thing)).colour == "red"


class Broken(ReLU):
    """A layer of one's own with a property of Keras's name that fails."""

    @property
    def weights(self) -> Any:
        return self.nothing  # type: ignore[attr-defined]


def test_the_error_of_a_property_comes_out() -> None:
    with pytest.raises(AttributeError, match="'Broken' object has no attribute 'nothing'"):
        Broken().weights  # noqa: B018


class Own(Sequential):
    """A model of one's own, which may have any attributes."""

    def predict_classes(self, x: Any) -> Any:
        return self.predict(x).argmax(axis=-1)


def test_subclasses_of_the_users_may_have_any() -> None:
    made = Own(small.layers(), small.SHAPE)
    setattr(made, "losses", [1.0])  # noqa: B010 - which mypy does not know
    assert getattr(made, "losses") == [1.0]  # noqa: B009
    assert made.predict_classes(small.images(3)).shape == (3,)
    with refusal("Own has no weights: use get_weights", MissingNameError):
        getattr(made, "weights")  # noqa: B009 - which mypy does not know


def test_all_weights_of_a_model_are_trained() -> None:
    made = small.model()
    assert made.trainable
    with refusal("trainable is False, but all weights are trained: leave it out"):
        made.trainable = False
