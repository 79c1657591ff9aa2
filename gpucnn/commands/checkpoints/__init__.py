"""Commands that use, or make, the file of a trained model."""
