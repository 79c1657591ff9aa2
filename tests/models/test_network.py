import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import loops
import small
from expect import refusal
from gpucnn import (
    AveragePooling2D,
    Conv2D,
    Cropping2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPool2D,
    Normalization,
    ReLU,
    Rescaling,
    Reshape,
    SeparableConv2D,
    Sequential,
    ZeroPadding2D,
)
from gpucnn.backends import Array, CpuBackend
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.errors import InvalidTypeError
from gpucnn.layers import Batch, Layer
from gpucnn.models.network import Network
from gradients import assert_network_gradients, smooth_images

IMAGE = (7, 6, 2)


def network(layers: list[Layer] | None = None, **options: Any) -> Network:
    """A network with nonzero biases."""
    made = Network(layers or small.layers(), IMAGE, **options)
    made.parameters += np.random.default_rng(9).uniform(-0.1, 0.1, made.parameters.shape)
    return made


def deep_layers() -> list[Layer]:
    """A network with overlapping windows, padding, strides and two dense layers."""
    return [
        Conv2D(3, (3, 2), 1, "same"),
        MaxPool2D(3, 2, "same"),
        ReLU(),
        Conv2D(4, 2, (1, 2)),
        ReLU(),
        Flatten(),
        Dense(5),
        ReLU(),
        Dense(3),
    ]


def flat(arrays: list[Array]) -> Array:
    return np.concatenate([each.ravel() for each in arrays])


def kernels(made: Network) -> Array:
    """The elements of all kernels; the biases start as zeros."""
    return flat(made.get_weights()[::2])


class TestGradients:
    @pytest.mark.parametrize(
        "layers",
        [
            pytest.param(small.layers, id="notebook's, with dropout"),
            pytest.param(deep_layers, id="deep"),
            pytest.param(lambda: [Flatten(), Dense(3)], id="linear"),
            pytest.param(lambda: [MaxPool2D(2), ReLU(), Flatten(), Dense(3)], id="pool first"),
            pytest.param(
                lambda: [AveragePooling2D(2, 1), Conv2D(4, 2), GlobalMaxPooling2D(), Dense(3)],
                id="average, then maximum",
            ),
            pytest.param(
                lambda: [Conv2D(4, 2), ReLU(), GlobalAveragePooling2D(), Dense(3)],
                id="average of images",
            ),
            pytest.param(lambda: [Conv2D(3, IMAGE[:2]), Flatten()], id="convolution alone"),
            pytest.param(
                lambda: [
                    *(Rescaling(2.0, [0.5, -0.5]), Conv2D(4, 2), ZeroPadding2D(((1, 0), (0, 2)))),
                    *(Normalization(mean=0.5, variance=2.0), Conv2D(3, 2), Cropping2D(1)),
                    *(Reshape((-1,)), Dense(3)),
                ],
                id="scaled and moved",
            ),
        ],
    )
    def test_agree_with_differences(self, layers: Callable[[], list[Layer]]) -> None:
        made = network(layers(), dtype="float64")
        x, y = smooth_images(made, 3), small.labels(3)
        gradients = flat(made.loss_and_gradients(x, y)[1])
        assert_network_gradients(made, lambda: made.loss_and_gradients(x, y)[0], gradients)

    def test_agree_with_differences_while_dropping(self) -> None:
        made = network(dtype="float64")
        x, y, step = smooth_images(made, 3), small.labels(3), np.array([4])
        data = DeviceDataset(made.backend, made.dtype, x, y)
        losses, correct = np.empty((2, 3))
        assert data.labels is not None
        batch = Batch(data.labels, np.arange(3), np.zeros(2, np.int64), 3, losses, correct)
        made.reserve(3, training=True)

        def loss() -> float:
            made.replica.accumulate_gradients([slice(0, 3)], data, batch, step)
            return float(losses.mean())

        loss()
        assert_network_gradients(made, loss, made.gradients.copy())

    def test_of_a_network_with_a_wrong_layer_are_refused(self) -> None:
        class LeakyBackwards(ReLU):
            def backward(self, output_gradient: Array) -> Array:
                return output_gradient

        made = network([Conv2D(3, 3), LeakyBackwards(), Flatten(), Dense(3)], dtype="float64")
        x, y = smooth_images(made, 3), small.labels(3)
        gradients = flat(made.loss_and_gradients(x, y)[1])
        with pytest.raises(AssertionError, match=r"the gradient of conv2d\.kernel is off"):
            assert_network_gradients(made, lambda: made.loss_and_gradients(x, y)[0], gradients)


class TestLossAndGradients:
    def test_loss_is_that_of_the_operations_in_loops(self) -> None:
        made = network([Conv2D(2, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(3)], dtype="float64")
        x, y = np.random.default_rng(0).standard_normal((2, *IMAGE)), np.array([0, 2])
        kernel, bias, dense_kernel, dense_bias = made.get_weights()
        z = loops.convolve(x, kernel, bias, loops.Slide((3, 3), (1, 1), "valid"))
        a = np.vectorize(loops.relu)(z)
        pooled, _ = loops.max_pool(a, loops.Slide((2, 2), (2, 2), "valid"))
        logits = loops.matmul(pooled.reshape(2, -1), dense_kernel, dense_bias)
        expected = loops.cross_entropy(logits, y).mean()
        assert made.loss_and_gradients(x, y)[0] == pytest.approx(expected, rel=1e-12)

    def test_gradients_have_the_shapes_of_the_weights(self) -> None:
        made = network(deep_layers())
        _, gradients = made.loss_and_gradients(small.images(4, IMAGE), small.labels(4))
        assert [each.shape for each in gradients] == [each.shape for each in made.get_weights()]

    def test_gradients_are_copies(self) -> None:
        made = network()
        _, gradients = made.loss_and_gradients(small.images(4, IMAGE), small.labels(4))
        before = [each.copy() for each in gradients]
        made.gradients[...] = 0
        for each, expected in zip(gradients, before, strict=True):
            assert_array_equal(each, expected)

    def test_float32_is_near_float64(self) -> None:
        x, y = small.images(4, IMAGE), small.labels(4)
        single, double = (network(deep_layers(), dtype=d) for d in ("float32", "float64"))
        double.set_weights(single.get_weights())
        (loss, gradients), (expected_loss, expected) = (
            each.loss_and_gradients(x, y) for each in (single, double)
        )
        assert loss == pytest.approx(expected_loss, rel=1e-5)
        assert_allclose(flat(gradients), flat(expected), atol=1e-5)

    def test_are_the_same_twice(self) -> None:
        made = network(deep_layers())
        x, y = small.images(4, IMAGE), small.labels(4)
        first, again = made.loss_and_gradients(x, y), made.loss_and_gradients(x, y)
        assert first[0] == again[0]
        assert_array_equal(flat(first[1]), flat(again[1]))

    def test_images_are_checked(self) -> None:
        with refusal(
            "the images have the shape (2, 6, 6, 1), but the model takes (images, 7, 6, 2): "
            "give images of that shape, or make a model for these"
        ):
            network().loss_and_gradients(small.images(2), small.labels(2))

    def test_labels_are_checked(self) -> None:
        with refusal("the labels have the shape (3,): give one for each image, (2,)"):
            network().loss_and_gradients(small.images(2, IMAGE), small.labels(3))


class TestFlatVectors:
    NAMES = (
        *("conv2d.kernel", "conv2d.bias", "conv2d_1.kernel", "conv2d_1.bias"),
        *("dense.kernel", "dense.bias", "dense_1.kernel", "dense_1.bias"),
    )

    def test_parameters_are_named_by_layer(self) -> None:
        assert network(deep_layers()).parameter_names == list(self.NAMES)

    @pytest.mark.parametrize(("vector", "threads"), [("parameters", 2), ("gradients", 1)])
    def test_layers_hold_views_in_the_order_of_the_names(self, vector: str, threads: int) -> None:
        made = network(deep_layers(), threads=threads)
        whole = getattr(made, vector)
        whole[...] = np.arange(whole.size)
        parts = {
            f"{layer.name}.{key}": part
            for layer in made.layers
            for key, part in getattr(layer, vector).items()
        }
        assert_array_equal(flat([parts[name] for name in self.NAMES]), np.arange(whole.size))

    @pytest.mark.parametrize(("vector", "threads"), [("parameters", 2), ("gradients", 1)])
    def test_what_a_layer_writes_is_in_the_vector(self, vector: str, threads: int) -> None:
        made = network(deep_layers(), threads=threads)
        getattr(made.layers[-1], vector)["bias"][...] = [7, 8, 9]
        assert_array_equal(getattr(made, vector)[-3:], [7, 8, 9])

    def test_are_of_the_dtype_of_the_model(self) -> None:
        made = network(dtype="float64")
        assert {made.parameters.dtype, made.gradients.dtype} == {np.dtype(np.float64)}

    def test_gradients_start_as_zeros(self) -> None:
        assert not network().gradients.any()


class TestWeights:
    def test_come_in_the_order_kernel_bias(self) -> None:
        shapes = [each.shape for each in network(deep_layers()).get_weights()]
        assert shapes == [(3, 2, 2, 3), (3,), (2, 2, 3, 4), (4,), (12, 5), (5,), (5, 3), (3,)]

    def test_come_back_as_they_were_set(self) -> None:
        source, target = network(deep_layers(), seed=1), network(deep_layers(), seed=2)
        target.set_weights(source.get_weights())
        assert_array_equal(target.parameters, source.parameters)

    def test_are_copies(self) -> None:
        made = network()
        before = made.parameters.copy()
        for each in made.get_weights():
            each[...] = 7
        assert_array_equal(made.parameters, before)

    def test_can_be_set_from_lists(self) -> None:
        source, target = network(seed=1), network(seed=2)
        weights: Any = [each.tolist() for each in source.get_weights()]
        target.set_weights(weights)
        assert_array_equal(target.parameters, source.parameters)

    def test_of_another_number_are_refused(self) -> None:
        made = network()
        with refusal(
            "3 arrays of weights were given, but the model has 4: "
            "conv2d.kernel, conv2d.bias, dense.kernel, dense.bias"
        ):
            made.set_weights(made.get_weights()[:-1])

    def test_of_another_shape_are_refused(self) -> None:
        made = network()
        weights = made.get_weights()
        weights[2] = weights[2].T
        with refusal(
            "the weights given for dense.kernel have the shape (3, 16), "
            "but it has the shape (16, 3)"
        ):
            made.set_weights(weights)

    def test_that_are_refused_change_nothing(self) -> None:
        made = network()
        before = made.parameters.copy()
        weights = [each + 1 for each in made.get_weights()]
        with pytest.raises(ValueError, match=r"dense\.bias"):
            made.set_weights([*weights[:-1], np.zeros(4)])
        assert_array_equal(made.parameters, before)


class TestInitialWeights:
    def test_are_the_same_for_the_same_seed(self) -> None:
        first, again = (Network(deep_layers(), IMAGE, seed=3) for _ in range(2))
        assert_array_equal(first.parameters, again.parameters)

    def test_are_others_for_another_seed(self) -> None:
        first, other = (Network(deep_layers(), IMAGE, seed=seed) for seed in (3, 4))
        assert not np.isclose(kernels(first), kernels(other)).any()

    def test_are_others_in_each_layer(self) -> None:
        twins = Network([Conv2D(2, 1), Conv2D(2, 1), Flatten()], (3, 3, 2))
        first, second = np.split(kernels(twins), 2)
        assert not np.isclose(first, second).any()

    def test_are_the_same_in_both_dtypes(self) -> None:
        single, double = (Network(deep_layers(), IMAGE, dtype=d) for d in ("float32", "float64"))
        assert_array_equal(single.parameters, double.parameters.astype(np.float32))


class TestFirstLayers:
    """Layers below the first parameters compute no input gradient."""

    @pytest.mark.parametrize(
        ("layers", "needed"),
        [
            (lambda: [Conv2D(3, 3), ReLU(), Flatten(), Dense(3)], [False, True, True, True]),
            (lambda: [MaxPool2D(), Flatten(), Dense(4), Dense(3)], [False, False, False, True]),
        ],
    )
    def test_need_no_input_gradient(
        self, layers: Callable[[], list[Layer]], needed: list[bool]
    ) -> None:
        assert [each.needs_input_gradient for each in network(layers()).layers] == needed

    def test_compute_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*arguments: Any) -> None:
            raise AssertionError("an input gradient that nothing needs")

        for name in ("conv2d_input_gradient", "max_pool_gradient", "relu_gradient"):
            monkeypatch.setattr(CpuBackend, name, fail)
        made = network([ReLU(), MaxPool2D(2), Conv2D(3, 3), Flatten()])
        made.loss_and_gradients(small.images(2, IMAGE), small.labels(2))

    def test_have_no_memory_for_one(self) -> None:
        first = network().layers[0]
        first.reserve(2, training=True)
        with pytest.raises(KeyError):
            first.buffer("input_gradient", 2)


class TestLayers:
    def test_are_named_by_their_class_and_count(self) -> None:
        names = [each.name for each in network(deep_layers()).layers]
        assert names == [
            *("conv2d", "maxpool2d", "relu", "conv2d_1", "relu_1", "flatten"),
            *("dense", "relu_2", "dense_1"),
        ]

    def test_have_the_names_that_they_are_given(self) -> None:
        layers = [
            *(Conv2D(2, 3, activation="relu", name="first"), SeparableConv2D(2, 2, name="thin")),
            *(Flatten(name=None), Dense(4), Dense(4, name="dense"), Dense(3, name="dense_1")),
        ]
        made = network(layers)
        assert [each.name for each in made.layers] == [
            *("first", "thin", "flatten", "dense_2", "dense", "dense_1"),
        ]
        assert [each for each in made.parameter_names if each.endswith("kernel")] == [
            *("first.kernel", "thin_depthwise.kernel", "thin_pointwise.kernel"),
            *("dense_2.kernel", "dense.kernel", "dense_1.kernel"),
        ]
        assert repr(made.layers[0]) == (
            "Conv2D(filters=2, kernel_size=3, activation='relu', name='first')"
        )
        assert repr(made.layers[3]) == "Dense(units=4)"

    def test_that_run_together_have_both_names(self) -> None:
        layers = [Conv2D(2, 3, name="a"), ReLU(name="b"), MaxPool2D(name="c"), Flatten(), Dense(3)]
        assert network(layers).replica.layers[0].name == "a+b+c"

    def test_have_names_of_their_own(self) -> None:
        with refusal("two layers are named twin: give each another name"):
            network([Flatten(name="twin"), Dense(3, name="twin")])

    @pytest.mark.parametrize("name", [3, b"a", ["a"]])
    def test_have_texts_as_names(self, name: Any) -> None:
        with refusal(f"name is {name!r}: it must be a text"):
            Dense(3, name=name)

    def test_keep_their_names_in_a_file_and_a_copy(self, tmp_path: Path) -> None:
        made = Sequential([Flatten(), Dense(4), Dense(3, name="last")], IMAGE)
        made.save(tmp_path / "model.safetensors")
        loaded = Sequential.load(tmp_path / "model.safetensors")
        for other in (loaded, copy.deepcopy(made)):
            assert [each.name for each in other.layers] == ["flatten", "dense", "last"]
            assert [each.given_name for each in other.layers] == [None, None, "last"]

    def test_know_their_place_and_the_seed(self) -> None:
        made = network(seed=5)
        assert [each.index for each in made.layers] == list(range(6))
        assert {each.seed for each in made.layers} == {5}

    def test_pass_their_shapes_on(self) -> None:
        made = network(deep_layers())
        assert made.layers[0].input_shape == IMAGE
        for layer, following in zip(made.layers, made.layers[1:], strict=False):
            assert following.input_shape == layer.output_shape

    def test_of_the_end_give_the_classes(self) -> None:
        assert network([Flatten(), Dense(17)]).classes == 17


class TestWrongWeights:
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
    def test_that_are_not_finite(self, value: float) -> None:
        weights = [each.astype(np.float64) for each in network().get_weights()]
        weights[1][0] = value
        with refusal("the weights given for conv2d.bias are not finite numbers of float32"):
            network().set_weights(weights)

    def test_that_are_not_numbers(self) -> None:
        weights = [each.astype("U3") for each in network().get_weights()]
        with refusal("the weights given for conv2d.kernel are not finite numbers of float32"):
            network().set_weights(weights)


def test_a_network_shows_what_it_is_made_of() -> None:
    assert repr(Network([Flatten(), Dense(3)], (2, 2, 1), seed=4)) == (
        "Network([Flatten(), Dense(units=3)], input_shape=(2, 2, 1), dtype='float32', "
        "device='cpu', seed=4)"
    )


class TestWrongNetworks:
    def test_with_a_layer_twice(self) -> None:
        dense = Dense(5)
        with refusal("Dense(units=5) is already part of a model: make a new layer"):
            network([Flatten(), dense, dense])

    def test_leave_their_layers_free_to_be_used_in_a_right_one(self) -> None:
        dense = Dense(5)
        with pytest.raises(ValueError, match="put Flatten"):
            network([dense])
        assert network([Flatten(), dense]).classes == 5

    def test_without_a_list(self) -> None:
        with pytest.raises(TypeError, match=r"^layers is Dense\(units=5\): give a list of layers$"):
            network(Dense(5))  # type: ignore[arg-type]

    def test_with_a_layer_of_another(self) -> None:
        used = network(small.layers()).layers[1]
        with refusal("ReLU() is already part of a model: make a new layer"):
            network([used, Flatten(), Dense(3)])

    @pytest.mark.parametrize("layers", [[], [Flatten()], [ReLU(), Dropout(0.5), Flatten()]])
    def test_without_parameters(self, layers: list[Layer]) -> None:
        with refusal("no layer has parameters: give at least one Conv2D or Dense"):
            Network(layers, IMAGE)

    @pytest.mark.parametrize("thing", ["Dense(10)", 10, None])
    def test_with_something_else_than_a_layer(self, thing: Any) -> None:
        with refusal(
            f"{thing!r} is among the layers: give objects such as Dense(10)", InvalidTypeError
        ):
            network([Flatten(), thing])

    def test_with_a_class_for_a_layer(self) -> None:
        layers: list[Any] = [Flatten, Dense(3)]
        with refusal(
            f"{Flatten!r} is among the layers: give objects such as Dense(10)", InvalidTypeError
        ):
            network(layers)

    def test_that_end_in_images(self) -> None:
        with refusal(
            "the last layer, relu, gives the shape (5, 4, 3): a model ends in a vector with an "
            "element for each class, so end with Flatten() and Dense(classes)"
        ):
            network([Conv2D(3, 3), ReLU()])

    def test_whose_shapes_do_not_fit_name_the_layer_and_both_shapes(self) -> None:
        with refusal(
            "dense takes vectors of shape (inputs,), but its input has the shape (5, 4, 3): "
            "put Flatten() before it"
        ):
            network([Conv2D(3, 3), Dense(3)])

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"dtype": "float16"}, "dtype is 'float16': choose one of float32, float64"),
            ({"seed": -1}, "seed is -1: it must be a whole number, 0 to 2^64 - 1"),
        ],
    )
    def test_made_with_wrong_options(self, options: dict[str, Any], text: str) -> None:
        with refusal(text):
            network(**options)

    def test_for_images_of_no_shape(self) -> None:
        shape: Any = 28
        with refusal("input_shape is 28: give the shape of one image, such as (28, 28, 1)"):
            Network(small.layers(), shape)

    def test_on_no_device(self) -> None:
        with pytest.raises(ValueError, match=r"unknown device 'tpu': choose one of auto, cpu"):
            network(device="tpu")


class TestMoving:
    def test_keeps_the_weights(self) -> None:
        made = network()
        before = made.parameters.copy()
        assert_array_equal(made.to("cpu").parameters, before)

    def test_gives_the_layers_views_of_the_new_vectors(self) -> None:
        made = network().to("cpu")
        made.layers[-1].parameters["bias"][...] = [7, 8, 9]
        assert_array_equal(made.parameters[-3:], [7, 8, 9])

    def test_to_no_device_changes_nothing(self) -> None:
        made = network()
        parameters = made.parameters
        with pytest.raises(ValueError, match="unknown device 'tpu'"):
            made.to("tpu")
        assert made.parameters is parameters


def test_memory_serves_more_images_after_fewer() -> None:
    made = network(deep_layers(), dtype="float64")
    x = np.random.default_rng(0).standard_normal((5, *IMAGE))
    made.reserve(2)
    first = made.forward(x[:2]).copy()
    made.reserve(5)
    assert_allclose(made.forward(x)[:2], first, rtol=1e-12)


def test_a_model_is_a_network() -> None:
    assert issubclass(Sequential, Network)
