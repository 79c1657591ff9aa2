"""The floor of a training step: the work of its kernels, and the least time that it takes."""
