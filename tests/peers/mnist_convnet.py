"""A convnet on MNIST by gpucnn and by Keras: start-up, seconds an epoch, and accuracy.

Start-up is from the start of the process to the end of the first step, but for the time in which
the script itself makes floats of the images.

Where Keras 3 and a back end are installed, `python tests/peers/mnist_convnet.py`. Both run in
turns, each time in a process of its own; the environment variable KERAS_BACKEND chooses the back
end, JAX by default.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean, median, stdev
from tempfile import TemporaryDirectory

import numpy as np

from gpucnn import load_mnist

SCRIPT = """
import sys
import time

import numpy as np

import {library} as keras
from {library} import layers

keras.utils.set_random_seed({seed})
before = time.perf_counter()
data = np.load({data!r})
x_train, y_train, x_test, y_test = (data[name] for name in data)
x_train, x_test = (np.expand_dims(x.astype("float32") / 255, -1) for x in (x_train, x_test))
y_train, y_test = (keras.utils.to_categorical(y, 10) for y in (y_train, y_test))
in_data = time.perf_counter() - before
model = keras.Sequential(
    [
        keras.Input(shape=(28, 28, 1)),
        layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Conv2D(64, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(x_train[:128], y_train[:128], batch_size=128, epochs=1, verbose=0)
print("start-up", time.time() - {started} - in_data)
for epoch in range({epochs}):
    before = time.perf_counter()
    model.fit(x_train[:54000], y_train[:54000], batch_size=128, epochs=1, verbose=0)
    print("epoch", time.perf_counter() - before)
print("accuracy", model.evaluate(x_test, y_test, verbose=0)[1])
"""

STARTED = "float(sys.argv[1])"


def run(library: str, **arguments: object) -> dict[str, list[float]]:
    """What a process prints, by what it is."""
    code = SCRIPT.format(library=library, started=STARTED, **arguments)
    environment = {"KERAS_BACKEND": "jax"} | os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-W", "ignore", "-c", code, str(time.time())]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, list[float]] = {}
    for line in done.stdout.splitlines():
        name, _, value = line.rpartition(" ")
        if name in ("start-up", "epoch", "accuracy"):
            found.setdefault(name, []).append(float(value))
    return found


def main() -> None:
    """Run both in turns, and print what each took, the ratios, and the accuracies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    found: dict[str, dict[str, list[float]]] = {"gpucnn": {}, "keras": {}}
    with TemporaryDirectory() as folder:
        data = str(Path(folder) / "mnist.npz")
        (x_train, y_train), (x_test, y_test) = load_mnist()
        np.savez(data, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
        for seed in range(options.seeds):
            for library, mine in found.items():
                for name, values in run(
                    library, seed=seed, epochs=options.epochs, data=data
                ).items():
                    mine.setdefault(name, []).extend(values)
                print(f"{library}, seed {seed}: {mine['accuracy'][-1]:.4f}", flush=True)
    for name in ("start-up", "epoch"):
        ours, theirs = (median(found[library][name]) for library in found)
        print(f"{name}: {ours:.2f} s and {theirs:.2f} s, a ratio of {theirs / ours:.1f}")
    for library, mine in found.items():
        values = mine["accuracy"]
        spread = f" +- {stdev(values):.4f}" if len(values) > 1 else ""
        print(f"accuracy of {library}: {mean(values):.4f}{spread}")


if __name__ == "__main__":
    main()
