"""Convolution, ReLU and max-pooling as one operation, in training."""
