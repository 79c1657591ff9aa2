from typing import Any

import numpy as np

from gpucnn.backends import Backend, CpuBackend
from gpucnn.backends.bounds import BOUNDS
from gpucnn.verification.interception import MEMORY, Intercepted, describe


def test_every_method_of_a_backend_computes_or_is_memory() -> None:
    public = {name for name in vars(Backend) if callable(vars(Backend)[name]) and name[0] != "_"}
    assert public == {*BOUNDS, *MEMORY}


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
