import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gpucnn.backends.backend import KERNELS
from gpucnn.backends.cuda.machine_code import compiler_cache, nvrtc
from gpucnn.backends.cuda.machine_code.compiler_cache import compile_once
from gpucnn.backends.cuda.machine_code.nvrtc import CompilationError, Compiled
from gpucnn.backends.cuda.machine_code.resources import compilations

SCALE = 'extern "C" __global__ void scale(REAL* values) { values[threadIdx.x] *= 2; }'
FLOAT = ("-DREAL=float",)
COMPILE = nvrtc.compile_kernels

pytestmark = pytest.mark.skipif(os.name != "posix", reason="elsewhere nothing is kept")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an empty cache, which does not exist yet."""
    monkeypatch.setattr("gpucnn.utils.storage.cache.user_cache_path", lambda name: tmp_path / name)
    return tmp_path / "gpucnn" / "nvrtc"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What NVRTC is asked to compile, in order."""
    asked: list[tuple[Any, ...]] = []

    def compile_kernels(*arguments: Any) -> Compiled:
        asked.append(arguments)
        return COMPILE(*arguments)

    monkeypatch.setattr(nvrtc, "compile_kernels", compile_kernels)
    return asked


def scale(source: str = SCALE, options: tuple[str, ...] = FLOAT, on: str = "sm_90") -> Compiled:
    """Compiled anew or not, but for the time that it took."""
    made = compile_once(source, options, on, "scale.cu")
    return replace(made, log=re.sub(r"Compile time = \S+ ms", "", made.log))


def test_what_was_compiled_is_read(folder: Path, compiled: list[Any]) -> None:
    first = scale()
    assert first == scale()
    assert first.machine_code == COMPILE(SCALE, FLOAT, "sm_90", "scale.cu").machine_code
    assert list(first.resources) == ["scale"]
    assert len(compiled) == 1
    assert len(list(folder.glob("*-compiled"))) == 1


@pytest.mark.usefixtures("folder")
def test_what_differs_in_anything_is_compiled(
    compiled: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        scale()
        scale(source=f"{SCALE}\n")
        scale(options=("-DREAL=double",))
        scale(options=(*FLOAT, "--maxrregcount=32"))
        scale(on="sm_80")
        compile_once(SCALE, FLOAT, "sm_90", "other.cu")
    assert len(compiled) == 6
    monkeypatch.setattr(nvrtc, "build", lambda: "another")
    scale()
    monkeypatch.setattr(nvrtc, "CUPY_OPTIONS", ("-ftz=false",))
    scale()
    assert len(compiled) == 8


@pytest.mark.usefixtures("folder")
def test_a_header_that_changes_is_compiled(
    compiled: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (relu,) = compilations(KERNELS["relu"], "float32", "sm_90")
    relu.run()
    text = compiled[0][0]
    assert "elements.cuh" in text
    monkeypatch.setattr(
        "gpucnn.backends.cuda.machine_code.resources.source", lambda file: f"{text}// changed"
    )
    relu.run()
    assert len(compiled) == 2


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda kept: b"", id="empty"),
        pytest.param(lambda kept: kept[: len(kept) // 2], id="cut short"),
        pytest.param(lambda kept: bytes(len(kept)), id="zeros, as after a power failure"),
    ],
)
def test_what_is_not_whole_is_compiled_anew(
    folder: Path, compiled: list[Any], damage: Callable[[bytes], bytes]
) -> None:
    first = scale()
    (kept,) = folder.glob("*-compiled")
    kept.write_bytes(damage(kept.read_bytes()))
    assert scale() == scale() == first
    assert len(compiled) == 2


@pytest.mark.usefixtures("folder")
def test_what_does_not_compile_is_refused_each_time(compiled: list[Any]) -> None:
    for _ in range(2):
        with pytest.raises(CompilationError, match=r"scale\.cu, line 1: "):
            scale(source="wrong")
    assert len(compiled) == 2


def no_home(name: str) -> Path:
    raise RuntimeError("could not determine the home directory")


def test_without_a_home_folder_all_is_compiled(
    compiled: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpucnn.utils.storage.cache.user_cache_path", no_home)
    assert scale() == scale()
    assert len(compiled) == 2


def test_without_a_folder_that_can_be_made_all_is_compiled(
    folder: Path, compiled: list[Any]
) -> None:
    folder.parent.write_text("a file, not a folder")
    assert scale() == scale()
    assert len(compiled) == 2


def test_on_a_full_disk_all_is_compiled(
    folder: Path, compiled: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_sealed(path: Path, *_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(compiler_cache, "write_sealed", write_sealed)
    assert scale() == scale()
    assert len(compiled) == 2


def test_a_folder_in_the_place_of_a_file(folder: Path, compiled: list[Any]) -> None:
    first = scale()
    (kept,) = folder.glob("*-compiled")
    kept.unlink()
    kept.mkdir()
    assert scale() == first
    assert len(compiled) == 2


def test_threads_at_once(folder: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        (first, *others) = pool.map(lambda _: scale(), range(16))
    assert others == [first] * 15
    assert [each.name for each in folder.iterdir() if each.name.startswith(".")] == []


SCALE_ONCE = f"""
from gpucnn.backends.cuda.machine_code.compiler_cache import compile_once
compiled = compile_once({SCALE!r}, {FLOAT!r}, "sm_90", "scale.cu")
assert list(compiled.resources) == ["scale"]
"""


def test_processes_at_once_and_a_file_cut_short(tmp_path: Path) -> None:
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}

    def run(_: int = 0) -> tuple[int, bytes]:
        command = [sys.executable, "-c", SCALE_ONCE]
        done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, check=False)
        return done.returncode, done.stderr

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(run, range(2))) == {(0, b"")}
    folder = tmp_path / "gpucnn" / "nvrtc"
    (kept,) = folder.glob("*-compiled")
    os.truncate(kept, kept.stat().st_size // 2)
    assert run() == (0, b"")
    assert sorted(each.name for each in folder.iterdir()) == [kept.name, "lock"]
