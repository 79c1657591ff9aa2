import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpucnn.datasets.formats.csv import read_csv
from gpucnn.errors import InvalidFileError
from memory import most_resident

LABELS = np.array([7, 0, 255], np.uint8)
IMAGES = np.random.default_rng(2).integers(0, 256, (3, 4, 4), np.uint8)
KAGGLE = ",".join(["label", *(f"pixel{each}" for each in range(16))]) + "\n"


def rows(labels: NDArray[Any] = LABELS, images: NDArray[Any] = IMAGES) -> str:
    flat = np.column_stack([labels, images.reshape(len(images), -1)])
    return "".join(",".join(map(str, row)) + "\n" for row in flat.tolist())


def written(folder: Path, text: str) -> Path:
    path = folder / "train.csv"
    path.write_bytes(text.encode())
    return path


def error_of(path: Path) -> str:
    with pytest.raises(InvalidFileError) as caught:
        read_csv(path, "<table>")
    text = str(caught.value)
    assert "<table>" in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    "text",
    [
        rows(),
        KAGGLE + rows(),
        KAGGLE.replace("label", '"Label"') + rows(),
        KAGGLE.replace("label", "class") + rows(),
        "\ufeff" + KAGGLE + rows(),
        (KAGGLE + rows()).replace("\n", "\r\n"),
        "\n" + KAGGLE + "\n" + rows().replace("\n", "\n\n"),
        rows().rstrip("\n"),
        rows().replace(",", ", "),
    ],
    ids=["plain", "header", "quoted", "class", "mark", "crlf", "blank", "no end", "spaces"],
)
def test_reads_what_was_written(tmp_path: Path, text: str) -> None:
    images, labels = read_csv(written(tmp_path, text), "<table>")
    np.testing.assert_array_equal(images, IMAGES, strict=True)
    np.testing.assert_array_equal(labels, LABELS, strict=True)
    assert images.flags.c_contiguous
    assert labels.flags.c_contiguous


def test_one_row(tmp_path: Path) -> None:
    images, labels = read_csv(written(tmp_path, rows(LABELS[:1], IMAGES[:1])), "<table>")
    assert (images.shape, labels.tolist()) == ((1, 4, 4), [7])


@pytest.mark.parametrize("header", ["", KAGGLE])
def test_no_labels(tmp_path: Path, header: str) -> None:
    text = header.partition(",")[2] + "".join(
        line.partition(",")[2] for line in rows().splitlines(True)
    )
    assert error_of(written(tmp_path, text)).startswith(
        "<table> has 16 columns of pixels and no labels, as Kaggle's images to predict: give in "
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "<table> has 1 columns: give a label and the pixels of a square grey image"),
        ("\n\n", "<table> has 1 columns"),
        ("1,2,3\n", "<table> has 3 columns: give a label"),
        (rows().replace(",", ";"), "<table> has 1 columns"),
        (KAGGLE, "<table> has no row of pixels"),
        (KAGGLE + "\n \n", "<table> has no row of pixels"),
        (KAGGLE.replace("label", "id") + rows(), "<table> has id for its first column: give the"),
        (rows() + "1,2,3\n", "the number of columns changed from 17 to 3 at row 4"),
        (rows() + rows().replace("255", "256"), "could not convert string '256' to uint8"),
        (rows(images=IMAGES / 255), "is not a CSV file of pixels (could not convert string"),
        (KAGGLE + rows(images=IMAGES[:, :3, :3]), "(the first row has 17 columns, others 10)"),
        (rows() + KAGGLE, "could not convert string 'label' to uint8"),
    ],
)
def test_other_tables(tmp_path: Path, text: str, reason: str) -> None:
    assert reason in error_of(written(tmp_path, text))


def test_no_text_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\xfe" + rows().encode("utf-16-le"))
    assert "is not a CSV file of pixels ('utf-8' codec can't decode" in error_of(tmp_path / "a")
    assert "there is no file <table>" in error_of(tmp_path)


def test_memory_is_that_of_what_is_kept(tmp_path: Path) -> None:
    large = np.tile(IMAGES, (1, 12, 12))
    path = written(tmp_path, 2000 * rows(images=large))
    (images, labels), most = most_resident(lambda: read_csv(path, "<table>"))
    assert len(labels) == 6000
    assert most < images.nbytes + 2**22  # of 14 MB
    np.testing.assert_array_equal(images[-3:], large, strict=True)


def test_mutated_files_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    content = (KAGGLE + rows()).encode()
    draw = random.Random(18)
    refused = 0
    for _ in range(300):
        mutant = bytearray(content)
        for _ in range(draw.choice([1, 2, 8])):
            mutant[draw.randrange(len(mutant))] = draw.choice(
                [*b'\n\r,"0 9-\0e', draw.randrange(256)]
            )
        path = tmp_path / "mutant"
        path.write_bytes(mutant[: draw.choice([len(mutant), draw.randrange(len(mutant))])])
        try:
            images, labels = read_csv(path, "<table>")
        except InvalidFileError:
            refused += 1
        else:
            assert images.size + labels.size <= len(mutant)
    assert 100 < refused < 300
