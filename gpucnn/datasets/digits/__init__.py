"""Pictures of handwritten digits, prepared as MNIST's were."""
