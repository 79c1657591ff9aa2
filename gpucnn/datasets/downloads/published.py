"""Datasets that are published: where, and the digests of their files.

The digests are those that TensorFlow Datasets publishes for these files, and, of EMNIST,
torchvision. CIFAR's page is now at another address than the one that they give, its files are the
same. MNIST is not among these: the package contains it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpucnn.datasets.downloads.cache import cache_folder, locked
from gpucnn.datasets.downloads.download import download
from gpucnn.errors import InvalidFileError, MissingExtraError, printable

if TYPE_CHECKING:
    from logging import Logger


@dataclass(frozen=True)
class Published:
    """A dataset at its address.

    Attributes:
        address: of the folder that has its files, with a slash at its end.
        digests: of its files, by name, as pooch takes them.
        class_names: where its files do not have them.
    """

    address: str
    digests: Mapping[str, str]
    class_names: tuple[str, ...] | None = None


PUBLISHED = {
    "fashion_mnist": Published(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        {
            "train-images-idx3-ubyte.gz": "sha256:"
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels-idx1-ubyte.gz": "sha256:"
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3-ubyte.gz": "sha256:"
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1-ubyte.gz": "sha256:"
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
        (
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
    ),
    "kmnist": Published(
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        {
            "train-images-idx3-ubyte.gz": "sha256:"
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "train-labels-idx1-ubyte.gz": "sha256:"
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "t10k-images-idx3-ubyte.gz": "sha256:"
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "t10k-labels-idx1-ubyte.gz": "sha256:"
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        },
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
    "emnist": Published(
        "https://biometrics.nist.gov/cs_links/EMNIST/",
        {"gzip.zip": "md5:58c8d27c78d21e728a6bc7b3cc06412e"},
    ),
    "cifar10": Published(
        "https://cave.cs.toronto.edu/kriz/",
        {
            "cifar-10-binary.tar.gz": "sha256:"
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        },
    ),
    "cifar100": Published(
        "https://cave.cs.toronto.edu/kriz/",
        {
            "cifar-100-binary.tar.gz": "sha256:"
            "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        },
    ),
    "svhn": Published(
        "http://ufldl.stanford.edu/housenumbers/",
        {
            "train_32x32.mat": "sha256:"
            "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
            "test_32x32.mat": "sha256:"
            "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        },
    ),
}
"""By the names of the modules that load them."""


def retrieve(name: str) -> Path:
    """The folder in the cache that has the files of a published dataset.

    What is not there, or damaged, is downloaded; it has a temporary name until its digest is found
    right. One process at a time downloads from an address; others wait for it.

    Args:
        name: one of `PUBLISHED`.

    Raises:
        MissingExtraError: pooch is not installed.
        InvalidFileError: a download failed, or is another file than was published.
    """
    try:
        import pooch
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"downloading {name}, unless its folder or address is given,", error.name, "download"
        ) from None
    published = PUBLISHED[name]
    folder = cache_folder(published.address)
    with locked(folder), _quiet(pooch.get_logger()):
        for leftover in folder.glob("tmp*"):  # of pooch, in a process that was killed
            leftover.unlink(missing_ok=True)
        for file, digest in published.digests.items():
            _retrieve(published.address + file, digest, folder)
    return folder


def _retrieve(address: str, digest: str, folder: Path) -> None:
    """Have pooch see to a file, and this package to the download: its limits, its progress."""
    import pooch

    try:
        pooch.retrieve(
            address,
            known_hash=digest,
            fname=address.rpartition("/")[2],
            path=folder,
            downloader=lambda url, target, _: download(url, Path(target)),
        )
    except InvalidFileError:
        raise
    except ValueError as error:
        raise InvalidFileError(
            f"{address} is not the file that was published ({printable(error)}): try again later, "
            "or give the folder of a copy"
        ) from error


@contextmanager
def _quiet(logger: "Logger") -> Iterator[None]:
    """Keep from the terminal that a file is downloaded, which `download` says already."""
    level = logger.level
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logger.setLevel(level)
