"""CUDA kernels on the CPU: the same .cu files, with the semantics of a GPU.

For example::

    module = Module(Path("saxpy.cu"), options=("-DREAL=float",))
    saxpy = module.get_function("saxpy")
    saxpy((blocks,), (256,), (np.float32(2), x, y, np.int64(x.size)))

The interface is that of CuPy's RawModule, with NumPy arrays. The threads of a block wait for one
another at barriers and in shuffles, and shared memory is initialised to NaN. Each access to memory
is checked: what is out of bounds or races is an error with its line. With GPUCNN_SANITIZER in the
environment the compiler's sanitizers watch instead: see `sanitizer_environment`.

A thread runs until it returns, or waits in a barrier, a shuffle or a vote. So busy waiting for
another thread, as in a spin lock, never ends, until Ctrl-C.
"""

from gpucnn.simulator.compiler import Compiler, find_compiler
from gpucnn.simulator.counting import Accesses, ArrayAccesses, Traffic, counting
from gpucnn.simulator.cupy import as_cupy
from gpucnn.simulator.errors import LaunchError, SimulatorError
from gpucnn.simulator.memory import Block, DeviceMemory, block_of
from gpucnn.simulator.module import Function, Module, Order, Prepared
from gpucnn.simulator.sanitizers import sanitizer_environment, with_fixed_addresses

__all__ = [
    "Accesses",
    "ArrayAccesses",
    "Block",
    "Compiler",
    "DeviceMemory",
    "Function",
    "LaunchError",
    "Module",
    "Order",
    "Prepared",
    "SimulatorError",
    "Traffic",
    "as_cupy",
    "block_of",
    "counting",
    "find_compiler",
    "sanitizer_environment",
    "with_fixed_addresses",
]
