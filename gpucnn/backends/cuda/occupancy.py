"""How much of a GPU's multiprocessor a kernel can keep busy at once."""

from dataclasses import dataclass

from gpucnn.backends.cuda.kernel import WARP
from gpucnn.backends.cuda.nvrtc import Resources

KIB = 1024


@dataclass(frozen=True)
class Multiprocessor:
    """What a multiprocessor holds at most: warps and blocks, and bytes of shared memory."""

    warps: int
    blocks: int
    shared_memory: int
    reserved: int = KIB  # bytes of shared memory that the system takes for each block
    granularity: int = 128  # of the bytes that a block is given


# From the CUDA C++ Programming Guide's table of technical specifications; what is reserved and how
# memory is shared out, here and below, from cuda_occupancy.h of the CUDA toolkit.
MULTIPROCESSORS = {
    "sm_75": Multiprocessor(32, 16, 64 * KIB, reserved=0, granularity=256),
    "sm_80": Multiprocessor(64, 32, 164 * KIB),
    "sm_86": Multiprocessor(48, 16, 100 * KIB),
    "sm_89": Multiprocessor(48, 24, 100 * KIB),
    "sm_90": Multiprocessor(64, 32, 228 * KIB),
    "sm_100": Multiprocessor(64, 32, 228 * KIB),
    "sm_120": Multiprocessor(48, 24, 100 * KIB),
}
REGISTERS = 64 * KIB  # of a multiprocessor, of every architecture, as all that follows
PARTITIONS = 4  # which have a quarter of the registers each
REGISTER_GRANULARITY = 256  # of the registers that a warp is given


def occupancy(resources: Resources, threads: int, architecture: str) -> float:
    """The warps of a kernel that a multiprocessor holds, as a share of the most that it can hold.

    It is 0 if not even one block fits.

    Args:
        resources: what the kernel needs.
        threads: the threads of a block.
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
    of_a_warp = _round_up(registers * WARP, REGISTER_GRANULARITY)
    if of_a_warp * _round_up(warps, PARTITIONS) > REGISTERS:
        return 0
    return REGISTERS // PARTITIONS // of_a_warp * PARTITIONS // warps


def _blocks_by_shared_memory(shared_memory: int, unit: Multiprocessor) -> int:
    of_a_block = _round_up(shared_memory + unit.reserved, unit.granularity)
    return unit.shared_memory // of_a_block if of_a_block else unit.blocks


def _round_up(number: int, step: int) -> int:
    return -(-number // step) * step
