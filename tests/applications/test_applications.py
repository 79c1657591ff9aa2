from typing import Any

import pytest

from gpucnn import SGD, Constant, CosineDecay, OneCycle
from gpucnn.applications import default_config
from gpucnn.applications.recipes import RECIPES
from gpucnn.errors import InvalidValueError
from gpucnn.models import MODELS
from gpucnn.optimizers import OPTIMIZERS
from small_mnist import small_mnist


def test_a_preset_has_a_config_of_its_own() -> None:
    notebook, lenet = default_config(), default_config("lenet")
    assert (notebook.model, notebook.data, notebook.device) == ("notebook", None, "auto")
    assert notebook.epochs <= 5
    assert lenet.epochs <= 12


def test_the_learning_rate_follows_the_optimizer() -> None:
    config = default_config(optimizer="sgd")
    assert config.learning_rate == RECIPES["notebook"].learning_rates["sgd"]
    assert default_config(optimizer="sgd", learning_rate=0.5).learning_rate == 0.5


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
def test_the_model_is_compiled_with_the_optimizer(model: str, kind: Any) -> None:
    """Any that there is."""
    config = default_config(model, optimizer=kind.__name__.lower(), schedule="constant")
    defaults = SGD(momentum=0.9, nesterov=True) if kind is SGD else kind()
    optimizer = config.make_model(10).optimizer
    assert type(optimizer) is kind
    assert optimizer.learning_rate == Constant(config.learning_rate)
    defaults.learning_rate = optimizer.learning_rate
    assert repr(optimizer) == repr(defaults)


def test_schedules_last_as_long_as_the_run() -> None:
    def schedule(name: str) -> Any:
        config = default_config(schedule=name, learning_rate=0.1, epochs=3, batch_size=4)
        return config.make_model(images=10).optimizer.learning_rate  # 3 epochs of 3 steps

    assert schedule("constant") == Constant(0.1)
    assert schedule("cosine") == CosineDecay(0.1, 9)
    assert schedule("one-cycle") == OneCycle(0.1, 9)


def test_the_model_is_made_as_the_config_says() -> None:
    model = default_config("lenet", dtype="float64", seed=5, device="cpu").make_model(10)
    assert (model.dtype.name, model.seed, model.backend.device) == ("float64", 5, "cpu")
    assert len(model.layers) == 11


def test_the_model_is_made_for_the_images() -> None:
    model = default_config(device="cpu").make_model(10, (32, 24, 3), 7)
    assert (model.input_shape, model.classes) == ((32, 24, 3), 7)
    with pytest.raises(InvalidValueError, match=r"^notebook cannot take images of the shape \(2,"):
        default_config().make_model(10, (2, 2, 1))


@pytest.mark.parametrize("name", MODELS)
def test_presets_learn_by_their_recipes(name: str) -> None:
    (images, labels), _ = small_mnist(256, 1)
    config = default_config(name, epochs=3, batch_size=32, device="cpu", threads=1)
    model = config.make_model(len(images))
    history = model.fit(images, labels, config.batch_size, config.epochs, verbose=0)
    first, _, last = (epoch["loss"] for epoch in history.epochs)
    assert last < 0.8 * first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model": "vgg"},
            "model is 'vgg': choose one of notebook, lenet, fast, tiny, best, resnet",
        ),
        ({"epochs": -1}, "epochs is -1: it must be a whole number of at least 1"),
        ({"batch_size": 0}, "batch_size is 0: it must be a whole number of at least 1"),
        (
            {"optimizer": "ftrl"},
            "optimizer is 'ftrl': choose one of adagrad, adam, adamw, lion, muon, rmsprop, sgd",
        ),
        ({"learning_rate": -0.1}, "learning_rate is -0.1: it must be a number above 0"),
        ({"schedule": "step"}, "schedule is 'step': choose one of constant, cosine, one-cycle"),
        ({"seed": -1}, r"seed is -1: it must be a whole number, 0 to 2\^64 - 1"),
        ({"dtype": "float16"}, "dtype is 'float16': choose one of float32, float64"),
    ],
)
def test_what_is_not_allowed_is_told_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        default_config(**changes)
