"""What is learned of kernels without a GPU: what they compile to, and which resources they need."""
