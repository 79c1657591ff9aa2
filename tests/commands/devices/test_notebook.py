import pytest

from commands.conftest import Command
from gpucnn.notebook import figures


def test_all_figures_agree(command: Command) -> None:
    outcome = command("notebook")
    assert outcome.status == 0
    assert "14 of 14 figures agree" in outcome.out
    assert outcome.out.count("2.31577") == 2


def test_a_figure_that_differs_ends_with_1(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "FORWARD", ("15.00", "2.31578"))
    outcome = command("notebook")
    assert outcome.status == 1
    assert "13 of 14 figures agree" in outcome.out
