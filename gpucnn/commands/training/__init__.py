"""Commands that train, and show how trainings went."""
