"""Reading pictures of handwritten digits, preprocessed as MNIST's were."""
