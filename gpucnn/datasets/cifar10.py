"""CIFAR-10, small photographs, under Keras's names."""

from gpucnn.datasets.dataset import Source, load_known
from gpucnn.datasets.parts import Part, with_column


def load_data(source: Source = None) -> tuple[Part, Part]:
    """CIFAR-10's 50,000 images to train on and 10,000 to test on, of ten classes.

    Args:
        source: the folder of the files, pickled or binary, the .tar.gz that has them, or its
            address; None for the published binary files, which are downloaded once and checked.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 (n, 32, 32, 3), and uint8 (n, 1).

    Raises:
        MissingExtraError: pooch, which downloads, is not installed.
        GpucnnError: as `load_dataset`.
    """
    dataset = load_known("cifar10", source)
    return with_column(dataset.train), with_column(dataset.test)
