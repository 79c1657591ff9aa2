"""A program that has little of something while it fits and predicts."""

import errno
import resource
import sys
from pathlib import Path

import numpy as np
from digits import answers, new_model, train, weights, x_test

from gpucnn import GpucnnError

MIB = 2**20


def address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


match sys.argv[1]:
    case "descriptors":
        what, amount = resource.RLIMIT_NOFILE, len(list(Path("/proc/self/fd").iterdir()))
    case "processes":
        what, amount = resource.RLIMIT_NPROC, 0
    case "files":
        what, amount = resource.RLIMIT_FSIZE, 0
    case "memory":
        # NumPy's BLAS takes its memory at its first product. Where there is too little it ends the
        # process; OpenBLAS 0.3.29, NumPy 2.2's, asks again and again without end.
        np.ones((512, 512), np.float32) @ np.ones((512, 512), np.float32)
        what, amount = resource.RLIMIT_AS, address_space() + int(sys.argv[2]) * MIB

usual, most = resource.getrlimit(what)
resource.setrlimit(what, (amount, most))
try:
    model = train(new_model())
    lines = [f"trained {weights(model)}", f"predicted {answers(model.predict(x_test))}"]
except (GpucnnError, MemoryError, OSError) as error:
    if isinstance(error, OSError) and error.errno != errno.ENOMEM:  # which an import may raise
        raise
    lines = [f"refused in {len(str(error).splitlines())} line"]
resource.setrlimit(what, (usual, most))
print(*lines, sep="\n")
