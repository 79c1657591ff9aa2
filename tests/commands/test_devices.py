import numpy as np

from commands.conftest import Command


def test_it_lists_the_devices(command: Command) -> None:
    outcome = command("devices")
    assert outcome.status == 0
    assert outcome.out.startswith("cpu")
    assert f"NumPy {np.__version__}" in outcome.out
