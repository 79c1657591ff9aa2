from collections.abc import Callable
from copy import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import small
from gpucnn import (
    SGD,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    MaxPool2D,
    ReLU,
    Sequential,
)
from gpucnn.backends import Array, Backend, CpuBackend
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime
from gpucnn.layers import FusedConv2D, FusedDense, Layer, Step
from gpucnn.models.network import Network
from gradients import assert_layer_gradients, smooth_images
from microbatches import Plain

IMAGE = (12, 11, 2)
END = ["Flatten", "Dense"]


def fused_layers() -> list[Layer]:
    """Two fusible convolutions, one on few pixels and one on many."""
    return [
        *(Conv2D(4, 3), ReLU(), MaxPool2D(2)),
        *(Conv2D(7, (3, 2), padding="same"), ReLU(), MaxPool2D((1, 2))),
        *(Flatten(), Dense(small.CLASSES)),
    ]


def network(layers: list[Layer], backend: Backend | None = None) -> Network:
    """A network in float64 on `backend`, with nonzero biases."""
    made = Network(layers, IMAGE, "float64")
    if backend is not None:
        made.place(backend)
    made.parameters += np.random.default_rng(9).uniform(-0.1, 0.1, made.parameters.shape)
    return made


def kinds(made: Network) -> list[str]:
    """The classes of the layers that run."""
    return [type(layer).__name__ for layer in made.replica.layers]


def assert_same_loss_and_gradients(made: Network, right: Network, images: Array) -> None:
    """Check that two networks have the same loss and gradients for some images, to rounding."""
    (loss, gradients), (expected, right_gradients) = (
        each.loss_and_gradients(images, small.labels(len(images))) for each in (made, right)
    )
    assert loss == pytest.approx(expected, rel=1e-12)
    for gradient, each in zip(gradients, right_gradients, strict=True):
        assert_allclose(gradient, each, rtol=1e-11, atol=1e-14)


def fused_layer(batch: int = 2) -> tuple[Network, FusedConv2D]:
    """A network with a fused layer, and that layer with buffers for all gradients."""
    made = network([Conv2D(3, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(3)])
    layer = made.replica.layers[0]
    assert isinstance(layer, FusedConv2D)
    layer.needs_input_gradient = True
    layer.reserve(batch, training=True)
    return made, layer


class TestFuse:
    def test_takes_all_that_stand_together(self) -> None:
        assert kinds(network(fused_layers())) == ["FusedConv2D", "FusedConv2D", *END]

    @pytest.mark.parametrize(
        "layers",
        [
            [Conv2D(4, 3), ReLU(), MaxPool2D(3, 2)],
            [Conv2D(4, 3), ReLU(), MaxPool2D(2, 3)],
            [Conv2D(4, 3), ReLU(), MaxPool2D(2, padding="same")],
            [Conv2D(4, 3), MaxPool2D(2), ReLU()],
            [Conv2D(4, 3), MaxPool2D(2)],
            [Conv2D(4, 3), ReLU(), Dropout(0.5), MaxPool2D(2)],
            [Conv2D(4, 3), ReLU(), ReLU(), MaxPool2D(2)],
            [ReLU(), MaxPool2D(2)],
            [Conv2D(4, 3), ReLU()],
            [Conv2D(4, 3, groups=2), ReLU(), MaxPool2D(2)],
            [DepthwiseConv2D(3), ReLU(), MaxPool2D(2)],
            [Conv2D(4, 3, dilation_rate=2), ReLU(), MaxPool2D(2)],
            [Conv2D(4, 3, dilation_rate=(2, 1)), ReLU(), MaxPool2D(2)],
        ],
        ids=str,
    )
    def test_leaves_others_as_they_are(self, layers: list[Layer]) -> None:
        made = network([*layers, Flatten(), Dense(3)])
        assert made.replica.layers == made.layers

    def test_takes_dilation_where_kernels_have_it(self) -> None:
        layers = [Conv2D(4, (3, 2), padding="same", dilation_rate=2), ReLU(), MaxPool2D(2)]
        made = network([*layers, Flatten(), Dense(3)], CudaBackend(SimulatorRuntime()))
        assert kinds(made) == ["FusedConv2D", *END]
        plain = network([copy(each) for each in [*layers, Flatten(), Dense(3)]], Plain())
        images = np.random.default_rng(0).standard_normal((5, *IMAGE))
        assert_same_loss_and_gradients(made, plain, images)

    def test_lays_images_out_between_two_as_the_second_reads_them(self) -> None:
        first, second = ([Conv2D(16, 3), ReLU(), MaxPool2D(2)] for _ in range(2))
        layers = [*first, *second, Flatten(), Dense(3)]
        made, plain = network(layers), network([copy(each) for each in layers], Plain())
        images = np.random.default_rng(0).standard_normal((5, *IMAGE))
        assert_same_loss_and_gradients(made, plain, images)
        before, after, *_ = made.replica.layers
        between = before.buffer("output", 5), after.buffer("input_gradient", 5)
        assert all(each[:, 0, 0].flags.c_contiguous for each in between)

    def test_leaves_groups_as_they_are_on_a_gpu_too(self) -> None:
        layers = [Conv2D(4, 3, groups=2), ReLU(), MaxPool2D(2), Flatten(), Dense(3)]
        made = network(layers, CudaBackend(SimulatorRuntime()))
        assert made.replica.layers == made.layers

    @pytest.mark.parametrize("kind", [Conv2D, ReLU, MaxPool2D])
    def test_leaves_subclasses_as_they_are(self, kind: type[Layer]) -> None:
        """Which may compute something else."""
        layers: list[Layer] = [Conv2D(4, 3), ReLU(), MaxPool2D(2)]
        (changed,) = (each for each in layers if type(each) is kind)
        changed.__class__ = type("Own", (kind,), {})
        made = network([*layers, Flatten(), Dense(3)])
        assert made.replica.layers == made.layers

    @pytest.mark.parametrize("backend", [Backend, Plain])
    def test_leaves_all_where_the_backend_is_not_faster(
        self, backend: Callable[[], Backend]
    ) -> None:
        made = network(fused_layers(), backend())
        assert made.replica.layers == made.layers

    def test_leaves_the_layers_of_the_network(self) -> None:
        layers = fused_layers()
        assert list(network(layers).layers) == layers


class TestFusedConv2D:
    def test_stands_for_its_parts(self) -> None:
        made, layer = fused_layer()
        assert layer.parts == made.layers[:3]
        assert layer.name == "conv2d+relu+maxpool2d"
        assert (layer.input_shape, layer.output_shape) == (IMAGE, (5, 4, 3))
        assert layer.multiply_adds() == made.layers[0].multiply_adds()

    def test_uses_the_parameters_and_the_gradients_of_the_network(self) -> None:
        made, layer = fused_layer()
        convolution = made.layers[0]
        for name in ("kernel", "bias"):
            assert np.shares_memory(layer.parameters[name], convolution.parameters[name])
            assert np.shares_memory(layer.gradients[name], convolution.gradients[name])

    def test_gradients_agree_with_differences(self) -> None:
        made, layer = fused_layer()
        assert_layer_gradients(layer, smooth_images(made, 2))

    def test_computes_no_input_gradient_that_is_not_needed(self) -> None:
        _, layer = fused_layer()
        layer.needs_input_gradient = False
        output = layer.forward(np.ones((2, *IMAGE)), Step())
        assert layer.backward(np.ones_like(output)) is None

    def test_output_is_the_same_in_training(self) -> None:
        made, layer = fused_layer()
        x = smooth_images(made, 2)
        inferred = layer.forward(x, None).copy()
        assert_array_equal(layer.forward(x, Step()), inferred)

    @pytest.mark.parametrize("batch", [1, 2])
    def test_memory_is_the_same_in_every_step(self, batch: int) -> None:
        _, layer = fused_layer()
        x = np.ones((batch, *IMAGE))
        first, next_one = layer.forward(x, Step()), layer.forward(x, Step())
        assert next_one is first
        gradient = layer.backward(first)
        assert gradient is not None
        layer.forward(x, Step())
        assert layer.backward(first) is gradient

    def test_batches_of_several_sizes_take_turns(self) -> None:
        made, layer = fused_layer(batch=5)
        x = smooth_images(made, 5)

        def gradients(batch: int) -> list[Array]:
            gradient = layer.backward(np.ones_like(layer.forward(x[:batch], Step())))
            assert gradient is not None
            return [gradient.copy(), *(each.copy() for each in layer.gradients.values())]

        of_two, of_five = gradients(2), gradients(5)
        layer.forward(x[:3], None)
        for expected, batch in ((of_two, 2), (of_five, 5), (of_two, 2)):
            for each, again in zip(expected, gradients(batch), strict=True):
                assert_array_equal(again, each)

    def test_memory_grows(self) -> None:
        made, layer = fused_layer(batch=2)
        x = smooth_images(made, 5)
        expected = layer.forward(x[:2], Step()).copy()
        layer.reserve(5, training=True)
        assert_allclose(layer.forward(x, Step())[:2], expected, rtol=1e-12)
        assert_allclose(layer.forward(x[:2], Step()), expected, rtol=1e-12)


def dense_network(
    backend: Backend | None = None, *, rate: float | None = 0.4
) -> tuple[Network, Layer]:
    """A network, on the simulator if need be, and its first layer that is no `Flatten`."""
    dropout = [] if rate is None else [Dropout(rate)]
    layers = [Flatten(), Dense(6), ReLU(), *dropout, Dense(small.CLASSES)]
    made = network(layers, backend or CudaBackend(SimulatorRuntime()))
    return made, made.replica.layers[1]


class TestFuseDense:
    def test_takes_relu_and_one_dropout(self) -> None:
        layers = [Flatten(), Dense(6), ReLU(), Dropout(0.4), Dropout(0.2), Dense(4), ReLU()]
        made = network([*layers, Dense(3)], CudaBackend(SimulatorRuntime()))
        names = [layer.name for layer in made.replica.layers]
        assert names == ["flatten", "dense+relu+dropout", "dropout_1", "dense_1+relu_1", "dense_2"]

    def test_leaves_what_only_inherits_from_relu(self) -> None:
        class Negative(ReLU):
            pass

        made = network([Flatten(), Dense(6), Negative(), Dense(3)], CudaBackend(SimulatorRuntime()))
        assert made.replica.layers == made.layers

    @pytest.mark.parametrize("backend", [Backend, CpuBackend])
    def test_leaves_all_where_the_backend_is_not_faster(
        self, backend: Callable[[], Backend]
    ) -> None:
        made, _ = dense_network(backend())
        assert made.replica.layers == made.layers

    @pytest.mark.parametrize("rate", [None, 0.4])
    def test_stands_for_its_parts(self, rate: float | None) -> None:
        made, layer = dense_network(rate=rate)
        assert isinstance(layer, FusedDense)
        assert layer.parts == made.layers[1:-1]
        assert (layer.input_shape, layer.output_shape) == ((264,), (6,))
        assert layer.multiply_adds() == made.layers[1].multiply_adds()
        assert layer.parameters is made.layers[1].parameters

    @pytest.mark.parametrize("rate", [None, 0.4])
    @pytest.mark.parametrize("number", [None, 3])
    def test_is_one_layer_after_the_other(self, rate: float | None, number: int | None) -> None:
        made, fused = dense_network(rate=rate)
        made.reserve(5, training=True)
        step = Step(None if number is None else np.array([number]), first=3)
        x = np.random.default_rng(1).standard_normal((5, 264))
        gradient = np.random.default_rng(2).standard_normal((5, 6))
        results = []
        for layers in ([fused], made.layers[1:-1]):
            value: Array = x
            back: Array | None = gradient
            for layer in layers:
                layer.reserve(5, training=True)
                value = layer.forward(value, step)
            for layer in reversed(layers):
                layer.needs_input_gradient = True
                layer.reserve(5, training=True)
                assert back is not None
                back = layer.backward(back)
            assert back is not None
            results.append((value.tobytes(), back.tobytes(), made.replica.gradients.tobytes()))
            made.replica.gradients.fill(0)
        assert results[0] == results[1]

    def test_output_is_that_of_training_without_dropout(self) -> None:
        _, layer = dense_network()
        layer.reserve(5, training=True)
        x = np.random.default_rng(1).standard_normal((5, 264))
        inferred = layer.forward(x, None).copy()
        assert_array_equal(layer.forward(x, Step()), inferred)


class TestFusedHead:
    """The gradients of a batch with it agree with those on the CPU, which has none."""

    @pytest.mark.parametrize(
        "end",
        [
            [],
            [Dense(6)],
            [Dense(6), ReLU()],
            [Dense(6), ReLU(), Dropout(0.4)],
            [ReLU(), Dropout(0.4)],
        ],
        ids=str,
    )
    def test_loss_and_gradients(self, end: list[Layer]) -> None:
        fused, plain = (
            network([Flatten(), *map(copy, end), Dense(small.CLASSES)], backend)
            for backend in (CudaBackend(SimulatorRuntime()), CpuBackend(1))
        )
        images = np.random.default_rng(0).standard_normal((9, *IMAGE))
        assert_same_loss_and_gradients(fused, plain, images)

    def test_training_with_dropout(self) -> None:
        weights = []
        for device in ("simulator", "cpu"):
            layers = [Flatten(), Dense(6), ReLU(), Dropout(0.4), Dense(small.CLASSES)]
            model = Sequential(layers, small.SHAPE, "float64", device)
            model.compile(SGD(0.1))
            model.fit(small.images(10), small.labels(10), batch_size=4, epochs=2, verbose=0)
            weights.append(model.get_weights())
        for simulated, right in zip(*weights, strict=True):
            assert_allclose(simulated, right, rtol=1e-9, atol=1e-12)


class TestNetwork:
    """A network with fused layers agrees with the network without fusion."""

    @pytest.fixture
    def images(self) -> Array:
        return np.random.default_rng(0).standard_normal((9, *IMAGE))

    def test_values(self, images: Array) -> None:
        fused, plain = network(fused_layers(), CpuBackend(1)), network(fused_layers(), Plain())
        fused.reserve(9)
        plain.reserve(9)
        assert_allclose(fused.forward(images), plain.forward(images), rtol=1e-12, atol=1e-12)

    def test_loss_and_gradients(self, images: Array) -> None:
        fused, plain = network(fused_layers(), CpuBackend(1)), network(fused_layers(), Plain())
        assert_same_loss_and_gradients(fused, plain, images)


def test_memory_of_training_alone_is_not_reserved_for_calls_that_do_without() -> None:
    model = small.model()
    fused = model.replica.lane.layers[0]
    assert isinstance(fused, FusedConv2D)
    model.predict(small.images(5))
    assert not fused.inference_buffers()
    model.replica.reserve(5, training=True)
    assert len(fused.buffer("output", 5)) == 5
