"""Worker processes: how a batch is shared out on the CPU."""
