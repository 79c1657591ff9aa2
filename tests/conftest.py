"""Settings for all tests."""

import os
import signal
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

# Where tests are run in the background, Ctrl-C is ignored, and would be by every process that they
# start: those that are sent it are to see it.
if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    and threading.current_thread() is threading.main_thread()
):
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Where no bytecode is to lie beside sources, it lies here: or each of the hundreds of processes
# that tests start would compile the library anew, in 0.2 to 0.3 seconds of a core.
if sys.dont_write_bytecode:
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix

# Tests run in parallel, a process a core: threads of BLAS would only wait for each other. NumPy
# reads this when it is first imported, which is after this file.
for library in ("OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import numpy as np  # noqa: E402 - after the threads are set
import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

import gpu  # noqa: E402
from gpucnn.backends import CpuBackend, devices  # noqa: E402
from gpucnn.backends.cpu.huge_pages import HugePages  # noqa: E402
from gpucnn.models import building  # noqa: E402
from gpucnn.models.replica import replica  # noqa: E402
from gpucnn.models.training import sharing  # noqa: E402

# On a machine with other work to do, an example may take longer than Hypothesis' 200 ms. An
# operation has a test for each of its forms, dtypes and devices, and so many examples in all;
# `--hypothesis-profile=thorough` gives each test more, which mutants of one kernel are run with.
settings.register_profile(
    "suite",
    deadline=None,
    max_examples=20,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("suite"), max_examples=60)
settings.load_profile("suite")


def pytest_configure() -> None:
    gpu.look()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Keep a test's own settings, which Hypothesis replaces by a child of them at each parameter.

    From a thousand parameters on, that chain is deeper than Python's limit of recursion wherever
    there is no database to stop at, as with Hypothesis' settings for CI.
    """
    test, name = getattr(item, "function", None), "_hypothesis_internal_use_settings"
    own = getattr(test, name, None)
    yield
    if own is not None:
        setattr(test, name, own)


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return gpu.scheduler(config, log)


@pytest.fixture(autouse=True)
def auto_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is a GPU, tests run as where there is none; those of a GPU ask for it by name."""
    monkeypatch.setattr(devices, "_automatic", CpuBackend)


@pytest.fixture(autouse=True)
def models_begin_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that are given no seed have the same one: tests compare them."""
    monkeypatch.setattr(building, "next_seed", lambda: 0)


@pytest.fixture
def traceable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU's memory is NumPy's, every piece by itself, which tracemalloc sees."""
    monkeypatch.setattr(HugePages, "allocate", lambda _, size: np.zeros(size, np.uint8))


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes are started however little there is to do, within pytest-xdist too."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setattr(sharing, "LEAST_SPAN", 1)
    monkeypatch.setattr(replica, "LEAST_SHARD", 1)
