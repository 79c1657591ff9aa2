import errno
import fcntl
import os
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from expect import refusal
from gpucnn.simulator import Module, SimulatorError, find_compiler
from gpucnn.simulator import cache as caches
from gpucnn.simulator import library as loading
from gpucnn.simulator.cache import cached_library, cached_text
from gpucnn.simulator.source import CUDA, preprocess
from gpucnn.utils.storage.files import SUFFIX
from gpucnn.utils.storage.sealed import digest_of

NAME = "library.so"

Logged = Callable[[], list[str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an empty cache, which does not exist yet."""
    monkeypatch.setattr(
        "gpucnn.utils.storage.cache.user_cache_path", lambda name: tmp_path / "cache" / name
    )
    return tmp_path / "cache" / "gpucnn" / "simulator"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The fallback folder, which does not exist yet."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary" / f"gpucnn-{os.geteuid()}" / "simulator"


class Built:
    """A library whose function returns a number, and a count of its builds.

    Every instance has another number, since the process keeps loaded libraries.
    """

    numbers = iter(range(1, 1000))

    def __init__(self) -> None:
        self.number = next(self.numbers)
        self.times = 0
        self.place = Path()

    def __call__(self, path: Path) -> None:
        self.times += 1
        self.place = path.parent
        text = f'extern "C" int number() {{ return {self.number}; }}'
        find_compiler().run(["-shared", "-fPIC", "-x", "c++", "-", "-o", path], text)

    def take(self) -> None:
        """Load the library, and check that it is the right one."""
        library = cached_library(NAME, ["number", str(self.number)], self)
        assert library.number() == self.number


@pytest.fixture
def built() -> Built:
    return Built()


def file_in(folder: Path) -> Path:
    (file,) = folder.glob(f"*-{NAME}")
    return file


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Logged:
    """The logged warnings that the cache cannot be used."""
    caches._warn_once.cache_clear()
    return lambda: caplog.messages


def line(why: str, temporary: Path) -> str:
    return f"the simulator's cache cannot be used ({why}): compiled kernels are kept in {temporary}"


def test_a_library_is_built_once(folder: Path, built: Built) -> None:
    built.take()
    built.take()
    assert (built.times, built.place) == (1, folder)
    assert sorted(each.name for each in folder.iterdir()) == [file_in(folder).name, "lock"]


def test_only_this_user_can_read_it(folder: Path, built: Built) -> None:
    before = os.umask(0)
    try:
        built.take()
    finally:
        os.umask(before)
    assert mode_of(folder.parent) == mode_of(folder) == 0o700
    assert mode_of(file_in(folder)) == 0o600


def other_key(content: bytes) -> bytes:
    return content[:-32] + digest_of(b"another", content[:-32])


damages = pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: content[: len(content) // 2], id="cut short"),
        pytest.param(lambda content: content[:-1], id="cut by a byte"),
        pytest.param(lambda content: content[:-32], id="of the format before"),
        pytest.param(lambda content: bytes(len(content)), id="zeros, as after a power failure"),
        pytest.param(lambda content: bytes([content[0] ^ 1]) + content[1:], id="a byte changed"),
        pytest.param(other_key, id="made of other contents"),
    ],
)


@damages
def test_a_library_that_is_not_whole_is_built_anew(
    folder: Path, built: Built, damage: Callable[[bytes], bytes]
) -> None:
    built.take()
    whole = file_in(folder)
    damaged = folder / "damaged"
    damaged.write_bytes(damage(whole.read_bytes()))
    damaged.replace(whole)  # not overwritten: this process has mapped it
    built.take()
    built.take()
    assert built.times == 2


def test_a_link_to_a_library_is_not_followed(folder: Path, built: Built, tmp_path: Path) -> None:
    built.take()
    library, target = file_in(folder), tmp_path / "elsewhere"
    before = library.read_bytes()
    library.rename(target)
    library.symlink_to(target)
    built.take()
    assert built.times == 2
    assert not library.is_symlink()
    assert target.read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
def test_what_is_another_users_is_not_loaded(
    folder: Path, temporary: Path, built: Built, logged: Logged
) -> None:
    built.take()
    os.chown(file_in(folder), 1, -1)
    built.take()
    assert (built.times, file_in(folder).stat().st_uid) == (2, 0)
    os.chown(folder, 1, -1)
    built.take()
    assert (built.times, built.place) == (3, temporary)
    assert logged() == [line(f"{folder} is another user's", temporary)]


def test_folder_of_another_user(
    folder: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, built: Built
) -> None:
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    other = temporary.parents[1] / f"gpucnn-{uid + 1}"
    with refusal(
        f"compiled kernels can be kept neither in the cache ({folder.parent} is another user's) "
        f"nor among temporary files ({other} is another user's): set TMPDIR to a folder that can "
        "be written",
        SimulatorError,
    ):
        built.take()
    assert built.times == 0


@pytest.mark.parametrize("depth", [0, 1])
def test_a_link_for_a_folder_is_not_used(
    folder: Path, temporary: Path, tmp_path: Path, built: Built, depth: int, logged: Logged
) -> None:
    link = [folder, folder.parent][depth]
    link.parent.mkdir(parents=True)
    (tmp_path / "target").mkdir()
    link.symlink_to(tmp_path / "target")
    built.take()
    assert built.place == temporary
    assert logged() == [line(f"{link} is a link", temporary)]
    assert list((tmp_path / "target").iterdir()) == []


def test_folders_that_others_may_use_are_closed(folder: Path, built: Built) -> None:
    folder.mkdir(parents=True)
    folder.parent.chmod(0o777)
    folder.chmod(0o777)
    built.take()
    assert (mode_of(folder.parent), mode_of(folder)) == (0o755, 0o700)
    assert built.place == folder


def test_file_for_a_folder(folder: Path, temporary: Path, built: Built, logged: Logged) -> None:
    folder.parent.parent.mkdir()
    folder.parent.write_text("a file, not a folder")
    built.take()
    built.take()
    assert logged() == [line(f"{folder.parent}: File exists", temporary)]
    assert (built.times, built.place) == (1, temporary)
    assert mode_of(temporary) == 0o700


def test_folder_for_a_library(folder: Path, temporary: Path, built: Built) -> None:
    built.take()
    library = file_in(folder)
    library.unlink()
    library.mkdir()
    built.take()
    assert built.place == temporary


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_cache_that_cannot_be_written(
    folder: Path, temporary: Path, built: Built, number: int, logged: Logged
) -> None:
    def build(path: Path) -> None:
        if path.parent == folder:
            path.write_bytes(b"half")
            raise OSError(number, os.strerror(number))
        built(path)

    library = cached_library(NAME, ["number", str(built.number)], build)
    assert library.number() == built.number
    assert f"{NAME}: {os.strerror(number)}): compiled kernels are kept" in logged()[0]
    assert [each.name for each in folder.iterdir()] == ["lock"]


@pytest.mark.parametrize("text", ["No space left on device", "Disk quota exceeded"])
def test_a_compiler_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    command = tmp_path / "g++"
    command.write_text(f"#!/bin/sh\ncase $1 in -shared) echo 'ld: x: {text}' >&2; exit 1; esac\n")
    command.chmod(0o700)
    monkeypatch.setenv("CXX", str(command))
    with pytest.raises(OSError, match=text):
        find_compiler().run(["-shared"])


def no_home(name: str) -> Path:
    raise RuntimeError("could not determine the home directory")


@pytest.mark.parametrize("place", [no_home, lambda name: Path("~/.cache") / name])
def test_without_a_home_folder(
    temporary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    built: Built,
    place: Any,
    logged: Logged,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gpucnn.utils.storage.cache.user_cache_path", place)
    built.take()
    why = "there is no home folder: set HOME or XDG_CACHE_HOME"
    assert logged() == [line(why, temporary)]
    assert built.place == temporary
    assert not Path("~").exists()


@pytest.mark.usefixtures("temporary")
def test_a_library_of_another_system_is_built_anew(folder: Path, built: Built) -> None:
    def needing(path: Path) -> None:
        path.write_bytes(b"needs a version of libc that is not here")

    with pytest.raises(SimulatorError, match="kept neither"):
        cached_library(NAME, ["number", str(built.number)], needing)
    built.take()
    assert (built.times, built.place) == (1, folder)


def test_a_function_that_is_not_defined_is_told_at_once(folder: Path) -> None:
    builds = []

    def build(path: Path) -> None:
        builds.append(path)
        text = 'extern "C" int no_such(); extern "C" int number() { return no_such(); }'
        find_compiler().run(["-shared", "-fPIC", "-x", "c++", "-", "-o", path], text)

    for _ in range(2):
        with pytest.raises(SimulatorError, match="undefined symbol: no_such: define all"):
            cached_library(NAME, ["undefined"], build)
    assert len(builds) == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from gpucnn.simulator import cache
import gpucnn.utils.storage.cache
gpucnn.utils.storage.cache.user_cache_path = lambda name: Path(sys.argv[1])
def build(path):
    path.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
cache.cached_library("killed.so", [], build)
"""


def test_what_a_killed_build_leaves_is_removed(folder: Path, built: Built) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder.parent)])
    assert done.returncode == -9
    assert len(list(folder.glob(f".*{SUFFIX}"))) == 1
    built.take()
    assert sorted(each.name for each in folder.iterdir()) == [file_in(folder).name, "lock"]


def test_what_a_build_is_writing_is_left_alone(folder: Path, built: Built) -> None:
    other = Built()

    def build(path: Path) -> None:
        built(path)
        other.take()
        assert path.exists()

    cached_library(NAME, ["number", str(built.number)], build)
    assert len(list(folder.glob(f"*-{NAME}"))) == 2
    assert list(folder.glob(f".*{SUFFIX}")) == []


def test_a_file_system_without_locks(
    folder: Path, monkeypatch: pytest.MonkeyPatch, built: Built
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    built.take()
    assert built.place == folder


def test_builds_at_once(folder: Path, built: Built) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: built.take(), range(16)))
    assert list(folder.glob(f".*{SUFFIX}")) == []
    file_in(folder)


SQUARES = """
import numpy as np
from gpucnn.simulator import Module
x = np.arange(64, dtype=np.float32)
source = 'extern "C" __global__ void squares(float* x) { x[threadIdx.x] *= x[threadIdx.x]; }'
Module(source).get_function("squares")((1,), (64,), (x,))
assert (x == np.arange(64) ** 2).all()
"""


def test_processes_that_build_at_once_and_find_libraries_cut_short(tmp_path: Path) -> None:
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}

    def run(_: int = 0) -> tuple[int, bytes]:
        done = subprocess.run(
            [sys.executable, "-c", SQUARES], env=environment, stderr=subprocess.PIPE
        )
        return done.returncode, done.stderr

    folder = tmp_path / "gpucnn" / "simulator"
    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(run, range(2))) == {(0, b"")}
    libraries = sorted(folder.glob("*.so"))
    assert len(libraries) == 2
    for library in libraries:
        os.truncate(library, library.stat().st_size // 2)
    assert run() == (0, b"")
    assert sorted(folder.iterdir()) == [*libraries, folder / "lock"]


class Written:
    """A text, and a count of how often it was made."""

    text = "static int x = 5;\n\u00e4\udcff" * 100

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> str:
        self.times += 1
        return self.text

    def take(self, *contents: str) -> None:
        assert cached_text(contents, self) == self.text


def test_a_text_is_made_once(folder: Path) -> None:
    written = Written()
    for contents in (("a", "b"), ("a", "b"), ("a", "c"), ("a", "b")):
        written.take(*contents)
    assert written.times == 2
    texts = folder.with_name("simulator-texts")
    assert sorted(each.name.partition("-")[2] for each in texts.iterdir()) == ["", "text", "text"]
    assert mode_of(texts) == 0o700


@damages
def test_a_text_that_is_not_whole_is_made_anew(
    folder: Path, damage: Callable[[bytes], bytes]
) -> None:
    written = Written()
    written.take("a")
    (file,) = folder.with_name("simulator-texts").glob("*-text")
    file.write_bytes(damage(file.read_bytes()))
    written.take("a")
    assert written.times == 2
    written.take("a")
    assert written.times == 2


def test_without_a_folder_a_text_is_made_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(
        "gpucnn.utils.storage.cache.user_cache_path", lambda name: tmp_path / "file" / name
    )
    written = Written()
    written.take("a")
    written.take("a")
    assert written.times == 2


def test_a_translation_is_kept_for_other_processes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = 'extern "C" __global__ void kept(int* x) { *x = NUMBER; }'
    for _ in range(2):
        loading._kept_translation.cache_clear()  # as in another process
        Module(source, ["-DNUMBER=7"])
        monkeypatch.setattr(loading, "_translate", None)
    with pytest.raises(TypeError, match="not callable"):
        Module(source, ["-DNUMBER=8"])
    monkeypatch.setattr(loading, "_translator", lambda: "of another version")
    loading._kept_translation.cache_clear()
    with pytest.raises(TypeError, match="not callable"):
        Module(source, ["-DNUMBER=7"])


def test_translations_are_told_apart_by_all_headers_that_they_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = preprocess(find_compiler(), "", ())
    read: set[Path] = set()

    def note(path: Path) -> str:
        read.add(path)
        return ""

    monkeypatch.setattr(Path, "read_text", note)
    loading._translator.__wrapped__()
    named = {Path(os.path.normpath(each)) for each in re.findall(r'^# \d+ "(/.+?)"', text, re.M)}
    own = {each for each in named if CUDA.parents[1] in each.parents}
    assert CUDA in own
    assert own <= read
