"""How tables show the spread of times."""

from gpucnn.benchmark.timing import quartiles


def spread(seconds: list[float]) -> str:
    """The interquartile range, relative to the median."""
    low, middle, high = quartiles(seconds)
    return f"{(high - low) / middle:.1%}"
