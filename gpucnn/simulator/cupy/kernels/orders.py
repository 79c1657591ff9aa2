"""The order of threads in which kernels are launched."""

from collections.abc import Iterator
from contextlib import contextmanager

from gpucnn.simulator.module import Order

_order: list[Order] = ["forward"]


def current_order() -> Order:
    """The order of launches that are made now."""
    return _order[-1]


@contextmanager
def in_order(order: Order) -> Iterator[None]:
    """Launch in another order, of this process's threads all."""
    _order.append(order)
    try:
        yield
    finally:
        _order.pop()
