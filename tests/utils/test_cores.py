import multiprocessing

import pytest

from gpucnn.utils.cores import at_most_openmp, available_cores, is_one_of_several


def test_available_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loky.cpu_count", lambda: 5)
    assert available_cores() == 5


@pytest.mark.parametrize(
    ("limit", "cores"),
    [(None, 4), ("1", 1), ("3", 3), ("8,4", 4), ("", 4), ("none", 4), ("0", 4), ("3,2", 3)],
)
def test_at_most_openmp(limit: str | None, cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if limit is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
    assert at_most_openmp(4) == cores


def test_is_one_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    assert not is_one_of_several()
    with monkeypatch.context() as patch:
        patch.setattr(multiprocessing, "parent_process", lambda: object())
        assert is_one_of_several()
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    assert is_one_of_several()
