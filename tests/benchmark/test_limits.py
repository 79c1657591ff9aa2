from typing import Any

import numpy as np
import pytest

from gpucnn.backends import Backend, CpuBackend
from gpucnn.benchmark import limits
from gpucnn.benchmark.limits import measure_limits

COPIED = 2**16


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "COPIED", COPIED)
    monkeypatch.setattr(limits, "SIZES", (16, 32, 64))


class Noted(CpuBackend):
    """A backend that notes the sizes of products and copies."""

    def __init__(self) -> None:
        super().__init__(threads=1)
        self.products: list[int] = []
        self.copies: list[int] = []

    def matmul(self, a: Any, b: Any, out: Any, **options: Any) -> None:
        self.products.append(len(a))
        super().matmul(a, b, out, **options)

    def copy(self, source: Any, out: Any) -> None:
        self.copies.append(source.nbytes)
        super().copy(source, out)


def clock_of_seconds(*seconds: float) -> Any:
    """A clock that does the work and says it took these, in order, and the last ever after."""
    left = list(seconds)

    def clock(work: Any) -> float:
        work()
        return left.pop(0) if len(left) > 1 else left[0]

    return lambda backend: clock


def test_the_product_is_the_first_that_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "clock_of", clock_of_seconds(*[0.001] * 5, 0.5))
    backend = Noted()
    measured = measure_limits(backend, "float32")
    assert backend.products == [16] * 6 + [32] * 6
    assert measured.flops == 2 * 32**3 / 0.5


def test_the_largest_product_has_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "clock_of", clock_of_seconds(0.001))
    assert measure_limits(Noted(), "float32").flops == 2 * 64**3 / 0.001


def test_the_best_of_several_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "clock_of", clock_of_seconds(2, 2, 1, 2, 2, 4, 4, 3, 4, 4))
    measured = measure_limits(Noted(), "float32")
    assert measured.flops == 2 * 16**3 / 1
    assert measured.bandwidth == 2 * COPIED / 3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_as_many_bytes_are_copied_in_either_dtype(dtype: str) -> None:
    backend = Noted()
    measured = measure_limits(backend, dtype)
    assert set(backend.copies) == {COPIED}
    assert measured.subject == "cpu"
    assert measured.flops > 0
    assert measured.bandwidth > 0


def test_products_run_in_a_session() -> None:
    seen = []

    class Watched(Backend):
        device = "watched"

        def matmul(self, *arrays: Any, **options: Any) -> None:
            seen.append(np.geterr()["over"])

    measure_limits(Watched(), "float32")
    assert set(seen) == {"ignore"}
