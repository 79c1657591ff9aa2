"""Keeping photographs of each class for testing, chosen by name, so the same on each machine."""

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256

from gpucnn.datasets.photos.folders import Photo


def shuffled(photos: Sequence[Photo], seed: int) -> list[Photo]:
    """Photographs in an order that follows from their names and a seed, classes mixed."""
    return sorted(photos, key=lambda photo: sha256(f"{seed}/{photo.name}".encode()).digest())


def split(photos: Sequence[Photo], share: float) -> tuple[list[Photo], list[Photo]]:
    """The photographs to train on, and the first of each class, a share of it, to test with.

    If the share is neither 0 nor 1, at least one of a class is to train on and, if there are more,
    at least one to test.
    """
    of_class: dict[int, int] = defaultdict(int)
    for photo in photos:
        of_class[photo.label] += 1
    kept = {label: _tested(count, share) for label, count in of_class.items()}
    train: list[Photo] = []
    test: list[Photo] = []
    for photo in photos:
        kept[photo.label] -= 1
        (test if kept[photo.label] >= 0 else train).append(photo)
    return train, test


def _tested(count: int, share: float) -> int:
    if share in (0, 1):
        return int(share) * count
    return min(max(round(share * count), 1), count - 1)
