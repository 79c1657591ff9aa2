"""Layers that prepare images: that scale their pixels, and that vary them in training."""
