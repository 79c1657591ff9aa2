from typing import Any

import numpy as np
import pytest

from gpucnn.applications import default_config
from gpucnn.backends import Backend, ConvReluPool, CpuBackend, Window
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cuda.kernel import Form
from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime, _Recording
from gpucnn.verification.bounds import BOUNDS
from gpucnn.verification.calls import invoke, make_plan, perform
from gpucnn.verification.interception import (
    BINDING,
    FUSION,
    MEMORY,
    Intercepted,
    Learner,
    describe,
)
from small_mnist import small_mnist


def test_every_method_of_a_backend_computes_or_is_memory() -> None:
    public = {name for name in dir(Backend) if callable(getattr(Backend, name)) and name[0] != "_"}
    assert public == {*BOUNDS, *MEMORY, *FUSION, *BINDING, "twin"}


@pytest.mark.parametrize("name", FUSION)
def test_layers_are_fused_as_on_the_device_if_at_all(name: str) -> None:
    cpu = CpuBackend()
    for fuses in (False, True):
        backend = Intercepted(cpu, lambda *_: None, "a layer", fuses=fuses)
        right = getattr(cpu if fuses else Backend(), name)
        assert getattr(backend, name).__func__ is right.__func__
        assert backend.threads == 1


class Launching(CudaBackend):
    """The simulator, with a list of the kernels that were launched."""

    def __init__(self) -> None:
        super().__init__(SimulatorRuntime())
        self.launched: list[str] = []

    def launch(self, form: Form, values: tuple[Any, ...]) -> None:
        self.launched.append(form.kernel.name)
        super().launch(form, values)


@pytest.mark.parametrize("model", ["notebook", "lenet"])
def test_a_step_that_is_intercepted_launches_what_training_does(model: str) -> None:
    (images, labels), _ = small_mnist(8, 1)
    config = default_config(model, device="cpu", batch_size=4)
    training, intercepted = Launching(), Launching()

    def perform(_: str, operation: str, arguments: dict[str, Any]) -> None:
        invoke(intercepted, operation, arguments)

    losses = [
        Learner(config, images, labels, training).step(np.arange(4)),
        Learner(config, images, labels, intercepted, perform, fuses=True).step(np.arange(4)),
    ]
    assert training.launched == intercepted.launched
    assert losses[0] == losses[1]


def test_a_learner_by_itself_is_replayed_as_training_is(monkeypatch: pytest.MonkeyPatch) -> None:
    replays: list[_Recording] = []
    replay = _Recording.replay

    def noted(recording: _Recording) -> None:
        replays.append(recording)
        replay(recording)

    monkeypatch.setattr(_Recording, "replay", noted)
    (images, labels), _ = small_mnist(8, 1)
    config = default_config(device="cpu", batch_size=4)
    learner = Learner(config, images, labels, CudaBackend(SimulatorRuntime()))
    for start in (0, 4, 0):
        learner.step(np.arange(start, start + 4))
    assert len(replays) == 2  # all but the first


def test_gradients_come_with_what_their_forward_pass_was_given() -> None:
    seen: list[Any] = []
    cpu = CpuBackend()

    def note(_: str, operation: str, arguments: dict[str, Any]) -> None:
        seen.append(describe(cpu, operation, arguments))
        invoke(cpu, operation, arguments)

    backend = Intercepted(cpu, note, "a layer", fuses=True)
    window, pool = Window((4, 4), (3, 3), (1, 1), "valid"), Window((2, 2), (2, 2), (2, 2), "valid")
    fused = ConvReluPool(window, pool, 1, 2, np.dtype(np.float64))
    shapes = (1, 4, 4, 1), (3, 3, 1, 2), (2,), (1, 1, 1, 2)
    x, kernel, bias, out = (np.random.default_rng(0).random(shape) for shape in shapes)
    of_kernel, of_bias, plan = np.empty_like(kernel), np.empty_like(bias), make_plan(cpu, fused, 1)
    backend.conv2d_relu_max_pool(x, kernel, bias, plan, out, training=True)
    backend.conv2d_relu_max_pool_gradients(out, kernel, plan, of_kernel, of_bias)
    assert [call.operation for call in seen] == [
        "conv2d_relu_max_pool",
        "conv2d_relu_max_pool_gradients",
    ]
    assert seen[1].arguments["plan"] == fused
    repeated = perform(CpuBackend(), seen[1])
    assert of_kernel.tobytes() == repeated["kernel_gradient"].tobytes()
    assert of_bias.tobytes() == repeated["bias_gradient"].tobytes()


def test_an_operation_comes_with_all_its_arguments_by_name() -> None:
    seen: list[Any] = []
    backend = Intercepted(CpuBackend(), lambda *each: seen.append(each), "a layer")
    a = np.ones((1, 1))
    backend.matmul(a, a, a, transpose_b=True)
    options = {"transpose_a": False, "transpose_b": True, "bias": None}
    assert seen == [("a layer", "matmul", {"a": a, "b": a, "out": a} | options)]


def test_what_is_written_is_described_as_unset_and_what_is_updated_as_it_is() -> None:
    ones = np.ones(1)
    call = describe(CpuBackend(), "relu", {"x": ones, "out": ones})
    assert np.isnan(call.arguments["out"])
    options = {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
    names = ("parameters", "gradients", "velocity", "learning_rate")
    call = describe(CpuBackend(), "sgd", dict.fromkeys(names, ones) | options)
    assert call.arguments["velocity"] == 1
