"""Times what the host does for a launch that was made before, besides the launch itself.

By hand: `python tests/launch_cost.py`. Every kernel is launched as an operation launches it, on a
runtime that does nothing.
"""

from time import process_time
from typing import Any

from backends.operations import CALLS, Values
from backends.strategies import Sizes
from gpucnn.backends import Window
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cuda.kernel import Kernel
from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime
from gpucnn.verification.calls import place

SIZES = Sizes(images=2, window=Window((7, 6), (3, 2), (2, 1), "same"), channels=3, filters=8)
LAUNCHES = 2000  # of a sample
SAMPLES = 7


class NothingRuntime(SimulatorRuntime):
    """Launches nothing."""

    def load(self, source: str, options: tuple[str, ...]) -> Any:
        return self

    def get_function(self, name: str) -> Any:
        return lambda grid, block, args: None


class Listener(CudaBackend):
    """Keeps the arguments of the last launch of each kernel."""

    def __init__(self) -> None:
        super().__init__(NothingRuntime())
        self.launched: dict[Kernel, dict[str, Any]] = {}

    def launch(self, kernel: Kernel, arguments: dict[str, Any]) -> None:
        self.launched[kernel] = arguments
        super().launch(kernel, arguments)


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
    backend = CudaBackend(NothingRuntime())
    costs = {k.name: microseconds(backend, k, given) for k, given in listener.launched.items()}
    for name, cost in sorted(costs.items(), key=lambda each: each[1]):
        print(f"{cost:5.2f} us  {name}")


if __name__ == "__main__":
    main()
