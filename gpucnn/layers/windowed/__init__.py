"""Layers whose window slides over the image: convolution and pooling."""
