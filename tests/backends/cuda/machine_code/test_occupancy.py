import pytest

from gpucnn.backends.cuda.machine_code.nvrtc import ARCHITECTURES, Resources
from gpucnn.backends.cuda.machine_code.occupancy import MULTIPROCESSORS, occupancy


def blocks(architecture: str, registers: int, threads: int, shared_memory: int) -> float:
    """The blocks that a multiprocessor holds."""
    warps = -(-threads // 32)
    share = occupancy(Resources(registers, shared_memory, 0, 0, 0), threads, architecture)
    return share * MULTIPROCESSORS[architecture].warps / warps


def test_every_architecture_is_known() -> None:
    assert tuple(MULTIPROCESSORS) == ARCHITECTURES


# What cudaOccMaxActiveBlocksPerMultiprocessor of cuda_occupancy.h, CUDA 12.9, gives for blocks of
# so many threads, each with so many registers, and so many bytes of shared memory.
@pytest.mark.parametrize(
    ("registers", "threads", "shared_memory", "expected"),
    [
        (16, 32, 0, (16, 32, 16, 24, 32, 32, 24)),
        (16, 1024, 0, (1, 2, 1, 1, 2, 2, 1)),
        (33, 96, 512, (10, 16, 16, 16, 16, 16, 16)),
        (64, 256, 8192, (4, 4, 4, 4, 4, 4, 4)),
        (65, 256, 0, (3, 3, 3, 3, 3, 3, 3)),
        (80, 256, 16384, (3, 3, 3, 3, 3, 3, 3)),
        (40, 128, 49152, (1, 3, 2, 2, 4, 4, 2)),
        (255, 256, 0, (1, 1, 1, 1, 1, 1, 1)),
        (255, 320, 0, (0, 0, 0, 0, 0, 0, 0)),
        (24, 100, 4224, (8, 16, 12, 12, 16, 16, 12)),
        (32, 64, 1024, (16, 32, 16, 24, 32, 32, 24)),
    ],
)
def test_it_agrees_with_the_calculator_of_the_toolkit(
    registers: int, threads: int, shared_memory: int, expected: tuple[int, ...]
) -> None:
    numbers = [blocks(each, registers, threads, shared_memory) for each in ARCHITECTURES]
    assert numbers == list(expected)


def test_it_is_the_share_of_warps() -> None:
    assert occupancy(Resources(32, 0, 0, 0, 0), 256, "sm_90") == 1
    assert occupancy(Resources(64, 0, 0, 0, 0), 256, "sm_90") == 0.5
    assert occupancy(Resources(255, 0, 0, 0, 0), 1024, "sm_90") == 0
