"""The command line, a thin layer: all that it does can be done from Python."""
