import os
import sys

import pytest

from backends.cuda.fake_cupy import FakeCupy
from gpucnn.backends.cuda import cupy_runtime
from gpucnn.backends.ranks.launcher import ALONE, OWNER
from gpucnn.commands.sweeps import Slot, find_slots, slots
from gpucnn.errors import DeviceError, InvalidValueError


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "usable_cores", lambda: 8)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four GPUs, all of which can be used."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setitem(sys.modules, "cupy", FakeCupy())
    monkeypatch.setattr(cupy_runtime, "count_gpus", lambda _: 4)
    monkeypatch.setattr(slots, "_usable", list)


def as_rank(monkeypatch: pytest.MonkeyPatch, local_rank: int, local_size: int) -> None:
    monkeypatch.setenv(OWNER, str(os.getpid()))
    values = {"RANK": local_rank, "SIZE": local_size}
    for name, value in values.items():
        monkeypatch.setenv(f"OMPI_COMM_WORLD_{name}", str(value))
        monkeypatch.setenv(f"OMPI_COMM_WORLD_LOCAL_{name}", str(value))


def visible(found: list[Slot]) -> list[str | None]:
    return [slot.visible for slot in found]


@pytest.mark.usefixtures("cores")
class TestCpu:
    def test_a_training_of_one_worker_for_each_core(self) -> None:
        assert find_slots("cpu") == [Slot("cpu", 1)] * 8

    def test_fewer_with_more_workers(self) -> None:
        assert find_slots("cpu", threads=3) == [Slot("cpu", 3)] * 2
        assert find_slots("cpu", threads=16) == [Slot("cpu", 16)]

    def test_as_many_as_are_asked_for(self) -> None:
        assert find_slots("cpu", jobs=3) == [Slot("cpu", 1)] * 3
        assert find_slots("cpu", jobs=3, threads=2) == [Slot("cpu", 2)] * 3

    @pytest.mark.parametrize("jobs", [0, -1, 10**9])
    def test_a_number_of_jobs_that_cannot_be(self, jobs: int) -> None:
        with pytest.raises(InvalidValueError, match=f"^jobs is {jobs}: it must be a whole number"):
            find_slots("cpu", jobs=jobs)

    def test_the_simulator_has_no_workers(self) -> None:
        assert find_slots("simulator", jobs=2) == [Slot("simulator")] * 2
        with pytest.raises(InvalidValueError, match="only the CPU has workers"):
            find_slots("simulator", threads=2)

    def test_auto_takes_it_where_there_is_no_gpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "cupy", None)
        assert find_slots() == [Slot("cpu", 1)] * 8


@pytest.mark.usefixtures("gpus")
class TestGpus:
    @pytest.mark.parametrize("device", ["auto", "cuda"])
    def test_all_have_a_training_each(self, device: str) -> None:
        found = find_slots(device)
        assert {slot[:2] for slot in found} == {("cuda", None)}
        assert visible(found) == ["0", "1", "2", "3"]

    def test_one_by_its_number(self) -> None:
        assert visible(find_slots("cuda:2")) == ["2"]

    def test_those_that_this_process_sees(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,GPU-5e,3,1")
        assert visible(find_slots()) == ["7", "GPU-5e", "3", "1"]
        assert visible(find_slots("cuda:1")) == ["GPU-5e"]
        assert visible(find_slots("cuda:4")) == [""]  # where no GPU can be used

    @pytest.mark.parametrize(
        ("local_rank", "local_size", "expected"),
        [(0, 2, ["0", "2"]), (1, 2, ["1", "3"]), (3, 4, ["3"]), (5, 6, ["1"])],
    )
    def test_ranks_divide_them(
        self, monkeypatch: pytest.MonkeyPatch, local_rank: int, local_size: int, expected: list[str]
    ) -> None:
        as_rank(monkeypatch, local_rank, local_size)
        assert visible(find_slots()) == expected

    @pytest.mark.parametrize("option", ["jobs", "threads"])
    def test_they_have_no_jobs_and_workers(self, option: str) -> None:
        with pytest.raises(InvalidValueError, match=f"{option} is 2, but this runs on GPUs"):
            find_slots(**{option: 2})  # type: ignore[arg-type]


def test_a_gpu_that_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    for device in ("cuda", "cuda:1"):
        with pytest.raises(DeviceError, match="CuPy is not installed"):
            find_slots(device)


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="unknown device 'abacus'"):
        find_slots("abacus")


def test_gpus_are_tried_in_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import os, sys; sys.exit(os.environ['CUDA_VISIBLE_DEVICES'] == '1')"
    monkeypatch.setattr(slots, "TRIAL", program)
    tried = [Slot("cuda", visible=name) for name in "012"]
    assert visible(slots._usable(tried)) == ["0", "2"]


def test_what_trains_is_no_rank_and_sees_its_gpu_alone() -> None:
    environment = Slot("cuda", visible="3").environment
    assert environment[ALONE] == "1"
    assert environment["CUDA_VISIBLE_DEVICES"] == "3"
    assert environment["PATH"] == os.environ["PATH"]
