"""Times what the host does for a launch that was made before, besides the launch itself.

By hand: `python tests/launch_cost.py`. Every kernel is launched as an operation launches it, on a
runtime that does nothing.
"""

import sys
from pathlib import Path
from time import process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from backends.fused import conv_relu_pool, fused_call, fused_plan, run_fused
from backends.operations import CALLS
from backends.operations.values import Values
from backends.ops.fused.test_conv_classifier import CASES, a_step, run
from backends.strategies import Sizes
from gpucnn.backends import Window
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cuda.kernel import Form, Kernel
from gpucnn.benchmark.floor.step import NothingRuntime
from gpucnn.verification.calls import place

SIZES = Sizes(images=2, window=Window((7, 6), (3, 2), (2, 1), "same"), channels=3, filters=8)
FUSED = conv_relu_pool(SIZES.window, (2, 2), SIZES.channels, SIZES.filters)
LAUNCHES = 200  # of a sample
SAMPLES = 50


class Listener(CudaBackend):
    """Keeps the arguments of the last launch of each kernel."""

    def __init__(self) -> None:
        super().__init__(NothingRuntime())
        self.launched: dict[Kernel, dict[str, Any]] = {}

    def launch(self, form: Form, values: tuple[Any, ...]) -> None:
        self.launched[form.kernel] = dict(zip(form.names, values, strict=True))
        super().launch(form, values)


def microseconds(backend: CudaBackend, kernel: Kernel, arguments: dict[str, Any]) -> float:
    """The time of the processor for a launch, with its arguments by name: the least of samples."""
    samples = []
    for _ in range(SAMPLES):
        started = process_time()
        for _ in range(LAUNCHES):
            kernel(backend, **arguments)
        samples.append((process_time() - started) / LAUNCHES * 1e6)
    return min(samples)


def main() -> None:
    listener = Listener()
    for build in CALLS.values():
        call = build(SIZES, Values(0, "float32"))
        getattr(listener, call.operation)(**place(listener, call))
    call = fused_call(FUSED, Values(0, "float32"))
    run_fused(listener, call, fused_plan(listener, FUSED, call))
    run(listener, a_step(CASES["odd"], 5, 0))
    backend = CudaBackend(NothingRuntime())
    costs = {k: microseconds(backend, k, given) for k, given in listener.launched.items()}
    for kernel, cost in sorted(costs.items(), key=lambda each: each[1]):
        print(f"{cost:5.2f} us  {kernel.name}, {len(listener.launched[kernel])} arguments")


if __name__ == "__main__":
    main()
