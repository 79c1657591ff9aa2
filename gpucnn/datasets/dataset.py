"""Loading MNIST and datasets like it, in the formats in which people have them.

What is embedded in the package, in a folder, in a file or at an address is read and checked the
same way; only how a file is found differs.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import TypeAlias

from gpucnn.datasets.downloads.cache import SCHEMES
from gpucnn.datasets.downloads.published import PUBLISHED, retrieve
from gpucnn.datasets.folder import find_set
from gpucnn.datasets.parts import Dataset, Part
from gpucnn.datasets.photos import TESTED, holds_photos, load_images
from gpucnn.errors import InvalidFileError

Source: TypeAlias = str | os.PathLike[str] | None


def load_mnist(source: Source = None) -> tuple[Part, Part]:
    """Load MNIST, or another dataset, as `load_dataset` does.

    Returns:
        `(x_train, y_train), (x_test, y_test)`.
    """
    dataset = load_dataset(source)
    return dataset.train, dataset.test


def load_dataset(
    source: Source = None,
    *,
    color_mode: str = "auto",
    image_size: Sequence[int] | int | None = None,
    validation_split: float = TESTED,
) -> Dataset:
    """Load MNIST, or another dataset of images, in any of the formats in which people have them.

    Integer pixels from 0 to 255 are returned as uint8, whatever their type in the file.
    Floating-point pixels keep their type. Of QMNIST's labels the first column is used, the class;
    SVHN's label 10 becomes 0. EMNIST's images, which its files have transposed, are returned
    upright, and its letters' labels from 0; it is known by the names of its files.

    Args:
        source: None for MNIST itself, which is embedded in the package; or a folder, see
            `find_set`, with four IDX files, plain or .gz, with an .npz file as Keras's or four as
            KMNIST's, with two CSV files, with CIFAR-10's or CIFAR-100's files, or with SVHN's two;
            or a file: an .npz as Keras's, of the arrays `x_train`, `y_train`, `x_test` and
            `y_test`, or CIFAR's .tar.gz; or the address, `http://`, `https://` or `file://`, of
            such a file, or of a folder with train-images-idx3-ubyte.gz,
            train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz,
            which are downloaded once and cached; or, where there is no folder of that name, the
            name of a published dataset, such as "cifar10", which is downloaded and checked; or a
            folder of photographs, see `load_images`.
        color_mode: of photographs, see `load_images`.
        image_size: of photographs, see `load_images`.
        validation_split: of photographs, see `load_images`.

    Returns:
        Images of shape (n, height, width), or (n, height, width, 3) in colour, uint8 or
        floating-point, and labels of shape (n,), integers, all C-contiguous.

    Raises:
        InvalidFileError: a file is missing, damaged or in another format, the files do not match
            one another, or a download failed.
        InvalidValueError: the address is not one of a folder, or an argument not as described.
        InvalidTypeError: `source` is not None, a string or a path.
        MissingExtraError: a package is not installed that the dataset needs.
        OSError: a file cannot be read.
    """
    from gpucnn.datasets.reading import load_wanted  # imported here: `import gpucnn` stays light

    if source == "":  # the folder that one is in, to a path, and to most a mistake
        raise InvalidFileError("source is empty: give a folder, a file or an address")
    if source is None:
        with as_file(files("gpucnn.datasets") / "mnist") as folder:
            return load_wanted(folder)
    if is_published(source):
        return load_known(str(source))
    if is_of_photos(source):
        return load_images(
            source, color_mode=color_mode, image_size=image_size, validation_split=validation_split
        )
    return load_wanted(source)


def full_source(source: str) -> str:
    """A source of `load_dataset` that is the same in every folder: the full path of a folder."""
    is_path = not source.lower().startswith(SCHEMES) and not is_published(source)
    return str(Path(source).resolve()) if is_path else source


def is_published(source: str | os.PathLike[str]) -> bool:
    """Whether a source is the name of a published dataset, and not of a file or folder."""
    return isinstance(source, str) and source in PUBLISHED and not Path(source).exists()


def is_of_photos(source: str | os.PathLike[str]) -> bool:
    """Whether a source is a folder of photographs, and not of another dataset."""
    if isinstance(source, str) and source.lower().startswith(SCHEMES):
        return False
    if not isinstance(source, (str, os.PathLike)) or not Path(source).is_dir():
        return False
    try:
        find_set(Path(source))
    except InvalidFileError:
        return holds_photos(Path(source))
    return False


def load_known(
    name: str, source: Source = None, *, set_name: str | None = None, labels: str | None = None
) -> Dataset:
    """Load a published dataset from its address or from elsewhere.

    Args:
        name: one of `PUBLISHED`.
        source: a folder, a file or an address, as of `load_dataset`; None for its address, of
            which it is downloaded once, and checked.
        set_name: which of EMNIST's sets, as of `Wanted`; None for the usual one.
        labels: which of CIFAR-100's labels, likewise.

    Raises:
        MissingExtraError: pooch, or what its format needs, is not installed.
        InvalidFileError: a download failed, or is another file than was published; and what
            `load_dataset` raises.
    """
    from gpucnn.datasets.reading import ANY, WANTED, Wanted, load_wanted

    usual = WANTED.get(name, ANY)
    wanted = Wanted(usual.layouts, set_name or usual.set_name, labels or usual.labels)
    is_usual = labels in (None, usual.labels) and set_name in (None, usual.set_name)
    if source is not None and is_usual and is_of_photos(source):  # as CIFAR-10 is passed around
        return load_images(source)
    dataset = load_wanted(retrieve(name) if source is None else source, wanted)
    return replace(dataset, class_names=dataset.class_names or PUBLISHED[name].class_names)
