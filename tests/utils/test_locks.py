import errno
import os
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import filelock
import pytest

from expect import refusal
from gpucnn.errors import ModelInUseError
from gpucnn.utils.locks import ModelLock, exclusive_lock, shared_lock

# Of a model, between threads


def test_excludes_other_threads() -> None:
    lock, inside, most = ModelLock("mine"), [], []

    def work() -> None:
        for _ in range(50):
            with lock.claim():
                inside.append(1)
                time.sleep(1e-5)  # time for others to enter
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
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # about forking with threads
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


# Of a folder, between processes

posix = pytest.mark.skipif(os.name != "posix", reason="signals and locks of POSIX")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".lock"


def test_an_exclusive_lock_has_one_holder(file: Path) -> None:
    with (
        exclusive_lock(file, timeout=0),
        pytest.raises(TimeoutError),
        exclusive_lock(file, timeout=0.1),
    ):
        pass
    with exclusive_lock(file, timeout=0):
        pass


def test_an_exclusive_lock_is_released_after_an_error(file: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive_lock(file, timeout=0):
        raise ZeroDivisionError
    with exclusive_lock(file, timeout=0):
        pass


@posix
def test_an_exclusive_lock_is_free_when_its_process_is_killed(file: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from gpucnn.utils.locks import exclusive_lock
with exclusive_lock(Path(sys.argv[1]), 0):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code, str(file)]).returncode == -9
    assert file.exists()
    with exclusive_lock(file, timeout=0):
        pass


def test_an_exclusive_lock_takes_a_folder_that_can_be_written(file: Path) -> None:
    file.touch()
    with pytest.raises(OSError, match="lock"), exclusive_lock(file / "lock", 0):
        pass


def test_an_exclusive_lock_takes_a_file_system_with_locks(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object) -> NoReturn:
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(filelock.FileLock, "_acquire", refuse)
    with pytest.raises(OSError, match="support flock"), exclusive_lock(file, 0):
        pass


@posix
def test_a_shared_lock_has_several_holders_and_tells_the_first(file: Path) -> None:
    alone: list[str] = []
    with (
        shared_lock(file, lambda: alone.append("first")),
        shared_lock(file, lambda: alone.append("second")),
    ):
        pass
    with shared_lock(file, lambda: alone.append("third")):
        pass
    assert alone == ["first", "third"]


@posix
def test_a_shared_lock_does_without_locks(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    alone: list[str] = []
    with shared_lock(file, lambda: alone.append("first")):
        assert file.exists()
    assert alone == []
