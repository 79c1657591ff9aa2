"""Programs in places where something is scarce: processes, descriptors, memory, shared memory."""

import os
import re
import subprocess

import pytest

from programs.conftest import WARNING_LINE, Start, warned
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

BLAS_LINE = "OpenBLAS error: Memory allocation still failed after 10 retries, giving up.\n"
"""With which NumPy's BLAS ends a worker, where others would raise an error."""

SOMEBODY = [
    "setpriv",
    "--reuid=65534",
    "--bounding-set=-all,+dac_override",
    "--inh-caps=-all,+dac_override",
    "--ambient-caps=-all,+dac_override",
]
"""Runs a command as another user than root, who can read all files as root can."""


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
    told = warned(start(*within(place, "starts/unguarded.py")).finish())
    assert told == results(known) + "run once\n"


def test_full_shared_memory(start: Start, known: dict[str, str]) -> None:
    told = warned(start(*within("64 KB", "limits/fill_shared_memory.py")).finish())
    assert told == results(known)


def test_python_without_semaphores(start: Start, known: dict[str, str]) -> None:
    assert warned(start(*script("limits/no_semaphores.py")).finish()) == results(known)


@pytest.mark.parametrize("what", ["descriptors", "files"])
def test_what_only_workers_need(start: Start, known: dict[str, str], what: str) -> None:
    assert warned(start(*script("limits/limited.py", what)).finish()) == results(known)


def test_no_more_processes(start: Start, known: dict[str, str]) -> None:
    command = script("limits/limited.py", "processes")
    if os.geteuid() == 0:  # whom that limit does not bind
        command = [*SOMEBODY, *command]
    # NumPy's BLAS ends its threads where it sees a fork, which one that fails is too, and raises
    # SIGINT where it cannot start them again: with threads of its own no program gets beyond that.
    program = start(*command, env={"OPENBLAS_NUM_THREADS": "1"})
    assert warned(program.finish()) == results(known)


@pytest.mark.parametrize("mebibytes", ["0", "16", "64", "256"])
def test_memory(start: Start, known: dict[str, str], mebibytes: str) -> None:
    outcome = start(*script("limits/limited.py", "memory", mebibytes)).finish()
    # Python leaves out the line of the program if it has no memory to read that.
    assert re.fullmatch(f"{WARNING_LINE}(  .*\n)?|", outcome.err.replace(BLAS_LINE, "")), outcome
    assert outcome.status == 0
    # Python's own MemoryError has no text.
    refused = [f"refused in {lines} line\n" for lines in (0, 1)]
    assert outcome.out in (results(known), *refused)
