"""How large what a file holds may be, so that a file of a few bytes cannot fill the memory."""

LARGEST_ARRAY = 2**31
"""Bytes of an array that is read from a file, at most."""

DEFLATE_RATIO = 1032
"""How many times larger what zlib compressed may be than the file, at most."""
