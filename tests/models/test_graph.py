"""Which layers take whose outputs: checked, split into stretches, and found from tensors."""

from typing import Any

import pytest
from hypothesis import given

import branches
from expect import refusal
from gpucnn import Add, Conv2D, Dense, Flatten, Input, Layer, Model, Softmax
from gpucnn.errors import InvalidTypeError
from gpucnn.models.graph import IMAGES, Graph, Stretch, copied, layers_of, trace


def dense(count: int) -> list[Layer]:
    return [Dense(2) for _ in range(count)]


class TestGraph:
    def test_of_a_chain(self) -> None:
        graph = Graph.of_chain(dense(3))
        assert graph.inputs == ((IMAGES,), (0,), (1,))
        assert graph.is_chain

    def test_that_branches(self) -> None:
        assert not Graph(((IMAGES,), (0,), (0, 1))).is_chain

    def test_of_what_a_file_has(self) -> None:
        assert Graph.of([[-1], [0], [0, 1]], 3) == Graph(((-1,), (0,), (0, 1)))

    @pytest.mark.parametrize(
        ("inputs", "what"),
        [
            ([[-1], [1], [0]], "layer 1 takes the outputs of (1,)"),
            ([[-1], [-2], [0]], "layer 1 takes the outputs of (-2,)"),
            ([[-1], [], [0]], "layer 1 takes the outputs of ()"),
            ([[-1], ["0"], [0]], "layer 1 takes the outputs of ('0',)"),
        ],
    )
    def test_of_layers_that_do_not_come_before(self, inputs: Any, what: str) -> None:
        with refusal(f"{what}: these must be numbers of layers before it"):
            Graph.of(inputs, 3)

    @pytest.mark.parametrize(("inputs", "unused"), [([[-1], [-1]], 0), ([[-1], [0], [0]], 1)])
    def test_of_outputs_that_are_not_used(self, inputs: Any, unused: int) -> None:
        with refusal(
            f"the output of layer {unused} is not used: leave the layer out, or let others take it"
        ):
            Graph.of(inputs, len(inputs))

    @pytest.mark.parametrize("inputs", [[[-1], [0]], [[-1], [0], [True]], [[-1], [0], [1.0]]])
    def test_of_other_layers(self, inputs: Any) -> None:
        with refusal(
            f"the inputs of 3 layers are {inputs!r}: give the numbers of the layers whose outputs "
            "each takes"
        ):
            Graph.of(inputs, 3)

    def test_of_layers_that_run(self) -> None:
        layers = [
            Conv2D(2, 1, activation="relu"),
            Conv2D(2, 1, activation="relu"),
            Add(),
            Softmax(),
        ]
        graph = Graph(((IMAGES,), (IMAGES,), (0, 1), (2,)))
        assert graph.unrolled(layers).inputs == ((IMAGES,), (0,), (IMAGES,), (2,), (1, 3))


class TestStretches:
    def test_of_a_chain_is_one(self) -> None:
        layers = dense(3)
        assert Graph.of_chain(layers).stretches(layers) == (Stretch(tuple(layers)),)

    def test_begin_where_outputs_part_and_join(self) -> None:
        layers = dense(6)
        graph = Graph(((IMAGES,), (0,), (1,), (2,), (1, 3), (4,)))
        a, b, c, d, e, f = layers
        expected = (Stretch((a, b)), Stretch((c, d), (0,)), Stretch((e, f), (0, 1)))
        assert graph.stretches(layers) == expected

    def test_an_output_that_is_taken_twice_by_one_layer_ends_one(self) -> None:
        layers = dense(2)
        graph = Graph(((IMAGES,), (0, 0)))
        assert [each.inputs for each in graph.stretches(layers)] == [(IMAGES,), (0, 0)]

    @given(made=branches.models(device="cpu"))
    def test_are_maximal_and_have_all_layers_in_order(self, made: Model) -> None:
        stretches = made.replica.stretches
        assert layers_of(stretches) == made._unrolled
        taken = [number for each in stretches for number in each.inputs]
        for number, each in enumerate(stretches):
            assert all(before < number for before in each.inputs)
            is_alone = len(each.inputs) == 1 and taken.count(each.inputs[0]) == 1
            assert not is_alone or each.inputs == (IMAGES,)

    def test_copies_have_layers_of_their_own(self) -> None:
        (mine,) = copied([Stretch(tuple(dense(2)), (3,))])
        assert [type(each) for each in mine.layers] == [Dense, Dense]
        assert mine.inputs == (3,)


class TestTrace:
    def test_layers_are_in_the_order_of_calls_but_for_stretches(self) -> None:
        images = Input((4, 4, 1))
        one, other, one_more, other_more = (Conv2D(2, 1, name=name) for name in "abcd")
        x, y = one(images), other(images)
        x, y = one_more(x), other_more(y)
        unused = Conv2D(3, 1)(x)
        given, layers, graph = trace(images, Flatten()(Add()([x, y])))
        assert given is images
        assert [each.name for each in layers] == ["a", "c", "b", "d", "add", "flatten"]
        assert graph.inputs == ((-1,), (0,), (-1,), (2,), (1, 3), (4,))
        assert unused.layer not in layers

    def test_lists_of_one(self) -> None:
        images = Input((3,))
        assert trace([images], (Dense(2)(images),))[2].is_chain

    def test_calls_on_another_input_give_the_graph_again(self) -> None:
        made = branches.tangled()
        images = Input(branches.SHAPE)
        layers: list[Any] = branches.tangled()._given[1:]
        _, again, graph = trace(images, made.graph.call(layers, images))
        assert again == layers
        assert graph == made.graph

    def test_a_layer_that_is_called_twice(self) -> None:
        images, layer = Input((3,)), Dense(3)
        with refusal(
            "Dense(units=3) is called twice, but layers share no weights: make one for each call"
        ):
            trace(images, Add()([layer(images), layer(images)]))

    @pytest.mark.parametrize("inputs", [None, 3, {}, "images", [], [Input((3,)), 4]])
    def test_what_is_no_tensor(self, inputs: Any) -> None:
        with refusal(
            f"inputs is {inputs!r}: a Model is made of what Input has returned, and of what the "
            "last layer gives that was called",
            InvalidTypeError,
        ):
            trace(inputs, Dense(3)(Input((3,))))

    def test_several(self) -> None:
        images = Input((3,))
        with refusal("inputs is 2 tensors: a model has one", InvalidTypeError):
            trace([images, Input((3,))], Dense(3)(images))
        with refusal("outputs is 2 tensors: a model has one", InvalidTypeError):
            trace(images, [Dense(3)(images), Dense(3)(images)])

    def test_inputs_that_are_an_output(self) -> None:
        x = Dense(4)(Input((3,)))
        with refusal("inputs is what Dense(units=4) gives: give what Input(shape) has returned"):
            trace(x, Dense(3)(x))

    def test_outputs_of_other_images(self) -> None:
        images, other = Input((3,)), Input((3,))
        for outputs in (Dense(2)(other), Add()([images, other])):
            with refusal(
                "outputs follow from Input(shape=(3,)), which is not the one that is given as "
                "inputs: a model has one input"
            ):
                trace(images, outputs)

    def test_the_images_alone(self) -> None:
        images = Input((3,))
        with refusal("outputs do not follow from inputs: call layers on inputs"):
            trace(images, images)
