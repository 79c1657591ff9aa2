"""The command line, a thin layer: everything it does can be done from Python."""
