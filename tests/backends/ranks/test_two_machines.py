"""Two network namespaces of this machine as two machines, which see each other over a network."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpiexec import MPIEXEC, SCRIPTS, Outcome, run_command, run_script

LAUNCHER = """#!/bin/sh
# Runs a command on the machine of an address, as ssh would: its name ends with the same number.
while [ "${{1#-}}" != "$1" ]; do shift; done
number=${{1##*.}}
shift
exec ip netns exec {name}$number sh -c "$*"
"""


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The beginning of a command that starts ranks on two machines, one on each."""
    name = f"gpucnn{os.getpid()}m"
    if not shutil.which("ip") or subprocess.run(["ip", "netns", "add", f"{name}1"]).returncode:
        pytest.skip("no network namespaces can be made here")
    launcher = tmp_path_factory.mktemp("launcher") / "launch"
    launcher.write_text(LAUNCHER.format(name=name))
    launcher.chmod(0o700)
    try:
        try:
            _connect(name)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces can be connected here ({error})")
        yield [
            *("ip", "netns", "exec", f"{name}1", str(MPIEXEC), "-n", "2"),
            *("-hosts", "10.9.0.1,10.9.0.2", "-launcher", "ssh", "-launcher-exec", str(launcher)),
        ]
    finally:
        for number in (1, 2):
            subprocess.run(["ip", "netns", "del", f"{name}{number}"], check=False)


def _connect(name: str) -> None:
    """Connect two namespaces, of which the first is there, by a cable."""
    ends = [f"v{os.getpid()}{number}" for number in "ab"]
    first, second = (f"{name}{number}" for number in (1, 2))
    commands = [
        f"ip netns add {second}",
        f"ip link add {ends[0]} netns {first} type veth peer name {ends[1]} netns {second}",
    ]
    for number, (machine, end) in enumerate(zip((first, second), ends, strict=True), 1):
        inside = f"ip netns exec {machine} ip"
        commands += [
            f"{inside} link set lo up",
            f"{inside} addr add 10.9.0.{number}/24 dev {end}",
            f"{inside} link set {end} up",
        ]
    for command in commands:
        subprocess.run(command.split(), check=True)


def on_both(machines: list[str], script: str, *arguments: str) -> Outcome:
    return run_command([*machines, sys.executable, str(Path(SCRIPTS) / script), *arguments])


def test_each_is_alone_on_its_machine(machines: list[str]) -> None:
    outcome = on_both(machines, "communicate.py")
    assert outcome.status == 0, outcome
    assert [line[:9] for line in outcome.out] == ["1: rank 1"] * 2


@pytest.mark.parametrize("kind", ["plain", "batch_norm"])
def test_the_bytes_are_those_of_one_machine(machines: list[str], kind: str) -> None:
    arguments = kind, "cpu", "1"
    outcome = on_both(machines, "train.py", *arguments)
    assert (outcome.status, outcome.told) == (0, []), outcome
    assert outcome.out == run_script(2, "train.py", *arguments).out


@pytest.mark.parametrize(("fault", "told"), [("killed", "was killed"), ("error", "by KeyError")])
def test_a_fault_on_the_other_machine(machines: list[str], fault: str, told: str) -> None:
    outcome = on_both(machines, "faults.py", fault)
    assert outcome.status != 0
    (line,) = outcome.told
    assert line.startswith("gpucnn: rank 1 ")
    assert told in line
