"""MNIST, which the package contains, under Keras's names."""

from gpucnn.datasets.dataset import load_mnist
from gpucnn.datasets.parts import Part


def load_data() -> tuple[Part, Part]:
    """MNIST's 60,000 images to train on and 10,000 to test on.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 (n, 28, 28), and integers (n,).
    """
    return load_mnist()
