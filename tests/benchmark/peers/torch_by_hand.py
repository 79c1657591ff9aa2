"""Tests of the peer PyTorch, which the tests do not install: by hand, where it is.

`pytest tests/benchmark/peers/torch_by_hand.py`
"""

from contextlib import nullcontext
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from benchmark.small_plan import small_data, small_workload
from expect import refusal
from gpucnn.benchmark import processes
from gpucnn.benchmark.contenders import INFERENCE, TRAINING_STEP, DeviceContender
from gpucnn.benchmark.peers import _torch_on_gpu, make_peer
from gpucnn.benchmark.peers import torch as torch_peer
from gpucnn.benchmark.peers.torch import TorchTrainer, to_tensor, torch_module
from gpucnn.benchmark.workload import (
    LEARNING_RATE,
    full_batches,
    make_network,
    normalise,
)
from gpucnn.models import MODELS
from gpucnn.models.training import epoch_order
from gpucnn.optimizers import Adam
from gpucnn.optimizers.schedules import OneCycle

DATA = small_data()


@pytest.fixture
def torch() -> Any:
    return import_module("torch")


@pytest.mark.parametrize("model", MODELS)
def test_torch_trains_the_same_network(torch: Any, model: str) -> None:
    workload = small_workload(model)
    peer: Any = make_peer("torch", workload, 1)
    assert set(peer.tasks) == {TRAINING_STEP, INFERENCE}
    order = epoch_order(0, 1, 64)
    accuracies = []
    for contender in (peer, DeviceContender("cpu", workload, threads=1)):
        learner = contender.learner(16, Adam(OneCycle(0.01, 12)))
        for number in (1, 2, 3):
            assert learner.epoch(number, order) > 0
        accuracies.append(learner.accuracy())
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.07)


def test_torch_does_its_tasks(torch: Any) -> None:
    peer = make_peer("torch", small_workload(), 1)
    assert torch.get_num_threads() == 1
    for make in peer.tasks.values():
        task = make(4)
        with task.session():
            task.call()


def test_a_step_on_a_gpu_is_that_on_the_cpu(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The eager one, on the CPU in the GPU's place."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    for owner in (torch.Tensor, torch.nn.Module):
        monkeypatch.setattr(owner, "cuda", lambda self: self)
    contenders = torch_peer.Peer.on_gpu("cuda", small_workload())
    assert [each.name.split(", ")[1] for each in contenders] == ["eager", "compiled", "graph"]
    module, images, labels = (
        vars(contenders[0])[name] for name in ("_module", "_images", "_labels")
    )
    training = _torch_on_gpu._Training(module, images, labels, 16)
    step = _torch_on_gpu.eager(training)
    trainer = TorchTrainer(module, images, labels.numpy(), torch.contiguous_format)
    trainer.optimizer = torch.optim.SGD(trainer.module.parameters(), LEARNING_RATE)
    for indices in full_batches(64, 16):
        step()
        trainer.step(torch.from_numpy(indices))
    for mine, theirs in zip(training.module.parameters(), trainer.module.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_without_a_gpu_torch_says_so(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    advice = "install PyTorch for the driver's CUDA version, or leave the peer out"
    with refusal(f"torch finds no GPU: {advice}"):
        torch_peer.Peer.on_gpu("cuda", small_workload())


def test_torch_with_other_weights_is_found_out(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoilt(network: Any) -> Any:
        module = torch_module(network)
        with torch.no_grad():
            for each in module.parameters():
                each.copy_(each.flip(0))
        return module

    monkeypatch.setattr(torch_peer, "torch_module", spoilt)
    with pytest.raises(ValueError, match="torch does not compute what gpucnn does: loss off by"):
        make_peer("torch", small_workload(), 1)


def test_torch_is_trained_for_its_memory(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = []
    step = TorchTrainer.step

    def watched(self: TorchTrainer, indices: Any) -> None:
        batches.append(len(indices))
        step(self, indices)

    monkeypatch.setattr(TorchTrainer, "step", watched)
    monkeypatch.setattr(processes, "load_data", small_data)
    processes.script("torch", "notebook", "float32", 8, 1, steps=3, evaluates=True)()
    assert batches == [8, 8, 8]


def test_torch_normalises_bytes_as_gpucnn_does(torch: Any) -> None:
    images, labels = DATA[0]
    module = torch_module(make_network("notebook", "float32", "cpu", 1))
    trainer = TorchTrainer(module, to_tensor(images), labels, torch.channels_last)
    batch = trainer.batch(torch.tensor([5, 3])).numpy()
    expected = normalise(images[[5, 3]], np.dtype(np.float32)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(batch, expected, atol=1e-7)
