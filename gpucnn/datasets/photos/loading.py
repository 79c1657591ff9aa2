"""Loading a folder of photographs as arrays."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends.ranks.world import is_leader
from gpucnn.backends.workers.pool import usable_cores
from gpucnn.datasets.parts import Dataset
from gpucnn.datasets.photos import cache
from gpucnn.datasets.photos.folders import FoundPhotos, Photo, find_photos
from gpucnn.datasets.photos.reading import Head, photo_in, read_head
from gpucnn.datasets.photos.split import shuffled, split
from gpucnn.datasets.pictures import check_pillow
from gpucnn.errors import GpucnnError, InvalidFileError, InvalidTypeError, printable
from gpucnn.utils import arguments
from gpucnn.utils.quiet import without_warnings
from gpucnn.utils.warn import warn

COLOUR_MODES = ("auto", "grayscale", "rgb")
TESTED = 0.2  # the share of the photographs that is to test with
LONGEST = 64  # pixels of the longer side, unless another size is asked for
MOST_THREADS = 8
AT_ONCE = 64  # photographs of a thread, after which others may silence warnings
CHUNK = 1024  # images looked at together
NAMED = 10  # classes, at most, in a line
MANY = 2_000  # photographs, of which it is told that they are read where there is no bar

T = TypeVar("T")


def load_images(
    directory: str | os.PathLike[str],
    *,
    color_mode: str = "auto",
    image_size: Sequence[int] | int | None = None,
    validation_split: float = TESTED,
    seed: int = 0,
    verbose: bool = True,
) -> Dataset:
    """Load photographs, or other pictures, from a folder that has a folder for each class.

    Labels number the classes in the order of their names, of which numbers are ordered by size. If
    there are folders train/ and test/ (or val/), the folders of the classes are in these. Pictures
    are read as `read_photo` does; those that cannot be read are left out, with a warning. What has
    been decoded is kept in the user's cache folder until a file changes.

    Arguments are those of Keras's `image_dataset_from_directory` as far as they have its names; the
    result is arrays. It needs Pillow, the extra `images`.

    Args:
        directory: the folder.
        color_mode: "grayscale", "rgb", or "auto": grey if all pictures are.
        image_size: (height, width) of the images; one number is both. None for the median of the
            pictures, scaled down to at most 64 pixels a side.
        validation_split: the share of each class that is to test with, in [0, 1], where there are
            no folders for that. Which pictures these are follows from their names and the seed.
        seed: of that, and of the order of the images, in which classes are mixed.
        verbose: whether to print what was found, with a progress bar on a terminal.

    Returns:
        Images, uint8 (n, height, width) or (n, height, width, 3), labels int64 (n,), and the names
        of the classes.

    Raises:
        InvalidFileError: there is no such folder, it has no pictures in folders, or those of a
            class can none be read.
        InvalidTypeError: `directory` is not a path.
        InvalidValueError: an argument is not as described.
        MissingExtraError: Pillow is not installed.
        GpucnnError: the images take more memory than there is.
        OSError: a folder cannot be read.

    Warns:
        GpucnnWarning: some pictures cannot be read.
    """
    if not isinstance(directory, (str, os.PathLike)):
        raise InvalidTypeError(f"directory is {directory!r}: give the path of a folder")
    size = arguments.optional(arguments.positive_pair, image_size, "image_size")
    arguments.one_of(color_mode, "color_mode", COLOUR_MODES)
    share = 1.0 if validation_split == 1 else arguments.share(validation_split, "validation_split")
    arguments.seed(seed)
    check_pillow()
    folder = Path(directory)
    found = find_photos(folder)
    train = shuffled(found.train, seed)
    train, test = split(train, share) if found.test is None else (train, shuffled(found.test, seed))
    are_read, images = _decoded([*train, *test], size, color_mode, verbose=verbose)
    labels = np.array([photo.label for photo in (*train, *test)], np.int64)[are_read]
    _check_classes(found, labels, folder)
    trained = int(are_read[: len(train)].sum())
    to_train, to_test = slice(trained), slice(trained, None)
    dataset = Dataset(
        (images[to_train], labels[to_train]),
        (images[to_test], labels[to_test]),
        found.class_names,
        are_photographs=True,
    )
    if verbose and is_leader() and sys.stdout is not None:
        print(_in_words(folder, found, dataset, share), flush=True)
    return dataset


def _decoded(
    photos: Sequence[Photo], size: tuple[int, int] | None, color_mode: str, *, verbose: bool
) -> cache.Decoded:
    """The images of photographs, from the cache if it has them; those that cannot be read lack."""
    key = cache.key_of(photos, size, color_mode)
    found = cache.kept(key, len(photos))
    if found is None:
        found = _decode(photos, size, color_mode, verbose=verbose)
        cache.keep(key, *found)
    elif not found[0].all():
        warn(_unread(int((~found[0]).sum())))
    return found


def _decode(
    photos: Sequence[Photo], size: tuple[int, int] | None, color_mode: str, *, verbose: bool
) -> cache.Decoded:
    shape = _common_shape(photos, size, color_mode)
    try:
        images = np.empty((len(photos), *shape), np.uint8)
    except MemoryError as error:
        raise GpucnnError(
            f"{len(photos):,} images of {shape} take more memory than there is: give a smaller "
            "image_size"
        ) from error

    alone, are_read, failures = Lock(), np.ones(len(photos), bool), []

    def read(photo: Photo) -> NDArray[np.uint8] | str:
        try:
            with photo.path.open("rb") as file:
                return photo_in(file, photo.name, shape, alone=alone)
        except InvalidFileError as error:
            return str(error)
        except OSError as error:
            return f"{photo.name} cannot be read ({error.strerror or error}): see to it"

    count = 0
    for number, image in enumerate(_map(read, photos, "reading pictures" if verbose else None)):
        if isinstance(image, str):
            are_read[number] = False
            failures.append(image)
        else:
            images[count] = image
            count += 1
    if failures:
        warn(f"{_unread(len(failures))}: {_first_of(failures)}")
    return are_read, _without_equal_colours(images[:count], color_mode)


def _common_shape(
    photos: Sequence[Photo], size: tuple[int, int] | None, color_mode: str
) -> tuple[int, int, int]:
    """The shape that all images get: as asked for, else by the heads of the pictures."""
    if size is not None and color_mode != "auto":
        return *size, 1 if color_mode == "grayscale" else 3

    def read(photo: Photo) -> Head | None:
        try:
            with photo.path.open("rb") as file:
                return read_head(file, photo.name)
        except (InvalidFileError, OSError):  # which `_decode` tells of
            return None

    heads = [each for each in _map(read, photos) if each is not None]
    if size is None:
        size = _common_size(heads)
    is_grey = color_mode == "grayscale" or (
        color_mode == "auto" and bool(heads) and all(each.is_grey for each in heads)
    )
    return *size, 1 if is_grey else 3


def _common_size(heads: Sequence[Head]) -> tuple[int, int]:
    """The median, scaled down to at most `LONGEST` a side."""
    from statistics import median  # imported here: `import gpucnn` stays light

    if not heads:
        return 1, 1  # of no image
    sizes = median(each.height for each in heads), median(each.width for each in heads)
    scale = min(1, LONGEST / max(sizes))
    height, width = (max(1, round(scale * each)) for each in sizes)
    return height, width


def _map(
    function: Callable[[Photo], T], photos: Sequence[Photo], title: str | None = None
) -> Iterator[T]:
    """What a function gives for each photograph, in order, by threads.

    With a title there is a progress bar on a terminal; elsewhere, if they are many, a line.
    """
    from concurrent.futures import ThreadPoolExecutor  # imported here: `import gpucnn` stays light

    threads = min(usable_cores(), MOST_THREADS)
    chunk = AT_ONCE * threads

    def results() -> Iterator[T]:
        with ThreadPoolExecutor(threads, "gpucnn-photos") as pool:
            for start in range(0, len(photos), chunk):
                with without_warnings():  # of damage that Pillow tolerates
                    done = list(pool.map(function, photos[start : start + chunk]))
                yield from done

    if title is None or sys.stdout is None:
        return results()
    if not sys.stdout.isatty():
        if len(photos) > MANY and is_leader():
            print(f"{title}: {len(photos):,}", flush=True)
        return results()
    from rich.progress import track  # imported here: `import gpucnn` stays light

    return iter(track(results(), title, total=len(photos), transient=True))


def _without_equal_colours(images: NDArray[np.uint8], color_mode: str) -> NDArray[np.uint8]:
    """Images (n, height, width) if they are grey, also where their files have colours."""
    if images.shape[3] == 1:
        return images[..., 0]
    chunks = (images[start : start + CHUNK] for start in range(0, len(images), CHUNK))
    if color_mode == "auto" and all((each == each[..., :1]).all() for each in chunks):
        return np.ascontiguousarray(images[..., 0])
    return images


def _check_classes(found: FoundPhotos, labels: NDArray[np.int64], folder: Path) -> None:
    for label, count in enumerate(np.bincount(labels, minlength=len(found.class_names))):
        if not count:
            name = printable(found.class_names[label])
            raise InvalidFileError(
                f"none of the pictures of {name} in {folder} can be read: replace or remove them"
            )


# In words


def _in_words(folder: Path, found: FoundPhotos, dataset: Dataset, share: float) -> str:
    """What was found, in a line."""
    height, width, channels = dataset.image_shape
    count = len(dataset.train[0]) + len(dataset.test[0])
    names = [printable(each, 50) for each in found.class_names]
    listed = ", ".join(names[:NAMED]) + ", ..." * (len(names) > NAMED)
    tested = "train and test have folders of their own"
    if found.test is None:
        tested = f"{share:.0%} of each class, chosen by file names, are kept for testing"
        if share in (0, 1):
            tested = "all are to test with" if share else "none is kept for testing"
    line = (
        f"{printable(folder)}: {_pictures(count)} of {len(names)} class{'es' * (len(names) != 1)} "
        f"({listed}), read as "
        f"{height} x {width} pixels {'in colour' if channels == 3 else 'in grey'}; {tested}"
    )
    return line + "".join(f"; {each}" for each in _left_out(found))


def _left_out(found: FoundPhotos) -> Iterator[str]:
    if found.others:
        kinds = [
            printable(each or "without a suffix", 20) for each, _ in found.others.most_common(3)
        ]
        count = found.others.total()
        counted = "1 other file is" if count == 1 else f"{count:,} other files are"
        yield f"{counted} left out ({', '.join(kinds)})"
    if found.beside:
        yield f"other folders are left out: {printable(', '.join(found.beside), 100)}"
    if found.empty:
        yield f"folders without pictures are left out: {printable(', '.join(found.empty), 100)}"


def _pictures(count: int) -> str:
    return f"{count:,} picture{'s' * (count != 1)}"


def _unread(count: int) -> str:
    return f"{_pictures(count)} cannot be read, and {'is' if count == 1 else 'are'} left out"


def _first_of(failures: Sequence[str]) -> str:
    reason, _, _ = failures[0].rpartition(": ")
    return reason + f", and {len(failures) - 1:,} more" * (len(failures) > 1)
