"""MNIST, which the package contains, under Keras's names."""

from gpucnn.datasets.dataset import Source, load_mnist
from gpucnn.datasets.parts import Part


def load_data(source: Source = None) -> tuple[Part, Part]:
    """MNIST's 60,000 images to train on and 10,000 to test on.

    Args:
        source: None for the embedded files; else as of `load_dataset`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 (n, 28, 28), and integers (n,).

    Raises:
        GpucnnError: as `load_dataset`.
    """
    return load_mnist(source)
