from typing import Any

import numpy as np
import pytest

from gpucnn.backends import Backend, ConvReluPool, CpuBackend, Window
from gpucnn.verification.bounds import BOUNDS
from gpucnn.verification.interception import MEMORY, Intercepted, describe

# Backends may fuse operations, or run microbatches: here each operation runs as defined.
TOGETHER = (
    "can_fuse_classifier",
    "conv_classifier_gradients",
    "can_fuse",
    "can_fuse_gather",
    "can_fuse_dense",
    "can_fuse_head",
    "conv_relu_pool_buffers",
    "conv_relu_pool_plan",
    "conv2d_relu_max_pool",
    "conv2d_relu_max_pool_gradients",
    "gathered_conv2d_relu_max_pool",
    "images_at_once",
    "twin",
)


def test_every_method_of_a_backend_computes_or_is_memory() -> None:
    public = {name for name in dir(Backend) if callable(getattr(Backend, name)) and name[0] != "_"}
    assert public == {*BOUNDS, *MEMORY, *TOGETHER}


@pytest.mark.parametrize("name", TOGETHER)
def test_nothing_is_done_together(name: str) -> None:
    assert getattr(Intercepted, name) is getattr(Backend, name)
    backend = Intercepted(CpuBackend(), lambda *_: None, "a layer")
    assert name not in vars(backend)
    assert backend.threads == 1


def test_the_parts_of_an_operation_that_is_fused_come_one_by_one() -> None:
    seen: list[str] = []
    cpu = CpuBackend()
    backend = Intercepted(cpu, lambda _, operation, __: seen.append(operation), "a layer")
    window, pool = Window((4, 4), (3, 3), (1, 1), "valid"), Window((2, 2), (2, 2), (2, 2), "valid")
    x, kernel, bias, out = (np.ones(s) for s in ((1, 4, 4, 1), (3, 3, 1, 2), (2,), (1, 1, 1, 2)))
    fused = ConvReluPool(window, pool, 1, 2, np.dtype(np.float64))
    buffers = backend.conv_relu_pool_buffers(fused)
    arrays = {name: np.ones((1, *buffer.shape)) for name, buffer in buffers.items()}
    plan = backend.conv_relu_pool_plan(fused, arrays)
    backend.conv2d_relu_max_pool(x, kernel, bias, plan, out, training=True)
    assert seen == ["conv2d", "relu", "max_pool"]


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
