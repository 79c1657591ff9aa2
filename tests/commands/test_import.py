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
    assert outcome.out.endswith(f"saved {MODEL}\n")
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 6, 5, 2)).astype(np.float32)
    found = Sequential.load(MODEL, "cpu").predict(x)
    np.testing.assert_allclose(found, model.predict(x), atol=1e-6)


def test_errors_are_one_line(refused: Refused) -> None:
    assert "nothing is not there" in refused("import", "nothing", MODEL)
    Path(FILE).write_bytes(b"")
    assert f"{FILE} is the file to read, too: give another" in refused("import", FILE, FILE)
