"""CIFAR's files for tests, written independently of the code under test, as Python 2 wrote them."""

import io
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FILES10 = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
FILES100 = ("train", "test")


def python2_pickle(value: Any) -> bytes:
    """What Python 2's cPickle wrote, with protocol 2: of bytes, a string."""
    return b"\x80\x02" + _said(value) + b"."


def _said(value: Any) -> bytes:
    match value:
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            return b"J" + struct.pack("<i", value)
        case bytes() if len(value) < 256:
            return b"U" + bytes([len(value)]) + value
        case bytes():
            return b"T" + struct.pack("<i", len(value)) + value + b"r\1\0\0\0"
        case list():
            return b"]q\x02(" + b"".join(map(_said, value)) + b"e"
        case tuple():
            return b"(" + b"".join(map(_said, value)) + b"t"
        case dict():
            items = b"".join(_said(each) for item in value.items() for each in item)
            return b"}q\x01(" + items + b"u"
        case np.ndarray():
            of_type = b"cnumpy\ndtype\n" + _said((value.dtype.str[1:].encode(), 0, 1)) + b"R"
            of_type += _said((3, b"|", None, None, None, -1, -1, 0)) + b"b"
            made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + _said((0,))
            state = _said(1) + _said(value.shape) + of_type + b"\x89" + _said(value.tobytes())
            return made + b"U\x01b\x87R(" + state + b"tb"
    raise TypeError(value)


def images(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Images (count, 32, 32, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), np.uint8)


def planes(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images as CIFAR's files have them, (count, 3072)."""
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).reshape(-1, 3072)


def cifar10(count: int = 3) -> dict[str, tuple[NDArray[np.uint8], list[int]]]:
    """Images and labels of each file."""
    return {
        name: (images(count, seed), [(seed + each) % 10 for each in range(count)])
        for seed, name in enumerate(FILES10)
    }


def cifar100(count: int = 4) -> dict[str, tuple[NDArray[np.uint8], list[int], list[int]]]:
    """Images, fine and coarse labels of each file."""
    return {
        name: (images(count, seed), [99 - each for each in range(count)], list(range(count)))
        for seed, name in enumerate(FILES100)
    }


def python_files(kind: int = 10, *, protocol: int | None = None) -> dict[str, bytes]:
    """The files of CIFAR-10 or CIFAR-100, pickled as Python 2 did or by Python 3."""
    dump = python2_pickle if protocol is None else lambda x: pickle.dumps(x, protocol)
    if kind == 10:
        batches = {
            name: {b"batch_label": b"a batch", b"labels": labels, b"data": planes(pixels)}
            for name, (pixels, labels) in cifar10().items()
        }
        meta = {b"num_cases_per_batch": 3, b"label_names": [each.encode() for each in NAMES]}
        return {name: dump(each) for name, each in batches.items()} | {"batches.meta": dump(meta)}
    files = {
        name: {b"data": planes(pixels), b"coarse_labels": coarse, b"fine_labels": fine}
        for name, (pixels, fine, coarse) in cifar100().items()
    }
    meta = {f"{mode}_label_names".encode(): names for mode, names in _names100().items()}
    return {name: dump(each) for name, each in files.items()} | {"meta": dump(meta)}


def binary_files(kind: int = 10) -> dict[str, bytes]:
    """The files of the binary version."""
    if kind == 10:
        batches = {
            f"{name}.bin": b"".join(
                bytes([label]) + each.tobytes()
                for label, each in zip(labels, planes(pixels), strict=True)
            )
            for name, (pixels, labels) in cifar10().items()
        }
        return batches | {"batches.meta.txt": "\n".join(NAMES).encode() + b"\n\n"}
    files = {
        f"{name}.bin": b"".join(
            bytes([each, label]) + image.tobytes()
            for each, label, image in zip(coarse, fine, planes(pixels), strict=True)
        )
        for name, (pixels, fine, coarse) in cifar100().items()
    }
    texts = {f"{mode}_label_names.txt": b"\n".join(names) for mode, names in _names100().items()}
    return files | texts


def _names100() -> dict[str, list[bytes]]:
    return {
        mode: [f"{mode}_{each}".encode() for each in range(count)]
        for mode, count in (("fine", 100), ("coarse", 20))
    }


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write files to a folder."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def write_archive(path: Path, files: dict[str, bytes], inside: str = "cifar/") -> None:
    """Write files, in another order than their own, to a .tar.gz."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in reversed(files.items()):
            member = tarfile.TarInfo(inside + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
