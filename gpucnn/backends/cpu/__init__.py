"""The NumPy backend: its memory layout and its fused convolution."""
