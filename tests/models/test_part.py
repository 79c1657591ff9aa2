"""Models of the layers of built models: what they give, follow, and refuse."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import branches
import small
from expect import refusal
from gpucnn import (
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPool2D,
    Model,
    Rescaling,
    Sequential,
    Softmax,
)
from gpucnn.errors import InvalidTypeError
from gpucnn.layers import Layer, Step
from gpucnn.models.pictures.passes import feature_maps

X, Y = small.images(20), small.labels(20)

LAYERS = ["conv2d", "maxpool2d", "flatten", "features", "dense"]


def base(**options: Any) -> Sequential:
    layers: list[Layer] = [Conv2D(3, 3, activation="relu"), MaxPool2D(2), Flatten()]
    layers += [Dense(5, activation="tanh", name="features"), Dense(3)]
    return Sequential(layers, small.SHAPE, device="cpu", **options)


def up_to(made: Model, name: str) -> Model:
    return Model(made.input, made.get_layer(name).output)


class TestTensors:
    def test_have_the_shapes_of_layers(self) -> None:
        made = base()
        assert [each.output.shape[1:] for each in made.layers] == [
            (4, 4, 3),
            (2, 2, 3),
            (12,),
            (5,),
            (3,),
        ]
        assert made.input.shape == (None, *small.SHAPE)
        assert made.output is made.layers[-1].output
        assert made.layers[0].input is made.input
        assert made.layers[1].input is made.layers[0].output
        assert (made.inputs, made.outputs) == ([made.input], [made.output])

    def test_are_those_of_a_model_that_was_made_of_tensors(self) -> None:
        images = Input(small.SHAPE)
        made = Model(images, Dense(3)(Flatten()(images)))
        assert made.input is images
        assert copy.deepcopy(made).input is not images

    def test_of_a_merging_layer_are_a_list(self) -> None:
        made = branches.residual()
        add = made.get_layer("add")
        assert add.input == [made.get_layer("batchnormalization_2").output, made.layers[2].output]

    def test_stay_when_the_model_moves(self) -> None:
        made = base()
        images, output = made.input, made.layers[2].output
        made.to("simulator")
        assert Model(images, output).predict(X).shape == (20, 12)

    def test_of_a_layer_alone_are_not_there(self) -> None:
        with refusal(
            "Dense(units=3) is not in a model that is built: make one whose images have a known "
            "shape, keep it, and ask then"
        ):
            Dense(3).output  # noqa: B018

    def test_of_a_part_of_a_layer_are_not_there(self) -> None:
        made = base()
        with refusal(
            "relu runs as a part of another layer: ask one that get_layer gives",
        ):
            made.layers[0].unrolled()[1].output  # noqa: B018

    def test_layers_of_ones_own_may_use_the_names(self) -> None:
        class Keeping(Layer):
            def build(self, input_shape: Any) -> None:
                self.input_shape = self.output_shape = input_shape

            def forward(self, x: Any, step: Step | None) -> Any:
                self.output = x
                return x

            def backward(self, output_gradient: Any) -> Any:
                return output_gradient

        made = Sequential([Keeping(), Flatten(), Dense(3)], small.SHAPE, device="cpu")
        assert made.predict(X).shape == (20, 3)


class TestParts:
    @pytest.mark.parametrize("device", ["cpu", "simulator"])
    def test_give_what_the_layers_do(self, device: str) -> None:
        made = base(dtype="float64").to(device)
        x = X / 255 - 0.5
        kernel, bias = made.layers[0].get_weights()
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
        convolved = np.maximum(np.einsum("nhwcij,ijco->nhwo", windows, kernel) + bias, 0)
        pooled = convolved.reshape(20, 2, 2, 2, 2, 3).max(axis=(2, 4))
        kernel, bias = made.get_layer("features").get_weights()
        features = np.tanh(pooled.reshape(20, 12) @ kernel + bias)
        kernel, bias = made.layers[-1].get_weights()
        expected = [convolved, pooled, pooled.reshape(20, 12), features, features @ kernel + bias]
        for name, each in zip(LAYERS, expected, strict=True):
            part = up_to(made, name)
            assert part.output_shape == each.shape[1:]
            for found in (part.predict(X), part(x), part.predict([(x[:9],), (x[9:],)])):
                assert_allclose(found, each, rtol=1e-10, atol=1e-12)

    def test_of_a_model_that_branches(self) -> None:
        made = branches.residual(dtype="float64", device="cpu")
        part, x = up_to(made, "relu_2"), branches.images(4)
        rest = Model(part.input, part.output)  # a part of a part
        assert part.predict(x).shape == (4, 6, 5, 3)
        assert_array_equal(part.predict(x), rest.predict(x))
        maps = feature_maps(made, made._images(x[:1], None))
        assert_allclose(part.predict(x)[0], maps["relu_2"], rtol=1e-10)
        assert [each.name for each in part.layers] == [each.name for each in made.layers[:10]]

    def test_follow_the_model(self) -> None:
        made = base()
        part = up_to(made, "features")
        before = part.predict(X)
        for change in (
            lambda: made.fit(X, Y, verbose=0),
            lambda: made.set_weights([each * 0 + 0.5 for each in made.get_weights()]),
            lambda: made.to("simulator"),
        ):
            change()
            kernel, bias = made.layers[-1].get_weights()
            assert_allclose(part.predict(X) @ kernel + bias, made(X), rtol=1e-5, atol=1e-6)
            assert small.weight_bytes(made).startswith(small.weight_bytes(part))
        assert not np.array_equal(part.predict(X), before)
        assert part.pixels == made.pixels

    def test_made_before_the_model_is_used(self) -> None:
        images = Input(small.SHAPE)
        code = Dense(4, name="code")(Flatten()(images))
        encoder, whole = Model(images, code), Model(images, Dense(3)(code))
        encoder.compile("sgd", "mse")
        whole.fit(X, Y, verbose=0)
        kernel, bias = whole.layers[-1].get_weights()
        assert_allclose(encoder.predict(X) @ kernel + bias, whole(X), rtol=1e-5, atol=1e-6)
        assert encoder.pixels == whole.pixels

    def test_keep_the_model(self) -> None:
        made = base()
        expected = up_to(made, "features").predict(X)
        other: Model = copy.deepcopy(made)
        other = Model(other.input, other.layers[-2].output)
        assert_array_equal(other.predict(X), expected)
        made = Sequential(made.layers[:-1])
        assert_array_equal(made.predict(X), expected)

    def test_end_in_layers_without_weights(self) -> None:
        made = base()
        images = up_to(made, "conv2d").predict(X)
        mean = Model(made.input, GlobalAveragePooling2D()(made.layers[0].output))
        assert_allclose(mean.predict(X), images.mean(axis=(1, 2)), rtol=1e-5)
        probabilities = Model(made.inputs, Softmax()(made.output))
        assert_array_equal(probabilities.predict(X), made.predict(X))
        again = Sequential([made, Softmax()])
        assert_array_equal(Model(again.input, again.output).predict(X), made.predict(X))

    def test_of_a_list_of_layers_end_in_others(self) -> None:
        made = base(dtype="float64")
        images = up_to(made, "conv2d").predict(X)
        flat = Sequential([made.layers[0], Flatten()])
        assert_allclose(flat.predict(X), images.reshape(20, -1), rtol=1e-10, atol=1e-12)
        pooled = Sequential([made.layers[0], MaxPool2D(4)])
        expected = images.max(axis=(1, 2), keepdims=True)
        assert_allclose(pooled.predict(X), expected, rtol=1e-10, atol=1e-12)
        with refusal(
            "maxpool2d slides a window of (5, 5) over its input, but that has the shape (4, 4, 3): "
            'use a smaller window, fewer layers before it, or padding="same"'
        ):
            Sequential([made.layers[0], MaxPool2D(5)]).predict(X)

    @pytest.mark.parametrize("device", ["cpu", "simulator"])
    def test_of_layers_without_weights(self, device: str) -> None:
        layers = [Rescaling(1 / 128), MaxPool2D(2), Flatten(), Dense(3)]
        made = Sequential(layers, small.SHAPE, device=device)
        part = up_to(made, "maxpool2d")
        expected = X.reshape(20, 3, 2, 3, 2, 1).max(axis=(2, 4)) / 128
        assert_array_equal(part.predict(X), expected)
        assert (part.count_params(), part.get_weights()) == (0, [])

    def test_give_softmax_where_the_layers_do(self) -> None:
        made = Sequential([Flatten(), Dense(3, "softmax")], small.SHAPE, device="cpu")
        assert_array_equal(Model(made.input, made.output).predict(X), made.predict(X))

    @pytest.mark.parametrize(
        "again", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))]
    )
    def test_copies_have_a_model_of_their_own(self, again: Callable[[Model], Model]) -> None:
        made = base()
        for part in (up_to(made, "conv2d"), up_to(made, "features")):
            expected = part.predict(X)
            other = again(part)
            made.fit(X, Y, verbose=0)
            assert_array_equal(other.predict(X), expected)

    def test_are_shown_as_models(self, capsys: pytest.CaptureFixture[str]) -> None:
        for part in (up_to(base(), "maxpool2d"), up_to(branches.residual(), "relu_2")):
            part.predict(small.images(2, part.input_shape))
            part.summary()
            shown = capsys.readouterr().out
            assert part.layers[-1].name in shown
            assert "flatten" not in shown + part._repr_html_()

    def test_are_exported(self, tmp_path: Path) -> None:
        from onnx.reference import ReferenceEvaluator

        made = base()
        for name in ("conv2d", "features"):
            part, file = up_to(made, name), tmp_path / "part.onnx"
            part.export(file)
            found: Any
            (found,) = ReferenceEvaluator(str(file)).run(
                None, {"input": (X / 255 - 0.5).astype("f4")}
            )
            assert_allclose(found, part.predict(X / 255 - 0.5), rtol=1e-5, atol=1e-6)


class TestRefused:
    @pytest.mark.parametrize(
        "name", ["fit", "train_on_batch", "compile", "set_weights", "to", "save", "save_weights"]
    )
    def test_what_is_the_models(self, name: str, tmp_path: Path) -> None:
        made = base()
        part = up_to(made, "features")
        part.predict(X)
        arguments: dict[str, tuple[Any, ...]] = {
            "fit": (X, Y),
            "train_on_batch": (X, Y),
            "set_weights": (part.get_weights(),),
            "to": ("cpu",),
            "save": (tmp_path / "model.safetensors",),
            "save_weights": (tmp_path / "model.safetensors",),
        }
        of_measures = (
            "the model has layers of sequential, and gives what these do, of which there is no "
            "loss: evaluate that one"
        )
        of_weights = "the weights are those of sequential: compile, train, change or save that one"
        with refusal(of_measures if name == "train_on_batch" else of_weights):
            getattr(part, name)(*arguments.get(name, ()))

    @pytest.mark.parametrize("use", [lambda each: each.evaluate(X, Y), lambda each: each.fit(X, Y)])
    def test_a_loss(self, use: Callable[[Model], object]) -> None:
        with refusal(
            "the model has layers of sequential, and gives what these do, of which there is no "
            "loss: evaluate that one"
        ):
            use(up_to(base(), "features"))

    def test_classes(self, tmp_path: Path) -> None:
        for name in ("conv2d", "features"):
            part = up_to(base(), name)
            with refusal(
                "the model does not tell one class of several, so there are none to show: look at "
                "what predict returns"
            ):
                part.classify(X)
            with refusal(
                "the model does not tell one class of several, which is what a page shows: export "
                "a classifier"
            ):
                part.export(tmp_path / "page.html")

    def test_layers_with_weights_after_it(self) -> None:
        made = base()
        text = (
            "Dense(units=4) follows on layers of sequential, whose weights these have: train "
            "another model on what a Model without it predicts, or make all layers anew, and "
            "set_weights of those"
        )
        with refusal(text):
            Model(made.input, Dense(4)(made.get_layer("features").output))
        with refusal(text):
            Sequential([*made.layers[:-1], Dense(4)]).predict(X)

    def test_layers_from_the_middle(self) -> None:
        made = base()
        with refusal(
            "maxpool2d is already part of sequential, in which it takes something else: make a new "
            "layer"
        ):
            Sequential(made.layers[1:]).build((4, 4, 3))
        with refusal(
            "inputs is what Conv2D(filters=3, kernel_size=3, activation='relu') gives: give what "
            "Input(shape) has returned"
        ):
            Model(made.layers[0].output, made.output)  # type: ignore[arg-type]

    def test_layers_of_two_models(self) -> None:
        one, other = base(), base(name="other")
        with refusal("the layers are of several built models, sequential and other: take one's"):
            Sequential([*one.layers[:2], *other.layers[2:]]).build(small.SHAPE)

    def test_several_outputs(self) -> None:
        made = base()
        with refusal("outputs is 5 tensors: a model has one", InvalidTypeError):
            Model(made.input, [each.output for each in made.layers])

    def test_another_shape(self) -> None:
        with refusal(
            "the layers begin with images of the shape (6, 6, 1), but the model is to be built for "
            "(5, 5, 1): give one of the two"
        ):
            up_to(base(), "features").build((5, 5, 1))
