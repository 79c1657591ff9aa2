"""Sets of images in the formats in which they are passed around, damaged and read."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import savemat

from campaign import mutations
from campaign.kind import Kind, expect
from campaign.mutations import Generator
from datasets.sample_cifar import binary_files, images, python_files, write_archive, write_files
from datasets.sample_files import NAMES, idx_bytes, small_set, write_gzip_set, write_set
from gpucnn import load_mnist
from gpucnn.datasets import Dataset, emnist, load_dataset


class IdxFiles(Kind):
    """Sets of images: what is read is what stands in the file, or what was compressed."""

    def __init__(self, *, compressed: bool) -> None:
        self._compressed = compressed

    def prepare(self, folder: Path) -> None:
        self._folder, arrays = folder, small_set()
        write_set(folder, arrays)
        (folder / NAMES[0]).unlink()
        self.file = folder / (NAMES[0] + ".gz" * self._compressed)
        self._plain = idx_bytes(arrays[NAMES[0]])

    def damage(self, generator: Generator) -> None:
        if not self._compressed:
            content = mutations.of_bytes(self._plain, generator)
        elif generator.random() < 0.1:  # more than it seems
            length = int(generator.choice([10**6, 10**8]))
            content = gzip.compress(self._plain + bytes(length), 1, mtime=0)
        elif generator.random() < 0.5:
            content = gzip.compress(mutations.of_bytes(self._plain, generator), mtime=0)
        else:
            content = mutations.of_bytes(gzip.compress(self._plain, mtime=0), generator)
        self.file.write_bytes(content)

    def read(self) -> None:
        (pixels, _), _ = load_mnist(self._folder)
        content = self.file.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        expect(pixels.tobytes() == content[16:], "the pixels are not those of the file")


class SetFiles(Kind):
    """Sets of one or several files, of which one is damaged: what is read are images and labels.

    Args:
        write: writes the files of a set to a folder.
        load: loads the set of the folder.
        inside: a good file as the bytes that were compressed, with what compresses them again, or
            None.
    """

    def __init__(
        self,
        write: Callable[[Path], None],
        load: Callable[[Path], Dataset] = load_dataset,
        inside: tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]] | None = None,
    ) -> None:
        self._write, self._load, self._inside = write, load, inside

    def prepare(self, folder: Path) -> None:
        self._folder = folder
        self._write(folder)
        self._good = {path: path.read_bytes() for path in sorted(folder.iterdir())}

    def damage(self, generator: Generator) -> None:
        for path, content in self._good.items():
            path.write_bytes(content)
        path = list(self._good)[generator.integers(len(self._good))]
        content = self._good[path]
        if self._inside and generator.random() < 0.5:
            unpack, pack = self._inside
            path.write_bytes(pack(mutations.of_bytes(unpack(content), generator)))
        else:
            path.write_bytes(mutations.of_bytes(content, generator))

    def read(self) -> None:
        dataset = self._load(self._folder)
        for pixels, labels in (dataset.train, dataset.test):
            expect(len(pixels) == len(labels) > 0, "there is not a label for each image")
            expect(pixels.dtype == np.uint8 or pixels.dtype.kind == "f", "pixels are no pixels")
            expect(labels.ndim == 1 and labels.dtype.kind in "iu", "labels are no labels")
        expect(dataset.train[0].shape[1:] == dataset.test[0].shape[1:], "parts of two shapes")
        names = dataset.class_names or ()
        expect(all(map(str.isprintable, names)), "the names of classes are not printable")


def _arrays(folder: Path) -> None:
    arrays = zip(("x_train", "y_train", "x_test", "y_test"), small_set().values(), strict=True)
    np.savez_compressed(folder / "mnist.npz", **dict(arrays))  # type: ignore[arg-type]


def _tables(folder: Path) -> None:
    train_images, train_labels, test_images, test_labels = small_set().values()
    parts = {"train": (train_images, train_labels), "test": (test_images, test_labels)}
    for name, (pixels, labels) in parts.items():
        rows = np.column_stack([labels, pixels[..., :4].reshape(len(pixels), -1)])
        np.savetxt(folder / f"{name}.csv", rows, fmt="%d", delimiter=",")


def _matlab(folder: Path, *, compressed: bool) -> None:
    for name, count in (("train", 3), ("test", 2)):
        labels = np.arange(1, count + 1, dtype=np.uint8)[:, None]
        variables = {"X": images(count).transpose(1, 2, 3, 0), "y": labels}
        savemat(folder / f"{name}_32x32.mat", variables, do_compression=compressed)


def _zip(folder: Path) -> None:
    plain = folder / "plain"
    plain.mkdir()
    write_gzip_set(plain, small_set())
    with zipfile.ZipFile(folder / "gzip.zip", "w") as archive:
        for name in NAMES:
            inside = f"gzip/emnist-digits-{name.replace('t10k', 'test')}.gz"
            archive.write(plain / f"{name}.gz", inside)
            (plain / f"{name}.gz").unlink()
        archive.writestr("gzip/emnist-digits-mapping.txt", "0 48\n1 49\n")
    plain.rmdir()


def _load_zip(folder: Path) -> Dataset:
    return Dataset(*emnist.load_data(folder / "gzip.zip", "digits"))


def _archived(folder: Path, files: dict[str, bytes], kind: int) -> None:
    write_archive(folder / f"cifar-{kind}-python.tar.gz", files)


def _deflated(content: bytes) -> bytes:
    return content[:128] + b"".join(
        (15).to_bytes(4, "little") + len(part).to_bytes(4, "little") + part
        for part in [zlib.compress(content[128:])]
    )


def _inflated(content: bytes) -> bytes:
    """The header of MATLAB's file, and its first variable as it was before it was compressed."""
    file = io.BytesIO(content[128:])
    size = int.from_bytes(file.read(8)[4:], "little")
    return content[:128] + zlib.decompress(file.read(size))


GZIP = (gzip.decompress, lambda content: gzip.compress(content, 1, mtime=0))

KINDS: dict[str, Kind] = {
    "IDX": IdxFiles(compressed=False),
    "gzip": IdxFiles(compressed=True),
    "npz": SetFiles(_arrays),
    "CSV": SetFiles(_tables),
    "CIFAR-10, pickled": SetFiles(lambda folder: write_files(folder, python_files())),
    "CIFAR-100, pickled by Python 3": SetFiles(
        lambda folder: write_files(folder, python_files(100, protocol=4))
    ),
    "CIFAR-10, binary": SetFiles(lambda folder: write_files(folder, binary_files())),
    "CIFAR-100, .tar.gz": SetFiles(
        lambda folder: _archived(folder, python_files(100), 100), inside=GZIP
    ),
    "CIFAR-10, .tar.gz": SetFiles(
        lambda folder: _archived(folder, binary_files(), 10), inside=GZIP
    ),
    "SVHN": SetFiles(lambda folder: _matlab(folder, compressed=False)),
    "SVHN, compressed": SetFiles(
        lambda folder: _matlab(folder, compressed=True), inside=(_inflated, _deflated)
    ),
    "EMNIST, .zip": SetFiles(_zip, _load_zip),
}
