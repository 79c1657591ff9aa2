from functools import partial
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from gpucnn.applications import default_config
from gpucnn.errors import TrainingError
from gpucnn.verification.ensemble import Ensemble, apart
from gpucnn.verification.interception import Learner
from microbatches import Plain
from small_mnist import small_mnist

(IMAGES, LABELS), _ = small_mnist(64, 1)

BATCH = np.arange(32)


def ensemble(**changes: Any) -> Ensemble:
    config = default_config(device="cpu", **changes)
    return Ensemble(partial(Learner, config, IMAGES, LABELS), seed=0)


def test_nothing_disturbs_the_learner_itself() -> None:
    learner = Learner(default_config(device="cpu"), IMAGES, LABELS, Plain())
    disturbed = ensemble()
    assert [disturbed.step(BATCH) for _ in range(3)] == [learner.step(BATCH) for _ in range(3)]


def test_members_stray_ever_further() -> None:
    disturbed = ensemble()
    growth = []
    for _ in range(3):
        disturbed.step(BATCH)
        growth.append(disturbed.growth)
    assert growth[0] > 0
    assert growth == sorted(growth)


def test_a_training_that_diverges_is_an_error() -> None:
    diverging = ensemble(learning_rate=1e30)
    diverging.step(BATCH)
    with pytest.raises(TrainingError, match="the loss became nan in step 2 on the CPU"):
        diverging.step(BATCH)


def test_a_loss_that_is_no_number_is_infinitely_far_from_one() -> None:
    assert apart(nan, 1) == apart(1, nan) == apart(inf, 1) == inf
    assert apart(nan, nan) == 0
    assert apart(1.5, 1) == 0.5
