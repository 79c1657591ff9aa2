"""The figures that the notebook printed, and their computation by `gpucnn.notebook`."""

from dataclasses import dataclass

from gpucnn.datasets import load_mnist
from gpucnn.notebook.functions import (
    evaluate,
    forward_prop,
    gradient_descent,
    initialize_parameters,
    normalize_images,
)

# As the notebook printed them: accuracy in per cent, average loss.
FORWARD = ("15.00", "2.31577")
EPOCHS = (
    ("17.00", "2.30219"),
    ("41.00", "2.10387"),
    ("58.00", "1.94948"),
    ("75.00", "1.79744"),
    ("80.00", "1.64556"),
    ("83.00", "1.48968"),
)
FORWARD_IMAGES = 20
TRAINING_IMAGES = 100
LEARNING_RATE = 0.1


@dataclass(frozen=True)
class Row:
    """Two figures of the notebook, accuracy in per cent and average loss, and those computed here.

    Attributes:
        what: the images and the epochs.
        published: as the notebook printed them.
        computed: as computed here, with as many digits.
    """

    what: str
    published: tuple[str, str]
    computed: tuple[str, str]

    @property
    def agreeing(self) -> int:
        """The number of the two figures that agree to the printed digit."""
        return sum(a == b for a, b in zip(self.published, self.computed, strict=True))


def reproduce() -> list[Row]:
    """Compute the notebook's fourteen figures from the embedded MNIST."""
    (images, labels), _ = load_mnist()
    few = normalize_images(images[:FORWARD_IMAGES])
    out, _ = forward_prop(few, *initialize_parameters())
    forward = evaluate(out, labels[:FORWARD_IMAGES])
    rows = [_row(f"{FORWARD_IMAGES} images, forward", FORWARD, *forward)]

    x, y = normalize_images(images[:TRAINING_IMAGES]), labels[:TRAINING_IMAGES]
    epochs = gradient_descent(x, y, initialize_parameters(), len(EPOCHS) - 1, LEARNING_RATE)
    for number, (published, state) in enumerate(zip(EPOCHS, epochs, strict=True)):
        what = f"{TRAINING_IMAGES} images, epochs: {number}"
        rows.append(_row(what, published, *state[2:]))
    return rows


def _row(what: str, published: tuple[str, str], accuracy: float, loss: float) -> Row:
    return Row(what, published, (f"{accuracy:.2f}", f"{loss:.5f}"))
