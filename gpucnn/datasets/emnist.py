"""EMNIST, handwritten letters and digits: six sets, of which one is loaded."""

from typing import Literal

from gpucnn.datasets.dataset import Source, load_known
from gpucnn.datasets.parts import Part
from gpucnn.utils import arguments

Split = Literal["balanced", "byclass", "bymerge", "digits", "letters", "mnist"]
SPLITS: tuple[Split, ...] = ("balanced", "byclass", "bymerge", "digits", "letters", "mnist")


def load_data(source: Source = None, split: Split = "balanced") -> tuple[Part, Part]:
    """The images of one of EMNIST's sets to train on, and those to test on.

    Args:
        source: a folder of IDX files, EMNIST's gzip.zip or the folder that has it, or an address
            of either; None for the published gzip.zip, which is downloaded once and checked.
        split: which of the sets; "balanced" has 47 classes, "letters" 26.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 (n, 28, 28), upright, and integers (n,), from
        0 for letters too.

    Raises:
        MissingExtraError: pooch, which downloads, is not installed.
        InvalidValueError: there is no such set.
        GpucnnError: as `load_dataset`.
    """
    arguments.one_of(split, "split", SPLITS)
    dataset = load_known("emnist", source, set_name=f"emnist-{split}")
    return dataset.train, dataset.test
