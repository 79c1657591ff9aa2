"""Programs in places where something is scarce: processes, descriptors, memory, shared memory."""

import os
import subprocess

import pytest

from programs.conftest import Answer, Start, clean
from programs.program import script

PLACES = {
    "read-only": "mount -t tmpfs -o ro none /dev/shm",
    "64 KB": "mount -t tmpfs -o size=64k none /dev/shm",
    "missing": """
        mkdir dev && mount -t tmpfs none dev
        for device in null zero full random urandom tty; do
            touch dev/$device && mount --bind /dev/$device dev/$device
        done
        ln -s /proc/self/fd dev/fd
        mount --rbind dev /dev
    """,
}
"""What makes /dev/shm so, for one program."""

BLAS_LINE = "OpenBLAS error: Memory allocation still failed after 10 retries, giving up."


def within(place: str, name: str) -> list[str]:
    """The command that runs a script where shared memory is as `PLACES` says."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount another /dev/shm")
    tried = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", "mount -t tmpfs none /dev/shm"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        pytest.skip(f"another /dev/shm cannot be mounted here: {tried.stderr.strip()}")
    shell = f'{PLACES[place]}\nexec "$@"'
    return ["unshare", "--mount", "sh", "-ec", shell, "sh", *map(str, script(name))]


def results(known: dict[str, str]) -> str:
    return f"trained {known['trained']}\npredicted {known['predicted']}\n"


@pytest.mark.parametrize("place", PLACES)
def test_shared_memory(start: Start, known: dict[str, str], place: str) -> None:
    told = clean(start(*within(place, "starts/unguarded.py")).finish())
    assert told == results(known) + "run once\n"


def test_full_shared_memory(start: Start, known: dict[str, str]) -> None:
    told = clean(start(*within("64 KB", "limits/fill_shared_memory.py")).finish())
    assert told == results(known)


def test_python_without_semaphores(answer: Answer, known: dict[str, str]) -> None:
    assert answer("limits/no_semaphores.py") == results(known)


@pytest.mark.parametrize("what", ["descriptors", "processes", "files"])
def test_what_only_workers_need(answer: Answer, known: dict[str, str], what: str) -> None:
    assert answer("limits/limited.py", what) == results(known)


@pytest.mark.parametrize("mebibytes", ["0", "16", "64", "256"])
def test_memory(start: Start, known: dict[str, str], mebibytes: str) -> None:
    outcome = start(*script("limits/limited.py", "memory", mebibytes)).finish()
    if outcome.err:  # NumPy's BLAS does not give the error on: it ends its process with a line
        assert set(outcome.err.splitlines()) == {BLAS_LINE}
    else:
        assert outcome.status == 0
        assert outcome.out in (results(known), "refused in 1 line\n")
