"""Models of layers that were called on one another: made, joined, named and refused."""

import copy
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import branches
import small
from expect import refusal
from gpucnn import (
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    Input,
    Model,
    RandomFlip,
    ReLU,
    Rescaling,
    Sequential,
    Softmax,
)
from gpucnn.errors import InvalidTypeError
from gpucnn.layers import Layer, MergingLayer, Step
from gpucnn.models.summary import memory_per_image
from gradients import assert_gradient

X, Y = small.images(20), small.labels(20)


def called(layers: list[Any], name: str | None = None) -> Model:
    """A model of layers in a row."""
    images = x = Input(small.SHAPE)
    for layer in layers:
        x = layer(x)
    return Model(images, x, name, device="cpu")


class TestChain:
    def test_is_trained_to_the_bytes_of_a_sequential(self) -> None:
        made, chain = called(small.layers()), Sequential(small.layers(), small.SHAPE, device="cpu")
        for each in (made, chain):
            each.fit(X, Y, batch_size=8, epochs=2, verbose=0)
        assert small.weight_bytes(made) == small.weight_bytes(chain)
        assert made.weight_names == chain.weight_names

    def test_runs_as_one_stretch(self) -> None:
        assert len(called(small.layers()).replica.stretches) == 1
        assert called([Conv2D(8, 3), ReLU(), Flatten(), Dense(3)]).graph.is_chain

    def test_ends_in_an_activation(self) -> None:
        made = called([Flatten(), Dense(3), Softmax()])
        assert_array_equal(made.predict(X).argmax(1), made(X).argmax(1))
        np.testing.assert_allclose(made(X).sum(axis=1), 1, rtol=1e-6)

    def test_has_the_name_that_it_is_given(self) -> None:
        assert called(small.layers()).name == "functional"
        assert called(small.layers(), "mine").name == "mine"


class TestModelsOnTensors:
    def test_layers_of_a_sequential_become_the_models(self) -> None:
        augmentation = Sequential([RandomFlip("horizontal"), Rescaling(1 / 255)])
        made = called([augmentation, Flatten(), Dense(3)])
        assert [each.name for each in made.layers] == [
            "randomflip",
            "rescaling",
            "flatten",
            "dense",
        ]
        assert made.layers[0] is augmentation._given[0]

    def test_of_no_layers_is_what_it_is_called_on(self) -> None:
        x = Input((3,))
        assert Sequential([])(x) is x

    def test_layers_of_a_model_that_branches_become_the_models(self) -> None:
        block, expected = branches.dense_block(), branches.dense_block()
        images = Input(branches.SHAPE)
        made = Model(images, Dense(4)(block(Rescaling(2.0)(images))))
        assert len(made.layers) == len(expected.layers) + 2
        assert made.graph.inputs[2:-1] == tuple(
            tuple(each + 1 for each in inputs) for inputs in expected.graph.inputs[1:]
        )

    def test_in_a_list_of_layers(self) -> None:
        chain = Sequential([called([Flatten(), Dense(4)]), Dense(3)])
        assert [each.name for each in chain.layers] == ["flatten", "dense", "dense_1"]

    def test_that_branch_are_refused_in_a_list_of_layers(self) -> None:
        with refusal(
            "functional is a network that branches, among layers in a row: make a "
            "Model(inputs, outputs) of them, and call it where it belongs",
            InvalidTypeError,
        ):
            Sequential([branches.residual(), Dense(3)])

    def test_that_are_built_are_refused(self) -> None:
        chain = Sequential([Flatten(), Dense(3)], small.SHAPE)
        with refusal(
            "sequential is built, since it has been used, and shares its weights with no other "
            "model: call one that is not, or make its layers anew"
        ):
            chain(Input(small.SHAPE))

    def test_of_other_images_are_refused(self) -> None:
        with refusal(
            "sequential takes images of the shape (3,), but is called on those of the shape (4,)"
        ):
            Sequential([Input((3,)), Dense(3)])(Input((4,)))

    def test_of_no_layers_but_other_things_are_refused(self) -> None:
        with refusal("3 is among the layers: give objects such as Dense(10)", InvalidTypeError):
            Sequential([3])(Input((4,)))  # type: ignore[list-item]


class TestRefused:
    def test_a_merging_layer_in_a_row(self) -> None:
        with refusal(
            "add merges the outputs of at least two layers, but is given one: make a "
            "gpucnn.Model(inputs, outputs), in which it is called with a list, as in Add()([x, y])"
        ):
            Sequential([Add(), Flatten(), Dense(3)], small.SHAPE)

    def test_softmax_before_others(self) -> None:
        made = called([Flatten(), Dense(3), Softmax(), Dense(3)])
        with refusal(
            "Softmax() is not the last layer, the only one that may end in softmax: give it "
            "another activation"
        ):
            made.build(small.SHAPE)

    def test_layers_of_another_model(self) -> None:
        images = Input((4,))
        x = Dense(3)(images)
        one, other = Model(images, x), Model(images, Dense(2)(x))
        one.build((4,))
        with refusal(
            "Dense(units=2) follows on layers of functional, whose weights these have: train "
            "another model on what a Model without it predicts, or make all layers anew, and "
            "set_weights of those"
        ):
            other.build((4,))

    def test_another_shape(self) -> None:
        with refusal(
            "the layers begin with images of the shape (6, 6, 1), but the model is to be built for "
            "(5, 5, 1): give one of the two"
        ):
            called([Flatten(), Dense(3)]).build((5, 5, 1))

    def test_layers_of_another_dtype(self) -> None:
        with refusal(
            "the dtype of Dense is 'float64', but that of its model is 'float32': leave the "
            "layer's out, or give Sequential(layers, dtype=...) the same"
        ):
            called([Flatten(), Dense(3, dtype="float64")]).build(small.SHAPE)

    def test_a_subclass_that_defines_call(self) -> None:
        with refusal(
            "Mine defines call, but models are not traced: call layers on what Input and other "
            "layers give, and make a Model(inputs, outputs)",
            InvalidTypeError,
        ):
            type("Mine", (Model,), {"call": lambda self, x: x})

    @pytest.mark.parametrize("name", ["add", "pop"])
    def test_layers_are_not_added_later(self, name: str) -> None:
        assert not hasattr(branches.residual(), name)


def test_is_built_when_it_is_first_used() -> None:
    made = branches.residual()
    assert not made.is_built
    assert "not built yet" in made._repr_html_()
    assert made.count_params() > 0
    assert made.is_built


def test_a_model_that_is_not_built_moves() -> None:
    assert branches.residual(device="cpu").to("simulator").backend.device == "simulator"


def test_the_summary_tells_what_layers_take(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    images = Input((8, 8, 1))
    x = Conv2D(4, 3, activation="relu")(images)
    x = Add(name="sum")([Conv2D(4, 1, name="one")(x), x, x])
    made = Model(images, Dense(3)(Flatten()(x)), device="cpu")
    made.summary()
    assert not made.is_built
    frame = str.maketrans(dict.fromkeys("│┃", " "))
    lines = [line.translate(frame).split() for line in capsys.readouterr().out.splitlines()]
    taken = {line[0]: line[-1] for line in lines[1:] if len(line) > 5}
    assert taken == {
        "layer": "takes",
        "conv2d": "input",
        "relu": "conv2d",
        "one": "relu",
        "sum": "one,",
        "flatten": "sum",
        "dense": "flatten",
    }
    assert ["relu,"] in lines
    assert ["relu"] in lines
    memory = next(line[-2] for line in lines if line[:1] == ["relu"] and len(line) > 5)
    sums = 6 * 6 * 4 * 4  # of gradients of its output
    assert int(memory.replace(",", "")) == memory_per_image(made.layers[0].unrolled()[1]) + sums


class Difference(MergingLayer):
    """The first input less the second, in array code."""

    def merged_shape(self) -> tuple[int, ...]:
        return self.input_shapes[0]

    def forward(self, inputs: Any, step: Step | None) -> Any:
        return inputs[0] - inputs[1]

    def backward(self, output_gradient: Any) -> Any:
        return output_gradient, -output_gradient


@pytest.mark.parametrize("device", ["cpu", "simulator"])
def test_a_merging_layer_of_ones_own(device: str) -> None:
    images = Input(branches.SHAPE)
    convolved = BatchNormalization()(Conv2D(2, 3, padding="same")(images))
    outputs = Dense(3)(Flatten()(Difference()([convolved, images])))
    made = Model(images, outputs, dtype="float64", device=device)
    x, y = branches.images(3), branches.labels(3)
    _, gradients = made.loss_and_gradients(x, y)
    if device == "cpu":
        flat = np.concatenate([each.ravel() for each in gradients])
        assert_gradient(lambda: made.loss_and_gradients(x, y)[0], made.parameters, flat)
    else:
        other = copy.copy(made).to("cpu")
        for one, of_cpu in zip(gradients, other.loss_and_gradients(x, y)[1], strict=True):
            np.testing.assert_allclose(one, of_cpu, rtol=1e-9, atol=1e-12)


def test_layers_of_ones_own_may_be_called() -> None:
    class Double(Layer):
        def build(self, input_shape: Any) -> None:
            self.input_shape = self.output_shape = input_shape

        def forward(self, x: Any, step: Step | None) -> Any:
            return 2 * x

        def backward(self, output_gradient: Any) -> Any:
            return 2 * output_gradient

    images = Input((3,))
    x = Double()(images)
    made = Model(images, Dense(2)(Add()([x, images])))
    terms = 3 * made.get_weights()[0]
    # Either sum is rounded at most four times, by half of eps of the sum of absolute values.
    off = 4 * np.finfo(np.float32).eps * np.abs(terms).sum(axis=0)
    assert (np.abs(made(np.ones((1, 3), np.float32))[0] - terms.sum(axis=0)) <= off).all()
