"""A plugin of pytest for the runs of `gpucnn mutate`: only tests that may notice a mutant."""

import os
import sys
from pathlib import Path

import pytest

from gpucnn.commands.mutants import CHOSEN, FAILED


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that launch no kernel of the mutant's file."""
    _let_hypothesis_be_quick()
    if CHOSEN not in os.environ:
        return
    chosen = set(Path(os.environ[CHOSEN]).read_text(encoding="utf-8").splitlines())
    config.hook.pytest_deselected(items=[each for each in items if each.nodeid not in chosen])
    items[:] = [each for each in items if each.nodeid in chosen]


def _let_hypothesis_be_quick() -> None:
    """The first example that fails is enough: no time goes into finding the simplest."""
    if "hypothesis" not in sys.modules:
        return
    from hypothesis import Phase, settings

    phases = [Phase.explicit, Phase.generate]
    settings.register_profile("gpucnn-mutate", phases=phases, database=None)
    settings.load_profile("gpucnn-mutate")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a test that fails."""
    if report.failed and FAILED in os.environ:
        Path(os.environ[FAILED]).write_text(report.nodeid, encoding="utf-8")
