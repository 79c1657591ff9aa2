"""The table of `gpucnn evaluate`: how well a model recognises each class."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpucnn.commands.terminal import new_table, print_table
from gpucnn.errors import printable

MOST = 30
"""Of more classes, so many are shown: those that are recognised worst."""


def print_classes(
    names: Sequence[str], labels: NDArray[np.integer], predicted: NDArray[np.integer]
) -> None:
    """Print a line for each class that has images, in the order of their numbers.

    Args:
        names: of the classes.
        labels: the true class of each image, (n,).
        predicted: the class that each is taken for, (n,).
    """
    classes = len(names)
    pairs = labels.astype(np.int64) * classes + predicted  # bytes would wrap around
    counts = np.bincount(pairs, minlength=classes**2)
    counts = counts.reshape(classes, classes)
    totals, right = counts.sum(axis=1), counts.diagonal()
    shares = right / np.maximum(totals, 1)
    mistaken = counts - np.diag(right)
    (shown,) = np.nonzero(totals)
    if len(shown) > MOST:
        shown = shown[np.argsort(shares[shown], kind="stable")[:MOST]]
        print(f"the {MOST} of {np.count_nonzero(totals)} classes that are recognised worst")
    table = new_table("class", numbers=("images", "correct", "", "most often taken for", ""))
    for each in shown.tolist():
        other = int(mistaken[each].argmax())
        taken = mistaken[each, other]
        instead = (printable(names[other], 30), f"{taken:,}") if taken else ("", "")
        name, correct = printable(names[each], 30), f"{right[each]:,}"
        table.add_row(name, f"{totals[each]:,}", correct, f"{shares[each]:.1%}", *instead)
    print_table(table)
