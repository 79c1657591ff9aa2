"""What Hypothesis draws for the tests of the backends."""

from dataclasses import dataclass

from hypothesis import strategies as st

from gpucnn.backends import Window

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
def windows(draw: st.DrawFn, largest: int = 9, most_dilation: int = 3) -> Window:
    """Windows that fit their image, of up to `largest` pixels a side, or are padded.

    Where strides are 1, their elements are up to `most_dilation` pixels apart.
    """
    padding = draw(st.sampled_from(["valid", "same"]))
    image = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    fits = image if padding == "valid" else (5, 5)
    size = draw(st.integers(1, min(5, fits[0]))), draw(st.integers(1, min(5, fits[1])))
    strides = draw(st.integers(1, 3)), draw(st.integers(1, 3))

    def dilation(axis: int) -> int:
        gaps = size[axis] - 1
        fitting = (image[axis] - 1) // gaps if padding == "valid" and gaps else most_dilation
        most = 1 if strides[axis] > 1 else min(fitting, most_dilation)
        return draw(st.integers(1, most))

    return Window(
        image,
        size,
        strides,
        "same" if padding == "same" else "valid",
        (dilation(0), dilation(1)),
    )


def layer_sizes(largest: int) -> st.SearchStrategy[Sizes]:
    """Sizes with windows as layers take them, with strides or with dilation."""
    return sizes(largest).filter(
        lambda each: 1 in (max(each.window.strides), max(each.window.dilation))
    )


def sizes(largest: int = 9) -> st.SearchStrategy[Sizes]:
    return st.builds(
        Sizes,
        images=batches,
        window=windows(largest),
        channels=channels,
        filters=filters,
    )
