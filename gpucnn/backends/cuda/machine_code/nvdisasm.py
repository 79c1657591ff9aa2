"""Disassembling machine code: nvdisasm, in the package nvidia-cuda-nvdisasm or a CUDA toolkit.

It is found by cuda-pathfinder, as NVRTC is.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gpucnn.errors import GpucnnError, MissingExtraError


@dataclass(frozen=True)
class Instruction:
    """An instruction of a function.

    Attributes:
        opcode: with its modifiers, such as "LDS.128".
        operands: as they are printed, separated by commas.
        is_conditional: whether a predicate may leave it out.
        target: the index of the instruction that it may jump to, None if it is no branch.
    """

    opcode: str
    operands: str = ""
    is_conditional: bool = False
    target: int | None = None

    @property
    def operation(self) -> str:
        """The opcode without modifiers."""
        return self.opcode.partition(".")[0]

    @property
    def modifiers(self) -> tuple[str, ...]:
        """Those of the opcode, such as ("E", "128")."""
        return tuple(self.opcode.split(".")[1:])


def disassemble(machine_code: bytes) -> dict[str, list[Instruction]]:
    """The instructions of each function in a CUBIN, by its name.

    Raises:
        GpucnnError: nvdisasm is not installed, or does not know this machine code.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "kernels.cubin"
        file.write_bytes(machine_code)
        command = [_path(), "-json", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        _, functions = json.loads(done.stdout)
    except ValueError as error:
        reason = " ".join((done.stderr or done.stdout).split()) or f"status {done.returncode}"
        raise GpucnnError(f"nvdisasm cannot read this machine code: {reason}") from error
    return {each["function-name"]: _instructions(each) for each in functions}


@cache
def _path() -> str:
    try:
        from cuda.pathfinder import find_nvidia_binary_utility

        path: str | None = find_nvidia_binary_utility("nvdisasm")
    except ImportError:
        path = None
    if path is None:
        raise MissingExtraError("disassembling kernels", "nvdisasm", "kernels")
    return path


def _instructions(function: Mapping[str, Any]) -> list[Instruction]:
    listed = function["sass-instructions"]
    size = function["length"] // len(listed)  # bytes; all instructions have the same
    return [_instruction(each, function["start"], size) for each in listed]


def _instruction(listed: Mapping[str, Any], start: int, size: int) -> Instruction:
    opcode, operands = listed["opcode"], listed.get("operands", "")
    *conditions, last = operands.split(",")
    is_branch = opcode.partition(".")[0] == "BRA"
    return Instruction(
        opcode,
        operands,
        is_conditional="predicate" in listed or (is_branch and bool(conditions)),
        target=(int(last, 16) - start) // size if is_branch else None,
    )
