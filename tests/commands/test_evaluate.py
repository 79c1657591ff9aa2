from pathlib import Path

import gpucnn
from commands.conftest import Command, Refused
from gpucnn import Dense, Flatten, Sequential


def test_it_measures_a_saved_model(command: Command, data: str) -> None:
    gpucnn.models.notebook().save("model.safetensors")
    _, (images, labels) = gpucnn.load_mnist(data)
    loss, accuracy = gpucnn.models.notebook().evaluate(images, labels)
    outcome = command("evaluate", "model.safetensors", "--data", data)
    assert outcome.status == 0
    assert f"{accuracy * 100:.0f} of 100 test images" in outcome.out
    assert f"accuracy {accuracy:.2%}, loss {loss:.4f}" in outcome.out


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
