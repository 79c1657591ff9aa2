"""Memory in huge pages."""

import mmap
from collections.abc import Callable

import numpy as np
import pytest

from gpucnn.backends import Array
from gpucnn.backends.crew import CAN_FORK, Crew, shared
from gpucnn.backends.pages import PAGE, WIPE_ON_FORK, HugePages


def place(array: Array) -> int:
    return int(array.ctypes.data)


@pytest.fixture
def pages() -> HugePages:
    return HugePages()


def test_is_zeros_that_can_be_written(pages: HugePages) -> None:
    memory = pages.allocate(100)
    assert memory.dtype == np.uint8
    assert memory.tolist() == [0] * 100
    memory.fill(1)


def test_nothing(pages: HugePages) -> None:
    assert pages.allocate(0).shape == (0,)


def test_pieces_lie_side_by_side_on_lines_of_the_cache(pages: HugePages) -> None:
    first, second = pages.allocate(100), pages.allocate(10)
    assert place(second) - place(first) == 128


def test_pieces_do_not_overlap(pages: HugePages) -> None:
    pieces = [pages.allocate(size) for size in (100, 2 * PAGE + 1, PAGE - 100, 100)]
    for index, piece in enumerate(pieces):
        piece.fill(index)
    assert [set(piece.tolist()) for piece in pieces] == [{0}, {1}, {2}, {3}]


def test_a_large_piece_has_pages_of_its_own(pages: HugePages) -> None:
    first, _, second = (pages.allocate(size) for size in (100, PAGE, 100))
    assert place(second) - place(first) == 128


@pytest.mark.parametrize("allocate", [HugePages().allocate, lambda size: shared((size,), "uint8")])
def test_more_than_there_is(allocate: Callable[[int], Array]) -> None:
    with pytest.raises(MemoryError):
        allocate(2**60)


@pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="of Linux")
def test_begins_at_a_huge_page(pages: HugePages) -> None:
    assert place(pages.allocate(1)) % PAGE == 0


def can_wipe() -> bool:
    """Whether the system can, as Linux does since 4.14."""
    try:
        mmap.mmap(-1, PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).madvise(WIPE_ON_FORK)
    except (AttributeError, OSError):
        return False
    return CAN_FORK


@pytest.mark.skipif(not can_wipe(), reason="memory cannot be wiped here")
def test_a_forked_process_finds_zeros(pages: HugePages) -> None:
    memory, seen, crew = pages.allocate(100), shared((100,), "uint8"), Crew()
    memory.fill(1)
    with crew.gather(2):
        crew.run([lambda: memory.fill(2), lambda: np.copyto(seen, memory)])
    assert memory.tolist() == [2] * 100
    assert seen.tolist() == [0] * 100


def test_without_huge_pages(pages: HugePages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    assert pages.allocate(PAGE + 1).tolist() == [0] * (PAGE + 1)


def test_a_system_that_refuses(pages: HugePages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpucnn.backends.pages.WIPE_ON_FORK", -1)
    assert pages.allocate(100).tolist() == [0] * 100
