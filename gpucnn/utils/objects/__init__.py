"""What objects have in common: configurations as JSON, and placing on a backend."""
