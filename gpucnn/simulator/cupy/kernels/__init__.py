"""CuPy's kinds of kernels, compiled and run by the simulator."""
