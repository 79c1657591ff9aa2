import os
import re
import subprocess
import sys

import pytest

from gpucnn.simulator.library import RUNTIME
from simulator.sources import COMPILERS

FUNCTION = re.compile(r"^(?:\[\[noreturn\]\] )?[a-z][\w ]*[ *]+(\w+)\([^{}]*?\);$", re.MULTILINE)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_kernels_find_all_functions_of_the_scheduler(compiler: str) -> None:
    names = FUNCTION.findall((RUNTIME / "runtime.hpp").read_text())
    assert {"shuffle", "begin_barrier", "shared_memory_of", "fence"} <= set(names)
    addresses = ", ".join(f"(void*)gpucnn_simulator::{name}" for name in names)
    source = f"""
    extern "C" __global__ void find(unsigned long long* x)
    {{
        void* const found[] = {{{addresses}}};
        for (int i = 0; i < {len(names)}; i++) x[i] = (unsigned long long)found[i];
    }}"""
    program = f"""if True:
    import numpy as np
    from gpucnn.simulator import Module
    x = np.zeros({len(names)}, np.uint64)
    Module({source!r}).get_function("find")((1,), (1,), (x,))
    assert x.all()
    """
    environment = {**os.environ, "CXX": compiler}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
