from pathlib import Path

import numpy as np

from commands.conftest import Command, Refused
from gpucnn import Conv2D, Dense, Flatten, Sequential

FILE, MODEL = "model.onnx", "model.safetensors"


def test_it_saves_a_model_that_computes_the_same(command: Command) -> None:
    model = Sequential([Conv2D(3, 2), Flatten(), Dense(3)], (6, 5, 2), device="cpu", name="mine")
    model.export(FILE)
    outcome = command("import", FILE, MODEL)
    assert outcome.status == 0
    assert "conv2d" in outcome.out
    assert f"saved {MODEL}\nwhich pixels it was trained on is not known" in outcome.out
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 6, 5, 2)).astype(np.float32)
    found = Sequential.load(MODEL, "cpu").predict(x)
    np.testing.assert_allclose(found, model.predict(x), atol=1e-6)


def test_errors_are_one_line(refused: Refused) -> None:
    assert "nothing is not there" in refused("import", "nothing", MODEL)
    Path(FILE).write_bytes(b"")
    assert f"{FILE} is the file to read, too: give another" in refused("import", FILE, FILE)
    Sequential([Flatten(), Dense(2)], (3, 3, 1), device="cpu").export(FILE)
    assert "choose one of (0, 1), (-0.5, 0.5)" in refused("import", FILE, MODEL, "--encoding", 3, 4)
    assert not Path(MODEL).exists()


def test_pixels_of_keras_are_told(command: Command) -> None:
    model = Sequential([Conv2D(3, 2), Flatten(), Dense(3)], (6, 5, 2), device="cpu", name="mine")
    model.export("model.keras")
    outcome = command("import", "model.keras", MODEL, "--encoding", -1, 1)
    assert outcome.status == 0
    assert outcome.out.endswith(f"saved {MODEL}\n")
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 2), np.uint8)
    found = Sequential.load(MODEL, "cpu").predict(images)
    expected = model.predict(np.float32(images / 127.5 - 1))
    np.testing.assert_allclose(found, expected, atol=1e-6)
