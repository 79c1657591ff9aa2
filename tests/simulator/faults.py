"""Launches kernels of faults.cu by name; to be run under a sanitizer."""

import sys
from pathlib import Path

import numpy as np

from gpucnn.simulator import Module, Order


def correct(order: Order) -> None:
    module = Module(Path(__file__).parent / "cuda" / "faults.cu", order=order)
    x, y = np.ones(64, np.float32), np.zeros(3 * 64, np.float32)
    total, count = np.zeros(1, np.float32), np.zeros(1, np.int32)
    for _ in range(2):
        arguments = (x, y, total, count)
        module.get_function("correct")((3,), (64,), arguments, shared_mem=256)
    assert (y == 32).all()
    assert count == 2 * 3 * 64
    module.get_function("last_block")((3,), (32,), (np.zeros(3, np.float32), total), shared_mem=4)
    assert total == 3
    z = np.arange(3 * 32, dtype=np.float32)
    module.get_function("rotate")((3,), (32,), (z, np.zeros_like(z)), cooperative=True)
    assert (z == (np.arange(96) + 2) % 96).all()


def faulty(name: str) -> None:
    x, i = np.zeros(32, np.float32), np.zeros(32, np.int32)
    launches = {
        "beyond_array": ((x[:31].copy(),), 0),
        "beyond_static": ((x, np.int32(1)), 0),
        "beyond_dynamic": ((x, np.int32(1)), 128),
        "before_dynamic": ((x, np.int32(-1)), 128),
        "overflowing": ((i, np.int32(2**30)), 0),
        "misaligned": ((x,), 0),
        "missing_barrier": ((x,), 0),
        "shuffle_for_a_barrier": ((x,), 128),
        "vote_for_a_barrier": ((x,), 128),
        "one_element": ((x,), 0),
    }
    module = Module(Path(__file__).parent / "cuda" / "faults.cu")
    arguments, shared_mem = launches[name]
    kernel = module.get_function(name.replace("before", "beyond"))
    kernel((2,), (32,), arguments, shared_mem=shared_mem)


if __name__ == "__main__":
    if sys.argv[1] == "correct":
        correct("forward")
        correct("reversed")
        correct(1)
    else:
        faulty(sys.argv[1])
    print("done")
