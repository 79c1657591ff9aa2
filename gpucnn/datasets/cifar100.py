"""CIFAR-100, small photographs, under Keras's names."""

from typing import Literal

from gpucnn.datasets.dataset import Source, load_known
from gpucnn.datasets.parts import Part, with_column
from gpucnn.utils import arguments

LabelMode = Literal["fine", "coarse"]


def load_data(
    label_mode: Literal["fine", "coarse"] = "fine", source: Source = None
) -> tuple[Part, Part]:
    """CIFAR-100's 50,000 images to train on and 10,000 to test on.

    Args:
        label_mode: "fine" for the labels of 100 classes, "coarse" for those of 20 superclasses.
        source: the folder of the files, pickled or binary, the .tar.gz that has them, or its
            address; None for the published binary files, which are downloaded once and checked.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 (n, 32, 32, 3), and uint8 (n, 1).

    Raises:
        MissingExtraError: pooch, which downloads, is not installed.
        InvalidValueError: `label_mode` is another.
        GpucnnError: as `load_dataset`.
    """
    arguments.one_of(label_mode, "label_mode", ("fine", "coarse"))
    dataset = load_known("cifar100", source, labels=f"{label_mode}_labels")
    return with_column(dataset.train), with_column(dataset.test)
