from pathlib import Path

import pytest

from gpucnn.datasets.photos.folders import Photo
from gpucnn.datasets.photos.split import shuffled, split


def photos(*counts: int) -> list[Photo]:
    """So many photographs of each class."""
    return [
        Photo(Path(), f"{label}/{number}.png", label)
        for label, count in enumerate(counts)
        for number in range(count)
    ]


def counted(of: list[Photo], classes: int) -> list[int]:
    return [sum(photo.label == label for photo in of) for label in range(classes)]


def test_the_order_follows_from_names_and_seed() -> None:
    names = [photo.name for photo in shuffled(photos(3, 2), 0)]
    assert names == ["0/0.png", "0/1.png", "1/1.png", "0/2.png", "1/0.png"]
    assert [photo.name for photo in shuffled(photos(3, 2)[::-1], 0)] == names
    assert [photo.name for photo in shuffled(photos(3, 2), 1)] != names


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.2, [20, 2, 1, 0]), (0.5, [50, 4, 1, 0]), (0.999, [99, 7, 1, 0]), (0, [0, 0, 0, 0])],
)
def test_a_share_of_each_class_is_kept(share: float, expected: list[int]) -> None:
    given = photos(100, 8, 2, 1)
    train, test = split(given, share)
    assert counted(test, 4) == expected
    assert sorted(train + test) == sorted(given)


def test_all_may_be_to_test_with() -> None:
    assert split(photos(3, 1), 1) == ([], photos(3, 1))


def test_others_that_are_added_leave_most_in_their_part() -> None:
    before = {photo.name for photo in split(shuffled(photos(100), 0), 0.2)[1]}
    after = {photo.name for photo in split(shuffled(photos(110), 0), 0.2)[1]}
    assert len(before & after) >= 15
