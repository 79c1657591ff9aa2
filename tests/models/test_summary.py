import re
import tracemalloc
from html import escape
from threading import Thread

import numpy as np
import pytest

import small
from expect import refusal
from gpucnn import Input, Model, Sequential, models
from gpucnn.layers import (
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Flatten,
    Layer,
    Softmax,
    Tensor,
)
from gpucnn.models.summary import memory_per_image, parameter_count
from microbatches import Plain

# The notebook's network by hand; an element has 4 bytes. A convolution keeps its output and its
# patches, ReLU its output and the gradient of its input, pooling also the index of the maximum.
OUTPUT, POOLED = 26 * 26 * 8, 13 * 13 * 8
NOTEBOOK = {
    "conv2d": (3 * 3 * 1 * 8 + 8, OUTPUT * 3 * 3, 4 * (OUTPUT + 26 * 26 * 3 * 3)),
    "relu": (0, 0, 4 * (OUTPUT + OUTPUT)),
    "maxpool2d": (0, 0, 4 * (POOLED + POOLED + OUTPUT)),
    "flatten": (0, 0, 0),
    "dense": (POOLED * 10 + 10, POOLED * 10, 4 * (10 + POOLED)),
}


@pytest.mark.parametrize("name", NOTEBOOK)
def test_the_figures_of_the_layers_of_the_notebook(name: str) -> None:
    layer = next(each for each in models.notebook().layers if each.name == name)
    figures = parameter_count(layer), layer.multiply_adds(), memory_per_image(layer)
    assert figures == NOTEBOOK[name]


def test_memory_of_a_wider_dtype_is_larger() -> None:
    (_, relu, *_), (_, wide, *_) = models.notebook().layers, models.notebook("float64").layers
    assert memory_per_image(wide) == 2 * memory_per_image(relu)


@pytest.mark.usefixtures("traceable")
def test_memory_is_what_is_reserved_for_training() -> None:
    model, batch = small.model(), 500
    model.place(Plain())  # where a layer is a layer, and a batch is not taken apart
    expected = batch * sum(memory_per_image(layer) for layer in model.layers)
    tracemalloc.start()
    model.reserve(batch, training=True)
    arrays = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
    traces = tracemalloc.take_snapshot().filter_traces([arrays]).traces
    tracemalloc.stop()
    reserved = sum(trace.size for trace in traces)
    assert reserved == pytest.approx(expected, rel=0.01)


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The words in each line of the summary of the notebook's network, without the frame."""
    monkeypatch.setenv("COLUMNS", "80")
    models.notebook().summary()
    frame = str.maketrans(dict.fromkeys("│┃", " "))
    return [line.translate(frame).split() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    "words",
    [
        "sequential: input (28, 28, 1), float32, on cpu",
        "layer output shape parameters multiply-adds bytes/image",
        "conv2d (13, 13, 8) 80 48,672 19,552",
        "+ relu",
        "+ maxpool2d",
        "flatten (1352,) 0 0 0",
        "dense (10,) 13,530 13,520 5,448",
        "total 13,610 62,192 25,000",
    ],
)
def test_the_table(printed: list[list[str]], words: str) -> None:
    assert words.split() in printed


def test_the_table_has_each_layer_in_order(printed: list[list[str]]) -> None:
    names = [word for words in printed for word in words[:2] if word in NOTEBOOK]
    assert names == list(NOTEBOOK)


def test_the_table_of_the_largest_preset_is_not_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    models.lenet("float64").summary()
    assert "…" not in capsys.readouterr().out


def test_names_of_layers_that_are_taken_are_not_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    images = Input((4, 4, 3))
    x: Tensor = images
    for _ in range(3):
        x = Concatenate()([x, BatchNormalization()(Conv2D(12, 3, padding="same")(x))])
    Model(images, Dense(2)(Flatten()(x)), seed=0).summary()
    rows = [line.split("│") for line in capsys.readouterr().out.splitlines() if "│" in line]
    taken = "".join(row[6].strip() for row in rows)
    assert "concatenate_1,batchnormalization_2" in taken


def test_state_is_counted_among_the_parameters_and_told_below(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    Sequential([Input((4, 4, 3)), BatchNormalization(), Flatten(), Dense(2)], seed=0).summary()
    printed = capsys.readouterr().out
    # Of 3 channels: gamma and beta, and the moving mean and variance. Dense: 48 x 2 + 2.
    assert re.search(r"batchnormalization .* 12 ", printed)
    assert re.search(r"total .* 110 ", printed)
    assert "104 parameters are trained, 6 are not" in printed


@pytest.mark.parametrize(
    "last",
    [
        [],
        [Flatten(), Softmax()],
        [Flatten(), Dense(3)],
        [Flatten(), Dense(3, "softmax")],
    ],
)
def test_layers_can_be_added_after_a_summary(
    last: list[Layer], capsys: pytest.CaptureFixture[str]
) -> None:
    model = Sequential([Input((6, 6, 1)), Conv2D(2, 3), *last])
    model.summary()
    printed = capsys.readouterr().out
    assert re.search(r"conv2d .* 20 ", printed)
    assert ("flatten" in printed) == bool(last)
    assert not model.is_built
    model.add(Flatten())


def test_a_summary_needs_the_shape_of_the_images() -> None:
    with refusal(
        "the model does not know the shape of its images: begin its layers with Input((28, 28, 1)) "
        "or the like, or call fit first"
    ):
        Sequential([Flatten(), Dense(3)]).summary()


# In Jupyter


def cells(page: str) -> list[list[str]]:
    """The texts of each row of a table."""
    rows = re.findall("<tr>(.*?)</tr>", page)
    return [re.findall("<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]


def test_jupyter_shows_the_summary() -> None:
    model = models.notebook()
    rows = cells(model._repr_html_())
    assert rows[0] == ["layer", "output shape", "parameters", "multiply-adds", "bytes/image"]
    assert ["flatten", "(1352,)", "0", "0", "0"] in rows
    assert rows[-1] == ["total", "", "13,610", "62,192", "25,000"]


def test_jupyter_shows_the_layers_so_far_of_a_model_that_is_not_built() -> None:
    model = Sequential([Input((6, 6, 1)), Conv2D(2, 3)])
    model.add(Flatten())
    page = model._repr_html_()
    assert cells(page)[1:] == [[escape(repr(layer))] for layer in model._given]
    assert "sequential, not built yet" in page
    assert not model.is_built


def test_jupyter_shows_a_model_without_layers() -> None:
    assert cells(Sequential()._repr_html_()) == [["layer"]]


def test_names_are_text_on_a_page() -> None:
    dense = Dense(3, name="<script>alert(1)</script>")
    model = Sequential([Flatten(), dense], name="<b>", dtype="float64")
    for built in (False, True):
        if built:
            model.build((2, 2, 1))
        page = model._repr_html_()
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "<script>" not in page
        assert "<b>" not in page


def test_a_model_of_another_shows_it() -> None:
    of_logits = small.model()
    assert cells(Sequential([of_logits, Softmax()])._repr_html_()) == cells(of_logits._repr_html_())


def test_jupyter_shows_a_model_while_others_hold_it() -> None:
    model = small.model()
    shown: list[str] = []
    with model._lock.claim(), model._building.claim(), model._training.owned():
        thread = Thread(target=lambda: shown.append(model._repr_html_()))
        thread.start()
        thread.join(60)
        shown.append(model._repr_html_())
    assert shown == [model._repr_html_()] * 2
