"""SVHN, the cropped digits of house numbers."""

from gpucnn.datasets.dataset import Source, load_known
from gpucnn.datasets.parts import Part


def load_data(source: Source = None) -> tuple[Part, Part]:
    """SVHN's 73,257 images to train on and 26,032 to test on, of the ten digits.

    Args:
        source: a folder, a file or an address that has it, see `load_dataset`; None for the files
            at their published address, which are downloaded once and checked.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 (n, 32, 32, 3), and the digits, uint8
        (n,).

    Raises:
        MissingExtraError: SciPy, which reads the files, or pooch, which downloads them, is not
            installed.
        GpucnnError: as `load_dataset`.
    """
    dataset = load_known("svhn", source)
    return dataset.train, dataset.test
