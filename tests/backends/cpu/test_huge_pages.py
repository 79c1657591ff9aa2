"""Memory in huge pages."""

import mmap
import os

import numpy as np
import pytest

from gpucnn.backends import Array
from gpucnn.backends.cpu.huge_pages import PAGE, HugePages


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


def test_more_than_there_is(pages: HugePages) -> None:
    with pytest.raises(MemoryError):
        pages.allocate(2**60)


@pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="of Linux")
def test_begins_at_a_huge_page(pages: HugePages) -> None:
    assert place(pages.allocate(1)) % PAGE == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
def test_a_forked_process_finds_what_was_there(pages: HugePages) -> None:
    memory = pages.allocate(100)
    memory.fill(7)
    child = os.fork()
    if child == 0:
        os._exit(int(memory.sum()) == 700)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def test_without_huge_pages(pages: HugePages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    assert pages.allocate(PAGE + 1).tolist() == [0] * (PAGE + 1)


def test_a_system_that_refuses(pages: HugePages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmap, "MADV_HUGEPAGE", -1)
    assert pages.allocate(100).tolist() == [0] * 100
