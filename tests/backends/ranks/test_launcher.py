import os
from collections.abc import Iterator

import pytest

import gpucnn
from expect import refusal
from gpucnn.backends.ranks import launcher
from gpucnn.backends.ranks.launcher import OWNER, VARIABLES, Place, cores_of_one, gpus_of_one, place

OPEN_MPI, HYDRA, SLURM = VARIABLES


@pytest.fixture(autouse=True)
def without_launcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (*OPEN_MPI, *HYDRA, *SLURM, OWNER, launcher.ALONE):
        monkeypatch.delenv(name, raising=False)
    yield
    os.environ.pop(OWNER, None)


def launched(monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], *values: object) -> None:
    for name, value in zip(names, values, strict=True):
        monkeypatch.setenv(name, str(value))


def test_no_launcher() -> None:
    assert place() == Place(0, 1, 0, 1)
    assert (gpucnn.rank(), gpucnn.world_size()) == (0, 1)
    assert OWNER not in os.environ


@pytest.mark.parametrize("names", VARIABLES, ids=["Open MPI", "Hydra", "Slurm"])
def test_each_launcher(monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
    launched(monkeypatch, names, 5, 8, 1, 4)
    assert place() == Place(5, 8, 1, 4)
    assert (gpucnn.rank(), gpucnn.world_size()) == (5, 8)


def test_mpiexec_within_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slurm has then started a process for each machine, which starts the ranks."""
    launched(monkeypatch, SLURM, 1, 2, 0, "1(x2)")
    launched(monkeypatch, HYDRA, 5, 8, 1, 4)
    assert place() == Place(5, 8, 1, 4)


def test_machines_with_as_many_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    launched(monkeypatch, SLURM, 3, 8, 3, "4(x2)")
    assert place().local_size == 4


def test_the_shell_of_a_batch_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slurm tells it how many tasks it may start, but it is no task."""
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_NTASKS", "4")
    assert place().size == 1


def test_processes_without_the_descriptor_of_the_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    launched(monkeypatch, HYDRA, 1, 2, 1, 2)
    reading, writing = os.pipe()
    monkeypatch.setenv("PMI_FD", str(reading))
    assert place().size == 2
    monkeypatch.delenv(OWNER)
    os.close(reading)
    os.close(writing)
    assert place().size == 1


def test_processes_that_a_rank_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    launched(monkeypatch, HYDRA, 1, 2, 1, 2)
    monkeypatch.setenv(OWNER, str(os.getppid()))
    assert place().size == 1


def test_ranks_that_train_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    launched(monkeypatch, HYDRA, 1, 2, 1, 2)
    monkeypatch.setenv(launcher.ALONE, "1")
    assert place() == Place(0, 1, 1, 2)  # with a share of the machine
    monkeypatch.setenv(launcher.ALONE, "0")
    assert place().size == 2


def test_what_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    launched(monkeypatch, HYDRA, 1, "many", 1, 2)
    told = "PMI_SIZE is 'many', which is no number: start the program by mpiexec or srun"
    with refusal(f"the environment variable {told}, or set GPUCNN_ALONE=1"):
        place()


def test_what_is_no_number_is_no_matter_to_those_that_train_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    launched(monkeypatch, HYDRA, 1, "many", 1, 2)
    monkeypatch.setenv(launcher.ALONE, "1")
    assert place() == Place()


def test_ranks_share_the_cores_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cores_of_one(8) == 8
    launched(monkeypatch, HYDRA, 1, 6, 1, 3)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert cores_of_one(8) == 2
    assert cores_of_one(2) == 1


def test_ranks_that_are_bound_keep_their_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    launched(monkeypatch, HYDRA, 1, 2, 1, 2)
    mine, all_of_them = {0, 1}, {0, 1, 2, 3}
    monkeypatch.setattr(
        os, "sched_getaffinity", lambda pid: mine if pid == 0 else all_of_them, raising=False
    )
    assert cores_of_one(2) == 2


@pytest.mark.parametrize(
    ("count", "local_rank", "local_size", "gpus"),
    [(4, 1, 4, [1]), (4, 1, 2, [1, 3]), (1, 1, 2, [0]), (2, 3, 4, [1])],
)
def test_ranks_share_the_gpus_of_a_machine(
    monkeypatch: pytest.MonkeyPatch, count: int, local_rank: int, local_size: int, gpus: list[int]
) -> None:
    assert gpus_of_one(count) == list(range(count))
    launched(monkeypatch, HYDRA, local_rank, local_size, local_rank, local_size)
    assert gpus_of_one(count) == gpus
