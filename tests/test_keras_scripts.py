"""Scripts as people write them for Keras, with the imports alone changed, on a part of MNIST."""

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gpucnn import datasets
from gpucnn.datasets import mnist
from gpucnn.utils import seeds
from small_mnist import small_mnist

SCRIPTS = sorted((Path(__file__).parent / "keras_scripts").glob("*.py"))


def coloured() -> Any:
    """Digits in colours, on coloured ground, in place of CIFAR-10: of its shapes and dtypes."""
    generator = np.random.default_rng(0)

    def part(images: Any, labels: Any) -> Any:
        framed = np.pad(images, ((0, 0), (2, 2), (2, 2)))[..., None] / 255
        inks = generator.integers(160, 256, (len(images), 1, 1, 3))
        grounds = generator.integers(0, 96, (len(images), 1, 1, 3))
        mixed = framed * inks + (1 - framed) * grounds
        return mixed.astype(np.uint8), labels[:, None].astype(np.uint8)

    return tuple(part(*each) for each in small_mnist(2000, 500))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_runs_and_learns(
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mnist, "load_data", lambda: small_mnist(2000, 500))
    monkeypatch.setattr(datasets, "fashion_mnist", mnist, raising=False)
    monkeypatch.setattr(datasets, "cifar10", SimpleNamespace(load_data=coloured), raising=False)
    monkeypatch.setattr(seeds, "_seeds", seeds._seeds)  # which a script may set
    runpy.run_path(str(script))
    (accuracy,) = (
        float(line.split()[1])
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("accuracy:")
    )
    assert accuracy > 0.8  # where one of ten is right by chance
