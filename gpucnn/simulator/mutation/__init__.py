"""Mutants of kernels: small edits, each of which the tests of the kernels should notice.

`mutants.py` finds them in a file, by the operators of `operators.py`; `watching.py` puts one into
the kernels that a process compiles, in place of the user's file; `equality.py` tells whether one
compiles to what was there before.
"""
