"""The threads of BLAS, which calls of several threads hold to one."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import TypeVar

import pytest
from threadpoolctl import (
    MKLController,
    OpenBLASController,
    threadpool_info,
    threadpool_limits,
)

from gpucnn.backends.cpu import blas
from gpucnn.backends.cpu.blas import SMALL, OneBlasThread, is_whole

T = TypeVar("T")


def blas_threads() -> int:
    (threads,) = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    return int(threads)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_are_restored_in_whatever_order_calls_end(order: tuple[int, ...]) -> None:
    with threadpool_limits(2, "blas"):
        holds = [OneBlasThread() for _ in range(3)]
        for hold in holds:
            hold.__enter__()
        for number in order:
            assert blas_threads() == 1
            holds[number].__exit__(None, None, None)
        assert blas_threads() == 2


def test_are_one_in_whatever_thread_a_call_is_made() -> None:
    def inside() -> int:
        with OneBlasThread():
            return blas_threads()

    with threadpool_limits(2, "blas"):
        assert [inside(), in_a_thread(inside)] == [1, 1]
        assert blas_threads() == 2


def test_are_restored_by_another_thread_than_the_one_that_set_them() -> None:
    with threadpool_limits(2, "blas"):
        first, last = OneBlasThread(), OneBlasThread()
        first.__enter__()
        in_a_thread(last.__enter__)
        first.__exit__(None, None, None)
        assert blas_threads() == 1
        in_a_thread(lambda: last.__exit__(None, None, None))
        assert blas_threads() == 2


def test_can_be_set_by_any_thread_after_a_call_in_another() -> None:
    def call() -> None:
        with OneBlasThread():
            pass

    with ThreadPoolExecutor(1) as other:
        other.submit(call).result()
        for limit in (1, 2):
            with threadpool_limits(limit, "blas"):
                assert blas_threads() == limit


def in_a_thread(work: Callable[[], T]) -> T:
    """What `work` returns in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_are_restored_after_an_error() -> None:
    with threadpool_limits(2, "blas"):
        with pytest.raises(KeyError), OneBlasThread():
            raise KeyError
        assert blas_threads() == 2


@pytest.mark.parametrize(
    ("version", "is_known"),
    [
        ("0.3.31.188.0", True),
        ("0.3.27", True),
        ("0.3.26.dev", False),
        ("0.4.dev", True),
        ("dev", False),
        (None, False),
    ],
)
def test_split_no_small_product_from_a_version_on(
    monkeypatch: pytest.MonkeyPatch, version: str | None, is_known: bool
) -> None:
    library = object.__new__(OpenBLASController)
    library.version = version
    monkeypatch.setattr(blas, "_libraries", lambda: [library])
    monkeypatch.setattr(blas, "_is_known", blas._is_known.__wrapped__)
    assert is_whole(SMALL) == is_known
    assert not is_whole(SMALL + 1)


def test_of_another_kind_may_split_any_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_libraries", lambda: [object.__new__(MKLController)])
    assert not blas._is_known.__wrapped__()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork beside a thread
def test_do_not_freeze_a_process_that_is_forked_meanwhile() -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with OneBlasThread(), blas._lock:
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    with threadpool_limits(2, "blas"):
        thread.start()
        held.wait(60)
    child = os.fork()
    if child == 0:
        with OneBlasThread():
            inside = blas_threads()
        os._exit(10 * inside + blas_threads())
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 12
