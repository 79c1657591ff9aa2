import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands.conftest import Command, Refused
from gpucnn import Dense, Flatten, Sequential, load_mnist, models
from gpucnn.losses import SparseCategoricalCrossentropy
from small_mnist import write_idx

MODEL = "model.safetensors"


@pytest.fixture(autouse=True)
def model(command: Command) -> Sequential:
    """A briefly trained model, in the command's working folder."""
    model = models.notebook()
    (images, labels), _ = load_mnist()
    model.fit(images[:2000], labels[:2000], epochs=2, verbose=0)
    model.save(MODEL)
    return model


def test_it_shows_an_image_of_the_test_set(command: Command, model: Sequential) -> None:
    _, (images, labels) = load_mnist()
    probability = model.predict(images[:1])[0, labels[0]]
    outcome = command("predict", MODEL, 0)
    assert outcome.status == 0
    assert "test image 0" in outcome.out
    assert f"{labels[0]}, with {probability:.1%}: right" in outcome.out


def test_logits_become_probabilities(command: Command) -> None:
    model = models.notebook()
    model.compile(loss=SparseCategoricalCrossentropy(from_logits=True))
    model.save("logits.safetensors")
    _, (images, _) = load_mnist()
    (probabilities,) = model.classify(images[0]).probabilities
    outcome = command("predict", "logits.safetensors", 0)
    assert outcome.status == 0
    assert f"\n{probabilities.argmax()}, with {probabilities.max():.1%}" in outcome.out


def test_it_reads_an_image_file(command: Command) -> None:
    _, (images, labels) = load_mnist()
    picture = Image.fromarray(255 - images[0]).resize((200, 200))
    picture.save("seven.png")
    outcome = command("predict", MODEL, "seven.png")
    assert outcome.status == 0
    assert f"\n{labels[0]}, with" in outcome.out


def test_it_takes_several_images(command: Command) -> None:
    outcome = command("predict", MODEL, 0, 1, 2)
    assert [f"test image {index}" in outcome.out for index in range(4)] == [True] * 3 + [False]


def test_a_file_named_by_a_number_is_a_file(command: Command) -> None:
    _, (images, _) = load_mnist()
    Image.fromarray(images[3]).save(Path("0"), format="PNG")
    assert "test image" not in command("predict", MODEL, "0").out


def test_an_index_is_of_the_set_that_is_given(command: Command, data: str) -> None:
    assert "test image 99" in command("predict", MODEL, 99, "--data", data).out


def test_an_index_beyond_the_set_gets_one_line(refused: Refused) -> None:
    line = refused("predict", MODEL, 10_000)
    assert "there is no test image 10000: give an index from 0 to 9999" in line


@pytest.mark.parametrize("image", ["nothing.png", "-1", "."])
def test_what_is_no_image_gets_one_line(refused: Refused, image: str) -> None:
    assert image in refused("predict", MODEL, "--", image)


def test_a_bad_image_among_good_ones_is_told_before_any_is_shown(
    command: Command,
) -> None:
    outcome = command("predict", MODEL, 0, "nothing.png")
    assert (outcome.status, outcome.out) == (2, "")


@pytest.mark.parametrize("shape", [(28, 28, 2), (784,)])
def test_a_model_of_other_inputs_gets_one_line(refused: Refused, shape: tuple[int, ...]) -> None:
    Sequential([Flatten(), Dense(10)], shape).save("other.safetensors")
    assert f"inputs of shape {shape}" in refused("predict", "other.safetensors", 0)


def test_a_missing_model_gets_one_line(refused: Refused) -> None:
    assert "there is no file nothing" in refused("predict", "nothing", 0)


def test_a_digit_of_the_sets_own_size_is_used_as_it_is(command: Command, model: Sequential) -> None:
    _, (images, _) = load_mnist()
    Image.fromarray(images[5]).save("digit.png")
    probabilities = model.predict(images[5:6])[0]
    expected = f"{int(np.argmax(probabilities))}, with {probabilities.max():.1%}"
    assert expected in command("predict", MODEL, "digit.png").out


def test_an_index_is_of_the_set_that_the_model_was_trained_on(command: Command, data: str) -> None:
    command("train", "--data", data, "--epochs", 1, "--output", "run")
    assert "test image 99" in command("predict", "run/checkpoint.safetensors", 99).out
    line = command("predict", "run/checkpoint.safetensors", 100).err
    assert "there is no test image 100: give an index from 0 to 99" in line


def test_a_model_of_floats_reads_images_of_bytes(command: Command) -> None:
    (x, y), (images, _) = load_mnist()
    trained = Sequential([Flatten(), Dense(10)], (28, 28, 1))
    trained.fit(x[:2000] / 255, y[:2000], verbose=0)
    trained.save("floats.safetensors")
    probabilities = trained.predict(images[:1] / 255)[0]
    expected = f"{probabilities.argmax()}, with {probabilities.max():.1%}"
    assert expected in command("predict", "floats.safetensors", 0).out


def test_images_of_floats_are_shown(command: Command, tmp_path: Path) -> None:
    _, (images, labels) = load_mnist()
    content = (images[:5] / 255).astype(">f4")
    header = struct.pack(">HBB3I", 0, 0x0D, 3, *content.shape)
    for part in ("train", "t10k"):
        path = tmp_path / f"{part}-images-idx3-float"
        path.write_bytes(header + content.tobytes())
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", labels[:5])
    assert command("predict", MODEL, 0, "--data", tmp_path) == command("predict", MODEL, 0)
