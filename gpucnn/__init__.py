"""Convolutional networks with nothing between you and the arithmetic."""

__version__ = "0.1.0"
