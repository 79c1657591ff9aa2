"""What Hypothesis draws for the tests of the backends."""

from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from gpucnn.backends import Window

SETTINGS = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], print_blob=True)

seeds = st.integers(0, 2**32 - 1)
batches = st.integers(1, 3)
channels = st.integers(1, 4)
filters = st.integers(1, 8)


@dataclass(frozen=True)
class Sizes:
    """The sizes that the arguments of an operation are made of."""

    images: int
    window: Window
    channels: int
    filters: int


@st.composite
def windows(draw: st.DrawFn, largest: int = 9) -> Window:
    """Windows that fit their image, of up to `largest` pixels a side, or are padded."""
    padding = draw(st.sampled_from(["valid", "same"]))
    image = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    fits = image if padding == "valid" else (5, 5)
    size = draw(st.integers(1, min(5, fits[0]))), draw(st.integers(1, min(5, fits[1])))
    strides = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    return Window(image, size, strides, "same" if padding == "same" else "valid")


def sizes(largest: int = 9) -> st.SearchStrategy[Sizes]:
    return st.builds(
        Sizes,
        images=batches,
        window=windows(largest),
        channels=channels,
        filters=filters,
    )
