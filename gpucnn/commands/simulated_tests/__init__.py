"""`pytest --cuda-simulator`: the tests of a project that uses CuPy, without a GPU."""

RAN = "GPUCNN_TESTS_RAN"
"""The variable with the path of the file that lists the tests which a sanitized run has begun."""
