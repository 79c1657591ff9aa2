"""The command line, a thin layer: everything it does can be done from Python."""

INTERRUPTED = 130
"""The exit status of a program that was ended by Ctrl-C."""

STOPPED = "stopped"
"""What such a program prints."""
