"""Inference on the CPU: operations as calls that are bound to their arrays."""
