import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.small_plan import small_data, small_workload
from expect import refusal
from gpucnn.backends import ALONE, Communicator
from gpucnn.backends.ranks.launcher import OWNER
from gpucnn.backends.ranks.world import World
from gpucnn.benchmark import ranks
from gpucnn.benchmark.contenders import DeviceContender, training_task
from gpucnn.benchmark.processes import run_python
from gpucnn.benchmark.ranks import Launch, StepTimes, TimedCommunicator, Times, time_on_ranks
from gpucnn.benchmark.timing import host_seconds
from gpucnn.errors import DeviceError

LAUNCH = Launch("cpu", "notebook", "float32", 2, 1, (32, 64), (4096, 2**18))


@pytest.fixture
def mpi() -> None:
    """The test needs ranks."""
    pytest.importorskip("mpi4py")
    try:
        ranks.find_mpiexec()
    except DeviceError:
        pytest.skip("there is no mpiexec")


# Starting ranks


def test_mpiexec_is_that_beside_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("bin", "elsewhere"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mpiexec").touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr(ranks, "find_spec", lambda name: name)
    monkeypatch.setenv("PATH", str(tmp_path / "elsewhere"))
    assert ranks.find_mpiexec() == str(tmp_path / "bin" / "mpiexec")
    (tmp_path / "bin" / "mpiexec").unlink()
    assert ranks.find_mpiexec() == str(tmp_path / "elsewhere" / "mpiexec")


@pytest.mark.parametrize(("found", "lacking"), [(None, "mpiexec"), ("mpiexec", "mpi4py")])
def test_without_mpi_an_error_tells_what_to_install(
    found: str | None, lacking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "which", lambda name, path: found)
    monkeypatch.setattr(ranks, "find_spec", lambda name: None)
    with refusal(
        f"there is no {lacking} to start ranks with: pip install 'gpucnn[mpi]'", DeviceError
    ):
        ranks.find_mpiexec()


def test_ranks_are_told_nothing_of_other_launchers(monkeypatch: pytest.MonkeyPatch) -> None:
    names = "OMPI_COMM_WORLD_RANK", "PMI_SIZE", "SLURM_PROCID", OWNER, "GPUCNN_ALONE"
    for name in names:
        monkeypatch.setenv(name, "1")
    printed = run_python("-c", f"import os; print([n for n in {names} if n in os.environ])")
    assert printed == "[]\n"


@pytest.mark.usefixtures("mpi")
def test_two_ranks_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUCNN_ALONE", "1")  # which is for those that a user starts
    steps, sums = time_on_ranks(LAUNCH)
    assert len(steps) == len(sums) == 2
    for each in steps:
        assert each.step > 0
        assert 0 < each.exchange <= each.held
    assert min(sums) > 0


@pytest.mark.usefixtures("mpi")
def test_a_rank_that_fails_says_why() -> None:
    launch = Launch("abacus", "notebook", "float32", 2, 1, (32,))
    with pytest.raises(DeviceError, match=r"failed: rank \d: unknown device 'abacus': choose one"):
        time_on_ranks(launch)


# In a rank


class Pair(World):
    """Two ranks, of which the other does what this one does, but slower."""

    @property
    def size(self) -> int:
        return 2

    def gather(self, value: Any) -> list[Any]:
        slower = [each + 1 for each in value] if isinstance(value, list) else value + 1
        return [value, slower]


def test_one_rank_prints_what_it_measures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ranks, "SHORTEST", 0)
    monkeypatch.setattr(ranks, "load_data", small_data)
    monkeypatch.setattr(ranks, "world", World)
    launch = '{"device": "cpu", "model": "notebook", "dtype": "float32", "ranks": 1, "workers": 1,'
    monkeypatch.setattr(sys, "argv", ["", f'{launch} "batch_sizes": [4, 8], "sizes": []}}'])
    ranks.main()
    printed = json.loads(capsys.readouterr().out)
    assert printed["sums"] == []
    ((first, *others), (second, *_)) = printed["steps"]
    assert first > 0
    assert second > 0
    assert others == [0, 0]


def test_the_time_of_several_is_that_of_the_slowest() -> None:
    task = training_task(DeviceContender("cpu", small_workload(), 1).trainer(4))
    assert ranks._together(task, Pair()).clock(lambda: None) > 1


def test_an_all_reduce_in_a_step_counts_by_the_rank_that_waits_least(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ranks, "SHORTEST", 0)
    trainer = DeviceContender("cpu", small_workload(), 1).trainer(4)
    own = trainer.communicator
    monkeypatch.setattr(ranks, "_all_reduces", lambda trainer, task, count: [0.5 * count])
    assert ranks.time_step(trainer, Pair())[1:] == (0.5, 0.5)
    assert trainer.communicator is own


def test_every_all_reduce_of_a_step_is_timed() -> None:
    trainer = DeviceContender("cpu", small_workload(), 1).trainer(4)
    own = trainer.communicator
    seconds = ranks._all_reduces(trainer, training_task(trainer), 3)
    assert len(seconds) == 3
    assert trainer.communicator is own


def test_a_timed_communicator_does_what_the_other_does() -> None:
    class Doubling(Communicator):
        rank, size, calls = 1, 3, 0

        def barrier(self) -> None:
            self.calls += 1

        def all_reduce(self, values: Any, contributors: int) -> None:
            values *= contributors

        def broadcast(self, values: Any) -> None:
            values[:] = 7

    other = Doubling()
    timed = TimedCommunicator(other, host_seconds)
    values = np.ones(2)
    timed.all_reduce(values, 2)
    assert values.tolist() == [2, 2]
    timed.broadcast(values)
    timed.barrier()
    assert (values.tolist(), other.calls, timed.rank, timed.size) == ([7, 7], 1, 1, 3)
    assert len(timed.seconds) == 1
    assert not TimedCommunicator(ALONE, host_seconds).can_record


def test_times_are_read_as_they_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "find_mpiexec", lambda: "mpiexec")
    given: dict[str, Any] = {}

    def run_python(*arguments: str, launcher: Any) -> str:
        given.update(launcher=launcher, launch=Launch(**json.loads(arguments[-1])))
        return '{"steps": [[1.0, 2.0, 3.0]], "sums": [4.0]}'

    monkeypatch.setattr(ranks, "run_python", run_python)
    assert time_on_ranks(LAUNCH) == Times([StepTimes(1, 2, 3)], [4])
    assert given["launcher"] == ["mpiexec", "-n", "2"]
    assert given["launch"].batch_sizes == [32, 64]
