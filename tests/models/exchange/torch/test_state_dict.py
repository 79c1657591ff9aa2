import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

import small
from expect import refusal
from gpucnn import (
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    Input,
    Model,
    ReLU,
    Rescaling,
    Sequential,
)
from gpucnn.errors import InvalidFileError, InvalidTypeError, InvalidValueError
from gpucnn.layers import Layer
from models.exchange.layers import built
from models.exchange.random_networks import draw_weights, random_graph, random_network

FILE = "weights.safetensors"
State = dict[str, NDArray[Any]]


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def layers() -> list[Layer]:
    """Two convolutions of one shape, a batch norm, and a flattened image of several channels."""
    return [
        Conv2D(4, 3, padding="same"),
        ReLU(),
        Conv2D(4, 3, padding="same"),
        BatchNormalization(),
        Flatten(),
        Dense(5),
    ]


def model(seed: int = 1) -> Sequential:
    return Sequential(layers(), (3, 2, 4), device="cpu", seed=seed)


def state_dict(model: Model) -> State:
    model.export(FILE, format="torch")
    return load_file(FILE)


def taken(state: State, seed: int = 2) -> Sequential:
    """A model with the weights of a state dict."""
    other = model(seed)
    save_file(state, FILE)
    other.load_weights(FILE)
    return other


def renamed(state: State, names: dict[str, str]) -> State:
    """A state dict with other names of modules, by those that they have."""
    parts = {name: name.partition(".") for name in state}
    return {f"{names.get(m, m)}.{key}": state[name] for name, (m, _, key) in parts.items()}


# To PyTorch


def test_names_and_shapes_are_those_of_pytorch() -> None:
    found = {name: (each.shape, each.dtype.name) for name, each in state_dict(model()).items()}
    real = "float32"
    assert found == {
        "0.weight": ((4, 4, 3, 3), real),
        "0.bias": ((4,), real),
        "2.weight": ((4, 4, 3, 3), real),
        "2.bias": ((4,), real),
        "3.weight": ((4,), real),
        "3.bias": ((4,), real),
        "3.running_mean": ((4,), real),
        "3.running_var": ((4,), real),
        "3.num_batches_tracked": ((), "int64"),
        "5.weight": ((5, 24), real),
        "5.bias": ((5,), real),
    }


def test_values_are_the_weights_in_pytorchs_order() -> None:
    made = model()
    kernel, bias, *_ = made.get_weights()
    state = state_dict(made)
    assert_array_equal(state["0.weight"], kernel.transpose(3, 2, 0, 1))
    assert_array_equal(state["0.bias"], bias)
    dense = made.get_weights()[-2].reshape(3, 2, 4, 5)
    assert_array_equal(state["5.weight"], dense.transpose(3, 2, 0, 1).reshape(5, 24))


def test_a_depthwise_kernel_has_the_filters_of_a_channel_together() -> None:
    made = built([DepthwiseConv2D((2, 3), depth_multiplier=2), Flatten(), Dense(2)], (2, 3, 3))
    kernel = made.get_weights()[0]
    state = state_dict(made)
    assert state["0.weight"].shape == (6, 1, 2, 3)
    assert_array_equal(state["0.weight"][2 * 2 + 1, 0], kernel[:, :, 2, 1])


def test_the_dtype_is_that_of_the_model() -> None:
    made = built([Rescaling(0.5), Flatten(), Dense(2)], dtype="float64")
    assert {each.dtype.name for each in state_dict(made).values()} == {"float64"}


def test_a_file_of_floats_alone_is_written(tmp_path: Path) -> None:
    with refusal("pixels is 'bytes', but of the formats only onnx can take them: leave it out"):
        model().export(FILE, format="torch", pixels="bytes")
    with refusal("the file to export to is 'a.pt': give a name that ends in .safetensors"):
        model().export("a.pt", format="torch")
    assert list(tmp_path.iterdir()) == []


def test_modules_of_a_network_that_branches_are_in_one() -> None:
    images = Input((3, 2, 4))
    x = Add()([images, Conv2D(4, 3, padding="same", activation="relu")(images)])
    made = Model(images, Dense(5)(Flatten()(x)), device="cpu")
    assert list(state_dict(made)) == ["0.0.bias", "0.0.weight", "0.4.bias", "0.4.weight"]


# From PyTorch


@pytest.mark.parametrize("make", [random_network, random_graph])
@pytest.mark.parametrize("seed", range(30))
def test_weights_come_back_as_they_were(make: Callable[[int], Model], seed: int) -> None:
    made = make(seed)
    expected = made.get_weights()
    made.export(FILE, format="torch")
    made.set_weights([np.zeros_like(each) for each in expected])
    made.load_weights(FILE)
    for mine, theirs in zip(made.get_weights(), expected, strict=True):
        assert_array_equal(mine, theirs)


def test_modules_may_have_other_names() -> None:
    made = model()
    state = renamed(state_dict(made), {"0": "conv2", "2": "conv10", "3": "norm", "5": "head.fc"})
    assert small.weight_bytes(taken(state)) == small.weight_bytes(made)


def test_no_module_is_needed_for_what_is_not_trained() -> None:
    made = built([Rescaling(0.5), *layers()], (3, 2, 4))
    state = {name: each for name, each in state_dict(made).items() if name[0] != "0"}
    assert taken(state).get_weights()[0].tobytes() == made.get_weights()[0].tobytes()
    save_file(state, FILE)
    made.load_weights(FILE)


def test_numbers_that_are_not_trained_are_the_models() -> None:
    made = built([Rescaling(0.5), BatchNormalization(scale=False), Flatten(), Dense(2)])
    for name, line in (
        ("0.weight", "0.weight has other numbers than the model, in which they are not trained"),
        ("1.weight", "1.weight has other numbers than the model, in which they are not trained"),
    ):
        state = state_dict(made)
        save_file(state | {name: state[name] + 1}, FILE)
        with refusal(f"{FILE} is not of this model: {line}", InvalidFileError):
            made.load_weights(FILE)


def test_what_does_not_fit_is_named() -> None:
    state = state_dict(model())
    with refusal(
        f"{FILE} is not of this model: it has nothing, where the model's modules have "
        "5.bias (5,), 5.weight (5, 24)",
        InvalidFileError,
    ):
        taken({name: each for name, each in state.items() if name[0] != "5"})
    with refusal(
        f"{FILE} is not of this model: it has fc.bias (5,), fc.weight (5, 23), where the model's "
        "modules have 5.bias (5,), 5.weight (5, 24)",
        InvalidFileError,
    ):
        taken(renamed(state | {"5.weight": np.zeros((5, 23), np.float32)}, {"5": "fc"}))
    for name in ("9.weight", "mean"):
        with refusal(
            f"{FILE} is not of this model: it has {name} (2,), where the model's modules have "
            "nothing",
            InvalidFileError,
        ):
            taken(state | {name: np.zeros(2, np.float32)})


def residual(seed: int) -> Model:
    """Two blocks of a ResNet, whose batch norms have the same shape, and the first a shortcut."""
    images = Input((6, 6, 3))

    def normed(x: Any, size: int, strides: int = 1) -> Any:
        x = Conv2D(4, size, strides, padding="same", use_bias=False)(x)
        return BatchNormalization()(x)

    x = normed(ReLU()(normed(images, 3, 2)), 3)
    x = ReLU()(Add()([x, normed(images, 1, 2)]))
    x = ReLU()(Add()([normed(ReLU()(normed(x, 3)), 3), x]))
    made = Model(images, Dense(2)(Flatten()(x)), device="cpu", seed=seed)
    draw_weights(made, seed)
    return made


def test_batch_norms_are_those_of_the_convolutions_beside_them() -> None:
    made, other = residual(1), residual(2)
    state = state_dict(made)
    names = sorted({name.rpartition(".")[0] for name in state}, key=lambda name: int(name[2:]))
    block = (
        "layer1.0.conv1 layer1.0.bn1 layer1.0.conv2 layer1.0.bn2 layer1.0.down.0 layer1.0.down.1"
    )
    theirs = f"{block} layer1.1.conv1 layer1.1.bn1 layer1.1.conv2 layer1.1.bn2 fc".split()
    others = dict(zip(names, theirs, strict=True))
    split = {name: name.rpartition(".") for name in state}
    save_file({f"{others[m]}.{key}": state[name] for name, (m, _, key) in split.items()}, FILE)
    other.load_weights(FILE)
    assert small.weight_bytes(other) == small.weight_bytes(made)


def test_modules_may_have_the_names_of_the_layers() -> None:
    def named(seed: int) -> Sequential:
        layers = [Conv2D(4, 3, padding="same", name=name) for name in ("second", "first")]
        return Sequential([*layers, Flatten(), Dense(5)], (3, 2, 4), device="cpu", seed=seed)

    made, other = named(1), named(2)
    save_file(renamed(state_dict(made), {"0": "second", "1": "first", "3": "head"}), FILE)
    other.load_weights(FILE)
    assert small.weight_bytes(other) == small.weight_bytes(made)


def test_an_order_that_is_not_clear_is_refused() -> None:
    state = renamed(state_dict(model()), {"0": "second", "2": "first"})
    with refusal(
        f"{FILE} is not of this model: first and second have tensors of the same shapes, so that "
        "their order is not clear: name them by numbers, such as 0 and 2",
        InvalidFileError,
    ):
        taken(state)


def test_weights_that_are_not_finite_are_refused() -> None:
    state = state_dict(model())
    with pytest.raises(InvalidFileError, match=r"conv2d\.bias are not finite numbers of float32"):
        taken(state | {"0.bias": np.full(4, np.nan, np.float32)})


def test_layers_of_your_own_have_no_counterpart() -> None:
    class Mine(ReLU):
        pass

    save_file(state_dict(model()), FILE)
    other = built([Mine(), *layers()], (3, 2, 4))
    with pytest.raises(InvalidTypeError, match=r"^mine is a Mine, a class of your own, for"):
        other.load_weights(FILE)


def test_pickles_are_refused() -> None:
    for name, content in (("a.pt", b"PK\x03\x04" + bytes(50)), ("b.pth", pickle.dumps({}))):
        Path(name).write_bytes(content)
        line = (
            f"{name} is a pickle of PyTorch, which can run code of anyone: where torch is, "
            "write its state dict with safetensors.torch.save_file, and give that file"
        )
        with refusal(line, InvalidFileError):
            model().load_weights(name)
        with refusal(line, InvalidFileError):
            Sequential.load(name)


def test_a_state_dict_is_no_model() -> None:
    state_dict(model())
    with pytest.raises(InvalidFileError, match="is a safetensors file, but not a model of gpucnn"):
        Sequential.load(FILE)


def test_numbers_that_numpy_has_not_are_told() -> None:
    header = b'{"0.weight":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    Path(FILE).write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(InvalidFileError, match="has numbers of a dtype that NumPy has not"):
        model().load_weights(FILE)


def test_files_that_are_damaged_are_refused_in_a_line() -> None:
    state_dict(model())
    content = Path(FILE).read_bytes()
    random = np.random.default_rng(0)
    for _ in range(100):
        spoilt = bytearray(content)
        for place in random.integers(0, 700, 3):
            spoilt[place] = random.integers(256)
        Path(FILE).write_bytes(spoilt[: random.integers(8, len(content) + 1)])
        with suppress(InvalidFileError):  # where it is not only of other numbers
            model(2).load_weights(FILE)


def test_dropout_and_the_like_have_no_tensors() -> None:
    made = built([Dropout(0.5), Flatten(), Dense(2)])
    assert list(state_dict(made)) == ["2.bias", "2.weight"]


def test_errors_of_arguments_come_first() -> None:
    with pytest.raises(InvalidValueError, match="choose one of onnx, torch"):
        model().export("a.h5", format="hdf5")
