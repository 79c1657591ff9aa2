"""Scripts as people write them for Keras, with the imports alone changed, on a part of MNIST."""

import runpy
from pathlib import Path

import pytest

from gpucnn.datasets import mnist
from gpucnn.utils import seeds
from small_mnist import small_mnist

SCRIPTS = sorted((Path(__file__).parent / "keras_scripts").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_runs_and_learns(
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mnist, "load_data", lambda: small_mnist(2000, 500))
    monkeypatch.setattr(seeds, "_default", 0)  # which a script may set
    runpy.run_path(str(script))
    (accuracy,) = (
        float(line.split()[1])
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("accuracy:")
    )
    assert accuracy > 0.8  # where one of ten is right by chance
