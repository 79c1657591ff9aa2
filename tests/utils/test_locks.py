"""Locks by which a model can be used from several threads."""

import os
import pickle
import threading
import time

import pytest

from expect import refusal
from gpucnn.errors import ModelInUseError
from gpucnn.utils.locks import ModelLock


def test_excludes_other_threads() -> None:
    lock, inside, most = ModelLock("mine"), [], []

    def work() -> None:
        for _ in range(50):
            with lock.claim():
                inside.append(1)
                time.sleep(1e-5)  # in which others would come in
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(most) == {1}
    assert len(most) == 200


def test_refuses_its_own_thread_in_one_line() -> None:
    lock = ModelLock("it is mine: wait")
    with lock.claim(), refusal("it is mine: wait", ModelInUseError):
        lock.claim()
    with lock.claim():  # it is free again
        pass


def test_tells_whose_it_is() -> None:
    lock, seen = ModelLock("mine"), []

    def look() -> None:
        seen.append((lock.is_mine, lock.is_anothers))

    look()
    with lock.owned():
        look()
        thread = threading.Thread(target=look)
        thread.start()
        thread.join(60)
    look()
    assert seen == [(False, False), (True, False), (False, True), (False, False)]


def test_is_a_new_one_where_it_is_unpickled() -> None:
    lock = ModelLock("mine")
    with lock.claim():
        other = pickle.loads(pickle.dumps(lock))
    with other.claim(), refusal("mine", ModelInUseError):
        other.claim()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork beside a thread
def test_is_free_in_a_process_that_is_forked_while_another_thread_holds_it() -> None:
    lock, held, done = ModelLock("mine"), threading.Event(), threading.Event()

    def hold() -> None:
        with lock.owned():
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    child = os.fork()
    if child == 0:
        with lock.claim():
            os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert lock.is_anothers
    done.set()
    thread.join(60)
