"""Occupancy: the share of a multiprocessor's warps that a kernel can have resident."""

from dataclasses import dataclass

from gpucnn.backends.cuda.kernel import WARP
from gpucnn.backends.cuda.machine_code.nvrtc import Resources
from gpucnn.utils.arithmetic import ceil_div

KIB = 1024


@dataclass(frozen=True)
class Multiprocessor:
    """The limits of a multiprocessor: resident warps and blocks, and bytes of shared memory."""

    warps: int
    blocks: int
    shared_memory: int
    reserved: int = KIB  # bytes of shared memory that the system takes per block
    granularity: int = 128  # bytes, of the shared memory allocated to a block


# From the CUDA C++ Programming Guide's table of technical specifications; the reserved memory and
# the granularities, here and below, from cuda_occupancy.h of the CUDA toolkit.
MULTIPROCESSORS = {
    "sm_75": Multiprocessor(32, 16, 64 * KIB, reserved=0, granularity=256),
    "sm_80": Multiprocessor(64, 32, 164 * KIB),
    "sm_86": Multiprocessor(48, 16, 100 * KIB),
    "sm_89": Multiprocessor(48, 24, 100 * KIB),
    "sm_90": Multiprocessor(64, 32, 228 * KIB),
    "sm_100": Multiprocessor(64, 32, 228 * KIB),
    "sm_120": Multiprocessor(48, 24, 100 * KIB),
}
REGISTERS = 64 * KIB  # per multiprocessor; like the two below, the same everywhere
PARTITIONS = 4  # each with a quarter of the registers
REGISTER_GRANULARITY = 256  # of the registers allocated to a warp


def occupancy(resources: Resources, threads: int, architecture: str) -> float:
    """The resident warps of a kernel, as a share of the most that a multiprocessor can hold.

    It is 0 if not even one block fits.

    Args:
        resources: the resources that the kernel needs.
        threads: the threads per block.
        architecture: one of `MULTIPROCESSORS`.
    """
    unit = MULTIPROCESSORS[architecture]
    warps = _round_up(threads, WARP) // WARP
    blocks = min(
        unit.blocks,
        unit.warps // warps,
        _blocks_by_registers(resources.registers, warps),
        _blocks_by_shared_memory(resources.shared_memory, unit),
    )
    return blocks * warps / unit.warps


def _blocks_by_registers(registers: int, warps: int) -> int:
    per_warp = _round_up(registers * WARP, REGISTER_GRANULARITY)
    if per_warp * _round_up(warps, PARTITIONS) > REGISTERS:
        return 0
    return REGISTERS // PARTITIONS // per_warp * PARTITIONS // warps


def _blocks_by_shared_memory(shared_memory: int, unit: Multiprocessor) -> int:
    per_block = _round_up(shared_memory + unit.reserved, unit.granularity)
    return unit.shared_memory // per_block if per_block else unit.blocks


def _round_up(count: int, step: int) -> int:
    return ceil_div(count, step) * step
