"""Pictures of models and of their training, by Matplotlib, the extra `plot`."""
