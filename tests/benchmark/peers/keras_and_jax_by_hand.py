"""Tests of the peers Keras and JAX, which the tests do not install: by hand, where they are.

`KERAS_BACKEND=jax pytest tests/benchmark/peers/keras_and_jax_by_hand.py`
"""

import os
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from benchmark.small_plan import small_workload
from gpucnn.benchmark import peers, processes
from gpucnn.benchmark.contenders import INFERENCE, TRAINING_STEP, DeviceContender
from gpucnn.benchmark.peers import keras as keras_peer
from gpucnn.benchmark.peers import make_peer
from gpucnn.benchmark.workload import make_network
from gpucnn.models import MODELS
from gpucnn.models.training import epoch_order
from gpucnn.optimizers import Adam
from gpucnn.optimizers.schedules import OneCycle

PEERS = ("jax", "keras")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:keras.*")


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("model", MODELS)
def test_the_same_network_is_trained(name: str, model: str) -> None:
    workload = small_workload(model)
    peer: Any = make_peer(name, workload, 1)
    assert set(peer.tasks) == {TRAINING_STEP, INFERENCE}
    order = epoch_order(0, 1, 64)
    accuracies = []
    for contender in (peer, DeviceContender("cpu", workload, threads=1)):
        learner = contender.learner(16, Adam(OneCycle(0.01, 12)))
        for number in (1, 2, 3):
            assert learner.epoch(number, order) > 0
        accuracies.append(learner.accuracy())
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.07)


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_tasks_are_done(name: str, dtype: str) -> None:
    peer = make_peer(name, small_workload(dtype=dtype), 1)
    for make in peer.tasks.values():
        task = make(4)
        assert task.clock(partial(task.repeat, 3) if task.repeat else task.call) > 0


def test_jax_uses_as_many_threads_as_it_may() -> None:
    """In a process of its own, since the first computation decides it."""
    for threads in (1, 2):
        code = (
            "from pathlib import Path\n"
            "from gpucnn.benchmark.peers.jax import limit_threads\n"
            f"limit_threads({threads})\n"
            "import jax.numpy as jnp\n"
            "jnp.ones(3).block_until_ready()\n"
            "names = [each.read_text() for each in Path('/proc/self/task').glob('*/comm')]\n"
            "print(len([each for each in names if 'XLAEigen' in each]))\n"
        )
        assert int(processes.run_python("-c", code)) == threads


@pytest.mark.parametrize("name", PEERS)
def test_other_weights_are_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoilt(*arguments: Any) -> Any:
        network = make_network(*arguments)
        original = network.loss_and_gradients

        def other(*given: Any) -> Any:
            found = original(*given)
            network.set_weights([each[..., ::-1] for each in network.get_weights()])
            return found

        monkeypatch.setattr(network, "loss_and_gradients", other)
        return network

    monkeypatch.setattr(peers, "make_network", spoilt)
    with pytest.raises(ValueError, match=f"{name} does not compute what gpucnn does"):
        make_peer(name, small_workload(), 1)


@pytest.mark.parametrize("name", PEERS)
def test_a_start_up_and_a_memory_are_measured(name: str) -> None:
    assert os.environ["KERAS_BACKEND"]
    assert processes.start_up(name, "notebook", "float32", 8, 1) > 0
    assert processes.peak_memory(name, "notebook", "float32", 512, 1) > 50e6


def test_rates_are_those_of_the_schedule() -> None:
    keras = import_module("keras")
    schedule = OneCycle(0.01, 12)
    table = keras_peer._rate(schedule)
    found = [float(table(keras.ops.convert_to_tensor(step))) for step in range(15)]
    np.testing.assert_allclose(found, [schedule(step) for step in range(15)], rtol=1e-6)
