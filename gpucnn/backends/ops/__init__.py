"""Operations by family: the definitions, then the same in NumPy, then as CUDA kernels."""
