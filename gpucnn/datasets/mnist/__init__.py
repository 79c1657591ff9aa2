"""MNIST, which the package contains, under Keras's names."""

from pathlib import Path

from gpucnn.datasets.dataset import Source, load_mnist
from gpucnn.datasets.parts import Part

KERAS_FILE = "mnist.npz"
"""The name under which Keras keeps its file, and which scripts may give."""


def load_data(path: Source = None, source: Source = None) -> tuple[Part, Part]:
    """MNIST's 60,000 images to train on and 10,000 to test on.

    Args:
        path: None for the embedded files; "mnist.npz" for the file of that name, or if there is
            none for the embedded files too; or as `source`.
        source: None for what `path` says; else as of `load_dataset`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 (n, 28, 28), and integers (n,).

    Raises:
        GpucnnError: as `load_dataset`.
    """
    if path == KERAS_FILE and not Path(KERAS_FILE).exists():
        path = None
    return load_mnist(path if source is None else source)
