"""CUDA kernels on the CPU: the same .cu files, with the semantics of the device.

    module = Module(Path("saxpy.cu"), options=("-DREAL=float",))
    saxpy = module.get_function("saxpy")
    saxpy((blocks,), (256,), (np.float32(2), x, y, np.int64(x.size)))

This is CuPy's RawModule, on NumPy arrays. The threads of a block wait for each other at barriers
and in shuffles; shared memory begins as NaN; and what CUDA leaves undefined is an error, or shows
in another `order` of the threads. With GPUCNN_SANITIZER in the environment, the compiler's
sanitizers watch the memory: see `sanitizer_environment`.

A thread runs until it returns or waits in a barrier, a shuffle or a vote: so one that waits in a
loop of its own for what another is to write, a spin lock for example, does so for ever.
"""

from gpucnn.simulator.compiler import Compiler, find_compiler
from gpucnn.simulator.errors import SimulatorError
from gpucnn.simulator.module import Function, Module, Order
from gpucnn.simulator.sanitizers import sanitizer_environment, with_fixed_addresses

__all__ = [
    "Compiler",
    "Function",
    "Module",
    "Order",
    "SimulatorError",
    "find_compiler",
    "sanitizer_environment",
    "with_fixed_addresses",
]
