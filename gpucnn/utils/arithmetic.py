"""Arithmetic of whole numbers."""


def ceil_div(count: int, size: int) -> int:
    """The number of groups of `size` that hold `count`: their quotient, rounded up."""
    return -(-count // size)
