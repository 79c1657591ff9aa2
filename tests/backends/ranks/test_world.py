import re
import sys
from pathlib import Path

import pytest

from gpucnn.backends.ranks.world import World, check_equal, world
from mpiexec import run_ranks, run_script

SOON = 10.0
"""Seconds in which all ranks end after a fault, besides what they need to start and train."""


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_sums_and_values_of_all_ranks(count: int) -> None:
    outcome = run_script(count, "communicate.py")
    assert (outcome.status, outcome.told) == (0, []), outcome
    told = "rank 1 has another size than rank 0: " if count > 1 else ""
    assert len(outcome.out) == count
    assert all(line.startswith(f"{count}: {told}") for line in outcome.out)


def test_a_single_process() -> None:
    alone = world()
    assert type(alone) is World
    assert (alone.rank, alone.size, alone.gather("a")) == (0, 1, ["a"])
    assert alone.any(True)
    assert not alone.any(False)
    check_equal(alone, {"colour": "red"})
    assert alone.fail("reason", 2)
    with alone.together():
        pass
    assert "mpi4py" not in sys.modules


KILLED = r"(rank 1 was|ranks \[.*1.*\] were) killed, or ended at once: all ranks end"

FAULTS = {
    "killed": KILLED,
    "hard exit": KILLED,
    "error": "rank 1 has ended by KeyError, and so do the others",
    "memory": "rank 1 has ended by MemoryError, and so do the others",
    "exit": r"rank 1 has failed \(SystemExit: 3\): all ranks end",
    "error before": "rank 1 has ended by KeyError, and so do the others",
    "end before": "rank [02] has ended by DeviceError, and so do the others",
    "device": "rank 1 has ended by ",
    "images": "rank 0 has ended by InvalidValueError, and so do the others",
    "seed": "rank 0 has ended by InvalidValueError, and so do the others",
    "weights": "rank 0 has ended by InvalidValueError, and so do the others",
    "version": "rank 0 has ended by InvalidValueError, and so do the others",
    "sharded batches": "rank 0 has ended by InvalidValueError, and so do the others",
    "fewer batches": "rank 0 has ended by InvalidValueError, and so do the others",
    "few images": "rank 0 has ended by InvalidValueError, and so do the others",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_all_ranks_with_a_line(fault: str) -> None:
    outcome = run_script(3, "faults.py", fault)
    assert "trained" not in outcome.out
    (line,) = outcome.told
    assert re.match(f"gpucnn: {FAULTS[fault]}", line)
    if fault != "hard exit":  # of which some launchers do not think much
        assert outcome.status != 0
    assert outcome.seconds < 3 * SOON


@pytest.mark.parametrize("fault", ["killed", "error", "none"])
def test_no_shared_memory_is_left(fault: str) -> None:
    outcome = run_script(2, "faults.py", fault, env={"SHOWS_FILES": "1"})
    files = [Path(line) for line in outcome.out if line.startswith("/dev/shm/mpich_shm")]
    assert files, outcome
    assert not any(file.exists() for file in files)


def test_without_a_fault() -> None:
    outcome = run_script(3, "faults.py", "none")
    assert (outcome.status, outcome.out, outcome.told) == (0, ["trained"] * 3, [])


def test_ranks_that_train_each_by_itself() -> None:
    outcome = run_script(2, "faults.py", "seed", env={"GPUCNN_ALONE": "1"})
    assert (outcome.status, outcome.out, outcome.told) == (0, ["trained"] * 2, [])


def test_ranks_without_mpi4py() -> None:
    hidden = "import sys; sys.modules['mpi4py'] = None; from gpucnn.backends.ranks.world import "
    shown = "world\ntry: world()\nexcept RuntimeError as error: print(f'{error}')"
    outcome = run_ranks(2, sys.executable, "-c", hidden + shown)
    # mpiexec may put a line of one rank into that of another.
    assert "".join(outcome.out).count("pip install 'gpucnn[mpi]'") == 2, outcome


@pytest.mark.parametrize(("case", "error"), [("all", "KeyError"), ("divergence", "TrainingError")])
def test_after_an_error_on_all_ranks_they_train_again(case: str, error: str) -> None:
    outcome = run_script(3, "errors.py", case)
    assert (outcome.status, outcome.told) == (0, []), outcome
    assert [line.partition(":")[0] for line in outcome.out] == [error] * 3 + ["trained"] * 3


def test_after_an_error_on_one_rank_none_trains_again() -> None:
    outcome = run_script(2, "errors.py", "one")
    # The launcher ends rank 0 with rank 1, which may be before it has told of its second loss.
    errors = [line.partition(":")[0] for line in outcome.out]
    assert errors in [["KeyError"] + ["RankLostError"] * count for count in (2, 3)]
    assert outcome.status != 0
    (line,) = outcome.told
    assert line.startswith("gpucnn: rank 1 has failed (KeyError")


def test_ranks_that_come_apart() -> None:
    """One whose callback sets another learning rate has other weights after the next epoch."""
    outcome = run_script(2, "errors.py", "rate")
    assert outcome.status == 0
    assert sorted(line.partition(":")[0] for line in outcome.out) == (
        ["InvalidValueError"] * 2 + ["trained"] * 2
    )


def test_one_thread_trains_at_a_time() -> None:
    outcome = run_script(2, "errors.py", "threads")
    assert [line.partition(":")[0] for line in outcome.out] == (
        ["ModelInUseError"] * 2 + ["trained"] * 2
    )
