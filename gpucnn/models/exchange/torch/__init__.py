"""Models as modules of PyTorch, and their weights under the names that PyTorch gives them."""
