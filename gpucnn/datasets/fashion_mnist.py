"""Fashion-MNIST, pictures of clothes, under Keras's names."""

from gpucnn.datasets.dataset import Source, load_known
from gpucnn.datasets.parts import Part


def load_data(source: Source = None) -> tuple[Part, Part]:
    """Fashion-MNIST's 60,000 images to train on and 10,000 to test on, of ten kinds of clothes.

    Args:
        source: a folder, a file or an address that has it, see `load_dataset`; None for the files
            at their published address, which are downloaded once and checked.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 (n, 28, 28), and integers (n,).

    Raises:
        MissingExtraError: pooch, which downloads, is not installed.
        GpucnnError: as `load_dataset`.
    """
    dataset = load_known("fashion_mnist", source)
    return dataset.train, dataset.test
