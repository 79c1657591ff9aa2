from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from commands.conftest import Command, Refused
from gpucnn import Conv2D, Dense, Flatten, Sequential

KERAS = Path(__file__).parents[2] / "models/exchange/keras/files/functional.keras"
MODEL, FILE = "model.safetensors", "model.onnx"
BYTES = np.random.default_rng(0).integers(0, 256, (3, 6, 5, 2), dtype=np.uint8)


@pytest.fixture(autouse=True)
def model(command: Command) -> Sequential:
    """A model, in the command's working folder."""
    model = Sequential([Conv2D(3, 2), Flatten(), Dense(3)], BYTES.shape[1:], device="cpu")
    model.save(MODEL)
    return model


def run(x: NDArray[np.generic]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(FILE, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["probabilities"], {"input": x})[0])


def test_it_writes_a_file_that_computes_the_same(command: Command, model: Sequential) -> None:
    outcome = command("export", MODEL, FILE)
    assert (outcome.status, outcome.out) == (0, f"saved {FILE}\n")
    x = (BYTES / 255 - 0.5).astype(np.float32)
    np.testing.assert_allclose(run(x), model.predict(x), atol=1e-5)


def test_the_file_may_take_bytes(command: Command, model: Sequential) -> None:
    assert command("export", MODEL, FILE, "--pixels", "bytes").status == 0
    np.testing.assert_allclose(run(BYTES), model.predict(BYTES), atol=1e-5)


def test_a_page_is_one_file(command: Command) -> None:
    outcome = command("export", MODEL, "--page", "page.html")
    assert (outcome.status, outcome.out) == (0, "saved page.html\n")
    page = Path("page.html").read_text()
    assert page.startswith("<!doctype html>")
    assert '{"name": "model", ' in page  # as a server names it, by its file


def test_it_writes_weights_for_pytorch(command: Command, model: Sequential) -> None:
    outcome = command("export", MODEL, "torch.safetensors")
    assert (outcome.status, outcome.out) == (0, "saved torch.safetensors\n")
    other = Sequential([Conv2D(3, 2), Flatten(), Dense(3)], BYTES.shape[1:], device="cpu", seed=9)
    other.load_weights("torch.safetensors")
    np.testing.assert_array_equal(other.predict(BYTES), model.predict(BYTES))


def test_models_of_keras_can_be_exported(command: Command) -> None:
    assert command("export", str(KERAS), FILE).status == 0
    x = np.random.default_rng(0).uniform(0, 1, (3, 8, 9, 2)).astype(np.float32)
    session = onnxruntime.InferenceSession(FILE, providers=["CPUExecutionProvider"])
    (found,) = session.run(["outputs"], {"input": x})
    np.testing.assert_allclose(found, Sequential.load(KERAS).predict(x), atol=1e-5)


def test_it_writes_files_of_keras(command: Command, model: Sequential) -> None:
    assert command("export", MODEL, "model.keras").status == 0
    again = Sequential.load("model.keras", "cpu")
    again.set_encoding(-0.5, 0.5)
    np.testing.assert_array_equal(again.predict(BYTES), model.predict(BYTES))


def test_errors_are_one_line(refused: Refused) -> None:
    assert "there is no file nothing" in refused("export", "nothing", FILE)
    assert "ends in .onnx or .safetensors or" in refused("export", MODEL, "other")
    assert "ends in .html" in refused("export", MODEL, FILE, "--page")
    assert "choose one of floats, bytes" in refused("export", MODEL, FILE, "--pixels", "words")


def test_the_model_is_not_written_over(refused: Refused) -> None:
    content = Path(MODEL).read_bytes()
    for same in (MODEL, f"./{MODEL}"):
        line = refused("export", MODEL, same)
        assert f"{MODEL} is the file to read, too: give another to write" in line
    assert Path(MODEL).read_bytes() == content
