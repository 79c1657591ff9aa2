"""A plugin of pytest for the runs of `gpucnn mutate`: only tests that may notice a mutant."""

import json
import os
import socket
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpucnn.commands.mutants import CHOSEN, FAILED, SERVER

MORE = 3
"""Times as many examples as a test has without a mutant."""

_OUTER = os.environ.get("PYTEST_CURRENT_TEST")
"""Where a test runs pytest in another process, that test, to which all in there belongs."""


def pytest_configure(config: pytest.Config) -> None:
    """Stop at the first failure."""
    if _OUTER is None:
        config.option.maxfail = 1
        return
    from gpucnn.simulator.mutation.watching import WITHIN

    os.environ.setdefault(WITHIN, _OUTER)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With a mutant, leave out the tests that launch no kernel of its file."""
    if _OUTER is not None:
        return
    if "hypothesis" in sys.modules:
        _set_examples(with_mutant=CHOSEN in os.environ or SERVER in os.environ)
    config.hook.pytest_deselected(items=_leave_out(items))


def _leave_out(items: list[pytest.Item]) -> list[pytest.Item]:
    """Leave out the tests that are not chosen; which these are."""
    if CHOSEN not in os.environ:
        return []
    chosen = set(Path(os.environ[CHOSEN]).read_text(encoding="utf-8").splitlines())
    left = [each for each in items if each.nodeid in chosen]
    if not left:  # they have other names each time
        return []
    left_out = [each for each in items if each.nodeid not in chosen]
    items[:] = left
    return left_out


def _set_examples(*, with_mutant: bool) -> None:
    """Of Hypothesis: the first that fails ends a test, without a search for the simplest.

    With a mutant there are more, so that chance seldom decides whether it is noticed.
    """
    from hypothesis import Phase, settings

    settings.register_profile(
        "gpucnn-mutate",
        phases=[Phase.explicit, Phase.generate],
        database=None,
        max_examples=settings().max_examples * (MORE if with_mutant else 1),
    )
    settings.load_profile("gpucnn-mutate")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a test that fails."""
    if report.failed and FAILED in os.environ and _OUTER is None:
        Path(os.environ[FAILED]).write_text(report.nodeid, encoding="utf-8")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run the tests in forks, as often as the process on the socket asks for it."""
    path = os.environ.pop(SERVER, None)
    is_shared = getattr(session.config.option, "numprocesses", None) or hasattr(
        session.config, "workerinput"
    )
    if path is None or is_shared or session.testsfailed:
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        with connection.makefile("rw") as lines:
            for line in lines:
                for number in _fork(session, json.loads(line)):
                    lines.write(f"{number}\n")
                    lines.flush()
    return True


def _fork(session: pytest.Session, environment: dict[str, str]) -> Iterator[int]:
    """The process that runs the tests, then its exit status."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which stay behind
        process = os.fork()
    if process == 0:
        status = 1
        try:
            os.setsid()
            os.environ.update(environment)
            _leave_out(session.items)
            session.config.hook.pytest_runtestloop(session=session)
            status = int(session.testsfailed > 0)
        finally:
            os._exit(status)
    yield process
    yield os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
