import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

from gpucnn.simulator import LaunchError, Order, library
from simulator.sources import kernel, zeros

ORDERS: list[Order] = ["forward", "reversed", 1]
WORK = np.int32(5000)  # of which a thread has enough for others to be woken


def let_use(cores: int, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(library, "is_one_of_several", lambda: False)
    patch.setattr(library, "at_most_openmp", lambda _: cores)


def launch(name: str, grid: int, *arguments: Any, order: Order = "forward") -> None:
    kernel("workers", name, order, checked=False)((grid,), (32,), arguments)


def meet() -> None:
    met = zeros(2)
    launch("meet", 2, zeros(2), met, zeros(64, np.float32), WORK)
    assert met.all()


def test_blocks_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    let_use(2, monkeypatch)
    meet()


def in_turn(order: Order) -> list[bytes]:
    out = [zeros(1), zeros(40 * 32), zeros(1, np.float32), zeros(1, np.float32)]
    launch("in_turn", 40, *out, zeros(40, np.float32), WORK, order=order)
    assert out[0] == 40 * 32
    return [each.tobytes() for each in out]


@pytest.mark.parametrize("order", ORDERS)
def test_results_do_not_depend_on_the_number_of_workers(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for cores in (1, 2, 5):
        let_use(cores, monkeypatch)
        results.append(in_turn(order))
    assert results[0] == results[1] == results[2]


def test_blocks_print_in_order(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    let_use(3, monkeypatch)
    launch("say", 20, zeros(20, np.float32), WORK)
    expected = [f"{block} {thread}" for block in range(20) for thread in range(32)]
    assert capfd.readouterr().out.splitlines() == expected


@pytest.mark.parametrize("order", ["forward", "reversed"])
def test_first_fault_is_reported(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    let_use(4, monkeypatch)
    block = 13 if order == "forward" else 28
    for _ in range(5):
        with pytest.raises(LaunchError, match=rf"^trap_in, block \({block}, 0, 0\): thread"):
            launch(
                "trap_in", 31, np.int32(13), np.int32(3), zeros(31, np.float32), WORK, order=order
            )


def test_fault_ends_the_blocks_that_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    let_use(4, monkeypatch)
    with pytest.raises(LaunchError, match=r"block \(7, 0, 0\): thread \(31, 0, 0\)"):
        launch("trap_before_spinning", 30, zeros(32, np.float32), WORK)
    meet()


def test_blocks_that_follow_a_fault_change_nothing_atomically(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_use(4, monkeypatch)
    for _ in range(100):
        count = zeros(1)
        with pytest.raises(LaunchError, match=r"block \(5, 0, 0\)"):
            launch("fail_before_turns", 30, count, zeros(30, np.float32), WORK)
        assert count[0] == 5 * 32


def test_blocks_that_fail_while_they_are_stopped_leave_python_alive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_use(4, monkeypatch)
    for later in range(0, 10000, 20):
        steps = np.int32(10000), np.int32(later)
        with pytest.raises(
            LaunchError, match=r"block \(0, 0, 0\): thread \(31, 0, 0\) uses a null"
        ):
            launch("fail_at_once", 30, None, zeros(960, np.float32), *steps)


def test_all_workers_are_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    let_use(3, monkeypatch)
    arrived = zeros(4)

    def interrupt() -> None:
        while not arrived[:3].all():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt, match=r"^spin, block .* was interrupted at workers.cu"):
        launch("spin", 3, arrived, zeros(96, np.float32), WORK)
    interrupter.join()
    meet()


def test_fork_has_workers_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    let_use(2, monkeypatch)
    meet()
    child = os.fork()
    if child == 0:
        try:
            meet()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    meet()


def test_launches_of_several_host_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    let_use(2, monkeypatch)
    expected, results = in_turn("forward"), []
    threads = [
        threading.Thread(target=lambda: results.append(in_turn("forward"))) for _ in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert results == [expected] * 4


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "PYTEST_XDIST_WORKER"])
def test_one_worker_where_others_use_the_cores(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count() -> int:
        return kernel("workers", "say", checked=False)._library._worker_count(2)

    monkeypatch.setattr(library, "_cores", lambda: 3)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    assert count() == 3
    monkeypatch.setenv(variable, "1")
    assert count() == 1
