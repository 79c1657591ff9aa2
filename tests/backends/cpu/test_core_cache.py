"""A core's own cache, as stand-ins for Linux's files tell it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gpucnn.backends.cpu import core_cache
from gpucnn.backends.cpu.core_cache import USUAL


@pytest.fixture(autouse=True)
def _read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(core_cache, "CPUS", tmp_path)
    core_cache.core_cache.cache_clear()
    yield
    core_cache.core_cache.cache_clear()


def write(cpus: Path, cpu: str, index: int, level: str, size: str, sharing: str) -> None:
    folder = cpus / cpu / "cache" / f"index{index}"
    folder.mkdir(parents=True)
    for name, text in [("level", level), ("size", size), ("shared_cpu_map", sharing)]:
        (folder / name).write_text(text + "\n")


def test_the_second_level_counts(tmp_path: Path) -> None:
    for index, level, size in [
        (0, "1", "48K"),
        (1, "1", "32K"),
        (2, "2", "2048K"),
        (3, "3", "32M"),
    ]:
        write(tmp_path, "cpu0", index, level, size, "1")
    assert core_cache.core_cache() == 2**21


@pytest.mark.parametrize(
    ("sharing", "size"), [("3", 2**19), ("00000001,00000001", 2**19), ("f", 2**18)]
)
def test_processors_that_share_a_cache_have_parts_of_it(
    sharing: str, size: int, tmp_path: Path
) -> None:
    write(tmp_path, "cpu0", 2, "2", "1024K", sharing)
    assert core_cache.core_cache() == size


def test_of_different_cores_the_least_counts(tmp_path: Path) -> None:
    write(tmp_path, "cpu0", 2, "2", "2048K", "1")
    write(tmp_path, "cpu10", 2, "2", "512K", "400")
    assert core_cache.core_cache() == 2**19


@pytest.mark.parametrize(
    ("level", "size", "sharing"),
    [("3", "512K", "1"), ("2", "", "1"), ("2", "0K", "1"), ("2", "512K", "0"), ("2", "512K", "?")],
)
def test_what_is_not_told_is_the_usual(level: str, size: str, sharing: str, tmp_path: Path) -> None:
    write(tmp_path, "cpu0", 2, level, size, sharing)
    assert core_cache.core_cache() == USUAL


def test_systems_without_these_files_have_the_usual() -> None:
    assert core_cache.core_cache() == USUAL
