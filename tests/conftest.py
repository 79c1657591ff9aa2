"""Settings for all tests."""

import os

# Tests run in parallel, a process a core: threads of BLAS would only wait for each other. NumPy
# reads this when it is first imported, which is after this file.
for library in ("OPENBLAS", "MKL", "OMP"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
