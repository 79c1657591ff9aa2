"""`gpucnn mutate`: whether the tests of kernels notice what is wrong with them."""

CHOSEN = "GPUCNN_MUTATION_TESTS"
"""The variable with the path of a file that lists the tests to run, one a line."""

FAILED = "GPUCNN_MUTATION_FAILED"
"""The variable with the path of the file that gets the first test that fails."""

SERVER = "GPUCNN_MUTATION_SERVER"
"""The variable with the path of the socket on which a pytest asks for runs; see runs.py."""
