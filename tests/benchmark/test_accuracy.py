import numpy as np
import pytest

from benchmark.small_plan import StubPeer, small_workload
from gpucnn.applications import default_config
from gpucnn.benchmark.accuracy import train_to_accuracy
from gpucnn.benchmark.report import TimeToAccuracy
from gpucnn.models.training import epoch_order


@pytest.mark.parametrize(
    ("target", "epochs", "seconds"),
    [(0.05, 1, 1.0), (0.2, 2, 3.0), (0.25, 3, 6.0), (0.99, 5, 15.0)],
)
def test_it_ends_with_the_epoch_that_reaches_the_target_or_the_last(
    target: float, epochs: int, seconds: float
) -> None:
    measured = train_to_accuracy(StubPeer(), small_workload(), target)
    assert measured == TimeToAccuracy("torch", target, seconds, epochs, epochs / 10)


def test_the_config_is_followed() -> None:
    peer = StubPeer()
    train_to_accuracy(peer, small_workload(), 0.2)
    config = default_config("notebook", device="cpu")
    assert peer.batch_size == config.batch_size
    assert repr(peer.optimizer) == repr(config.make_model(64).optimizer)
    assert not peer.optimizer.is_placed
    for number, order in enumerate(peer.orders, 1):
        np.testing.assert_array_equal(order, epoch_order(config.seed, number, 64))
