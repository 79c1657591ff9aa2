"""Models as a page to draw on, which runs them in a browser."""
