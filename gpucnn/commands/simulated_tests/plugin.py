"""`pytest --cuda-simulator`: a suite that imports CuPy, on a machine without a GPU.

pytest imports this file in every run on a computer that has the package, so it imports nothing
else until the option is given.
"""

import os
import sys
from collections.abc import Generator
from contextlib import ExitStack
from typing import Any

import pytest

from gpucnn.commands.simulated_tests import RAN

_orders = pytest.StashKey[list[Any]]()
_simulator = pytest.StashKey[ExitStack]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("CUDA simulator", "CuPy's kernels without a GPU (gpucnn)")
    group.addoption(
        "--cuda-simulator",
        action="store_true",
        help="let `import cupy` give an interface whose kernels run on the CPU",
    )
    group.addoption(
        "--cuda-orders",
        default="forward",
        metavar="ORDERS",
        help="run each test with the threads of kernels in each of these orders: forward, "
        "reversed, or numbers, which are seeds of shuffled ones (such as forward,reversed,0)",
    )
    group.addoption(
        "--cuda-sanitizer",
        choices=["address", "thread"],
        help="watch kernels for accesses beyond arrays (address) or for races (thread)",
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config,
) -> Generator[None]:
    """Before the first file that may import CuPy, and before output is captured."""
    options = early_config.known_args_namespace
    if options.cuda_simulator:
        _begin(early_config, options)
    elif options.cuda_sanitizer or options.cuda_orders != "forward":
        raise pytest.UsageError("--cuda-orders and --cuda-sanitizer need --cuda-simulator")
    yield


def _begin(config: pytest.Config, options: Any) -> None:
    from gpucnn.simulator import SimulatorError, as_cupy

    if options.cuda_sanitizer and RAN not in os.environ:
        from gpucnn.commands.simulated_tests.sanitized import run_sanitized

        raise SystemExit(run_sanitized(options.cuda_sanitizer, config.invocation_params))
    config.stash[_orders] = [_order(each) for each in options.cuda_orders.split(",")]
    config.stash[_simulator] = stack = ExitStack()
    try:
        stack.enter_context(as_cupy(config.stash[_orders][0]))
    except SimulatorError as error:
        raise pytest.UsageError(str(error)) from None
    for name in [name for name in sys.modules if name.startswith("gpucnn.simulator")]:
        sys.modules[name].__dict__["__tracebackhide__"] = True  # a failure is at the test's line


def _order(text: str) -> Any:
    text = text.strip()
    if text.removeprefix("-").isdecimal():
        return int(text)
    if text not in ("forward", "reversed"):
        raise pytest.UsageError(
            f"--cuda-orders: {text!r} is no order: give forward, reversed, or whole numbers"
        )
    return text


def pytest_unconfigure(config: pytest.Config) -> None:
    """After the last test."""
    if _simulator in config.stash:
        config.stash[_simulator].close()
        del config.stash[_simulator]


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say that there is no GPU."""
    orders = config.stash.get(_orders, None)
    if orders is None:
        return None
    return f"CUDA: simulated on the CPU, threads in order {', '.join(map(str, orders))}"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a test in each order, if there are several."""
    orders = item.config.stash.get(_orders, [])
    if len(orders) < 2:
        return None
    from _pytest.runner import runtestprotocol

    from gpucnn.simulator.cupy.kernels.orders import in_order

    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for order in orders:
        with in_order(order):
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
        for report in reports:
            _name_order(report, order)
            item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _name_order(report: pytest.TestReport, order: object) -> None:
    """Say in a failure's summary in which order it was."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if report.failed and crash is not None:
        crash.message = f"threads in order {order}: {crash.message}"
        report.sections.append(("CUDA simulator", f"threads in order {order}"))


# A sanitizer ends the process at a fault, and another goes on behind that test.


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that a process before this one has begun."""
    if RAN not in os.environ or not config.getoption("cuda_sanitizer", None):
        return
    with open(os.environ[RAN], encoding="utf-8") as file:  # noqa: PTH123 - nothing is imported
        begun = set(file.read().splitlines())
    config.hook.pytest_deselected(items=[each for each in items if each.nodeid in begun])
    items[:] = [each for each in items if each.nodeid not in begun]


def pytest_runtest_logstart(nodeid: str) -> None:
    """Note that a test has begun."""
    if RAN in os.environ:
        with open(os.environ[RAN], "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(f"{nodeid}\n")
