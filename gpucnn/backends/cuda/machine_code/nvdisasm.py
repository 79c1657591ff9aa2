"""Disassembling machine code: nvdisasm, in the package nvidia-cuda-nvdisasm or a CUDA toolkit.

It is found by cuda-pathfinder, as NVRTC is.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gpucnn.backends.cuda.machine_code.cubin import code_of_functions
from gpucnn.errors import GpucnnError, MissingExtraError


@dataclass(frozen=True)
class Instruction:
    """An instruction of a function.

    Attributes:
        opcode: with its modifiers, such as "LDS.128".
        operands: as they are printed, separated by commas; addresses are those in all that was
            read with it.
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


def disassemble(
    machine_codes: Sequence[bytes], architecture: str
) -> list[dict[str, list[Instruction]]]:
    """The instructions of each function in CUBINs, by its name.

    All are read by one process, since nvdisasm takes a third of a second to start.

    Args:
        machine_codes: of the CUBINs.
        architecture: which they are for, such as "sm_90".

    Raises:
        GpucnnError: nvdisasm is not installed, or does not know this machine code.
    """
    path = _path()
    codes = [code_of_functions(each) for each in machine_codes]
    joined = b"".join(code for each in codes for code in each.values())
    if not joined:
        return [{} for _ in codes]
    listed = _listed(path, joined, architecture)
    size = len(joined) // len(listed)  # bytes; all instructions have the same
    begin, read = 0, []
    for each in codes:
        functions = {}
        for name, code in each.items():
            some = listed[begin // size : (begin + len(code)) // size]
            functions[name] = [_instruction(one, begin, size) for one in some]
            begin += len(code)
        read.append(functions)
    return read


def _listed(path: str, code: bytes, architecture: str) -> list[dict[str, Any]]:
    """The instructions of code by itself, as nvdisasm lists them."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "code"
        file.write_bytes(code)
        command = [path, "-json", "--binary", architecture.upper().replace("_", ""), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        _, (function,) = json.loads(done.stdout)
    except ValueError as error:
        reason = " ".join((done.stderr or done.stdout).split()) or f"status {done.returncode}"
        raise GpucnnError(f"nvdisasm cannot read this machine code: {reason}") from error
    listed: list[dict[str, Any]] = function["sass-instructions"]
    return listed


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
