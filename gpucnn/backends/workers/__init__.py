"""Worker processes, which split a batch on the CPU."""
