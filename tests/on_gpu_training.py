"""A short training of both presets on a GPU, for tools that watch what kernels do: tests/on_gpu.py.

Its steps are launched one by one at first, then recorded and replayed.
"""

import cupy

import gpucnn
from gpucnn import models


def main() -> None:
    cupy.cuda.set_allocator(None)  # each array by itself: what lies beyond it is not another's
    (x, y), _ = gpucnn.load_mnist()
    for preset in (models.notebook, models.lenet):
        model = preset(device="cuda")
        model.fit(x[:112], y[:112], 32, epochs=2, validation_data=(x[:40], y[:40]), verbose=0)


if __name__ == "__main__":
    main()
