"""Commands that hold devices and kernels to account."""
