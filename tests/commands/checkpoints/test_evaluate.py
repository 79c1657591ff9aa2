import shutil
from pathlib import Path

import pytest

import gpucnn
from commands.conftest import Command, Refused
from gpucnn import Dense, Flatten, Sequential
from gpucnn.models.checkpoint import read_checkpoint, write_checkpoint


def test_it_measures_a_saved_model(command: Command, data: str) -> None:
    gpucnn.models.notebook().save("model.safetensors")
    _, (images, labels) = gpucnn.load_mnist(data)
    loss, accuracy = gpucnn.models.notebook().evaluate(images, labels)
    outcome = command("evaluate", "model.safetensors", "--data", data)
    assert outcome.status == 0
    assert f"{accuracy * 100:.0f} of 100 test images from {data} are" in outcome.out
    assert f"accuracy {accuracy:.2%}, loss {loss:.4f}" in outcome.out


def test_a_model_of_keras_is_measured_once_its_pixels_are_known(
    command: Command, refused: Refused, data: str
) -> None:
    model = gpucnn.models.notebook()
    model.save("model.safetensors")
    model.export("model.keras")
    assert "as set_encoding(0, 1) or" in refused("evaluate", "model.keras", "--data", data)
    command("import", "model.keras", "again.safetensors", "--encoding", -0.5, 0.5)
    mine, theirs = (
        command("evaluate", f"{name}.safetensors", "--data", data) for name in ("model", "again")
    )
    assert (theirs.status, theirs.out) == (0, mine.out)


@pytest.fixture
def checkpoint(command: Command, data: str) -> Path:
    """The checkpoint of a run on `data`."""
    command("train", "--data", data, "--epochs", 1, "--output", "run")
    return Path("run/checkpoint.safetensors")


def test_a_model_is_measured_on_the_data_of_its_run(
    command: Command, data: str, checkpoint: Path
) -> None:
    expected = command("evaluate", checkpoint, "--data", data).out
    assert f" of 100 test images from {data} are" in expected
    assert command("evaluate", checkpoint).out == expected
    shutil.copy(checkpoint, "alone.safetensors")
    assert command("evaluate", "alone.safetensors").out == expected


def test_a_model_without_a_record_is_measured_on_the_data_of_its_run(
    command: Command, data: str, checkpoint: Path
) -> None:
    expected = command("evaluate", checkpoint).out
    arrays, description = read_checkpoint(checkpoint)
    del description["pixels"]
    write_checkpoint(checkpoint, arrays, description)
    assert command("evaluate", checkpoint).out == expected


def test_a_model_of_no_run_is_measured_on_mnist(command: Command) -> None:
    gpucnn.models.notebook().save("checkpoint.safetensors")
    outcome = command("evaluate", "checkpoint.safetensors")
    assert " of 10,000 test images from the built-in MNIST are" in outcome.out


def test_data_of_a_run_that_is_gone_gets_one_line(
    refused: Refused, command: Command, data: str
) -> None:
    shutil.copytree(data, "moved")
    command("train", "--data", "moved", "--epochs", 1, "--output", "run")
    shutil.rmtree("moved")
    line = refused("evaluate", "run/checkpoint.safetensors")
    assert f"there is no file or folder {Path('moved').resolve()}: " in line
    assert "the model was trained on it, --data takes other" in line


def test_a_model_of_floats_is_measured_as_it_was_trained(command: Command) -> None:
    (x, y), (x_test, y_test) = gpucnn.load_mnist()
    model = Sequential([Flatten(), Dense(10)], (28, 28, 1))
    model.fit(x[:2000] / 255, y[:2000], verbose=0)
    model.save("model.safetensors")
    accuracy = model.evaluate(x_test / 255, y_test).accuracy
    assert f"accuracy {accuracy:.2%}" in command("evaluate", "model.safetensors").out


def test_a_model_of_floats_normalised_otherwise_gets_one_line(refused: Refused, data: str) -> None:
    (x, y), _ = gpucnn.load_mnist(data)
    model = Sequential([Flatten(), Dense(10)], (28, 28, 1))
    model.fit((x / 255 - 0.13) / 0.31, y, verbose=0)
    model.save("model.safetensors")
    line = refused("evaluate", "model.safetensors", "--data", data)
    assert "the images are bytes from 0 to 255, but the model was trained on floats" in line


def test_a_file_is_needed(refused: Refused) -> None:
    assert "there is no file nothing" in refused("evaluate", "nothing")
    assert "is a directory" in refused("evaluate", ".")


def test_a_file_cut_short_gets_one_line(refused: Refused) -> None:
    gpucnn.models.notebook().save("model.safetensors")
    whole = Path("model.safetensors").read_bytes()
    Path("model.safetensors").write_bytes(whole[:1000])
    assert "cut short" in refused("evaluate", "model.safetensors")


def test_a_model_for_other_images_gets_one_line(refused: Refused, data: str) -> None:
    Sequential([Flatten(), Dense(10)], (8, 8, 3)).save("model.safetensors")
    line = refused("evaluate", "model.safetensors", "--data", data)
    assert "the images have the shape (100, 28, 28), but the model takes (images, 8, 8, 3)" in line


def test_a_model_of_fewer_classes_gets_one_line(refused: Refused, data: str) -> None:
    Sequential([Flatten(), Dense(3)], (28, 28, 1)).save("model.safetensors")
    line = refused("evaluate", "model.safetensors", "--data", data)
    assert "the model has 3 classes" in line
