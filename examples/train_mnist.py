"""Train a small network on MNIST: build, compile, fit, evaluate, save, predict.

    python examples/train_mnist.py [DATA]

DATA is a folder of IDX files, Fashion-MNIST's for example; without it, the MNIST that comes with
the package is used. The network is trained on a GPU if one can be used, else on the CPU.
"""

from argparse import ArgumentParser
from pathlib import Path

from gpucnn import (
    Adam,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPool2D,
    OneCycle,
    ReLU,
    Sequential,
    load_mnist,
)

EPOCHS, BATCH_SIZE = 3, 64
FILE = Path("mnist.safetensors")


def main(data: str | None = None) -> None:
    """Train on the set of images in the folder `data`, or on MNIST, and save the model."""
    (x_train, y_train), (x_test, y_test) = load_mnist(data)

    model = Sequential(
        [Conv2D(16, 3), ReLU(), MaxPool2D(2), Flatten(), Dropout(0.2), Dense(10)],
        input_shape=(28, 28, 1),
    )
    model.summary()

    steps = EPOCHS * -(-len(x_train) // BATCH_SIZE)
    model.compile(Adam(OneCycle(0.01, total_steps=steps)))
    model.fit(x_train, y_train, BATCH_SIZE, EPOCHS, validation_data=(x_test, y_test))

    loss, accuracy = model.evaluate(x_test, y_test)
    print(f"test loss {loss:.4f}, accuracy {accuracy:.2%}")

    model.save(FILE)
    same = Sequential.load(FILE)  # the architecture is in the file
    probabilities = same.predict(x_test[:5])
    print(f"predicted {probabilities.argmax(axis=1)}, labels {y_test[:5]}")


if __name__ == "__main__":
    parser = ArgumentParser(description="Train a small network on MNIST, or on images like it.")
    parser.add_argument("data", nargs="?", help="a folder of IDX files (default: MNIST)")
    main(parser.parse_args().data)
