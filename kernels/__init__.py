"""The CUDA C sources of the kernels, an operation a file."""
