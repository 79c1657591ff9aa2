"""The CUDA kernels: their sources, the table that describes them, and what launches them."""
