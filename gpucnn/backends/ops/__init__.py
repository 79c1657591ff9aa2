"""The operations by families: the definition of each, the NumPy way and the CUDA way."""
