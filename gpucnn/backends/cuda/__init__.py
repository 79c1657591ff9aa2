"""The CUDA kernels: their sources, how they are compiled, and how they are launched."""
