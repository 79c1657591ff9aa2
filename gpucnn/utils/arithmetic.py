"""Integer arithmetic."""


def ceil_div(count: int, size: int) -> int:
    """The quotient of two whole numbers, rounded up: the groups of `size` that hold `count`."""
    return -(-count // size)
