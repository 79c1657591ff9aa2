from typing import Any

import pytest

from expect import refusal
from gpucnn.benchmark import PEERS, peers
from gpucnn.benchmark.plan import Plan
from gpucnn.errors import GpucnnError


def plan(**changes: Any) -> Plan:
    given = {"devices": ("cpu",), "peers": (), "model": "notebook", "batch_sizes": (4,)}
    return Plan(**(given | changes))


def test_auto_is_a_device_by_name() -> None:
    assert plan(devices=("auto",)).resolved_devices() == ("cpu",)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"devices": ()}, "devices is empty: give at least one"),
        ({"devices": ("cpu", "auto")}, "cpu is among devices more than once: give it once"),
        ({"batch_sizes": ()}, "batch_sizes is empty: give at least one"),
        ({"batch_sizes": (4, 4)}, "4 is among batch_sizes more than once: give it once"),
        ({"batch_sizes": (0,)}, "batch_size is 0: it must be a whole number of at least 1"),
        (
            {"model": "vgg"},
            "model is 'vgg': choose one of notebook, lenet, fast, tiny, best, resnet",
        ),
        ({"dtype": "int8"}, "dtype is 'int8': choose one of float32, float64"),
        ({"peers": ("theano",)}, f"peer is 'theano': choose one of {', '.join(PEERS)}"),
        ({"rounds": 0}, "rounds is 0: it must be a whole number of at least 1"),
        ({"threads": 0}, "threads is 0: it must be a whole number of at least 1"),
        ({"to_accuracy": 98}, "to_accuracy is 98: it must be at least 0 and below 1"),
        ({"ranks": (0,)}, "ranks is 0: it must be a whole number of at least 1"),
        (
            {"ranks": (2, 1)},
            "ranks is 1: give 2 or more, beside which a single rank is timed in any case",
        ),
        ({"ranks": (2, 2)}, "2 is among ranks more than once: give it once"),
        ({"to_accuracy": 0.0}, "to_accuracy is 0.0: it must be a number above 0"),
    ],
)
def test_what_cannot_be_planned(changes: dict[str, Any], text: str) -> None:
    with refusal(text):
        plan(**changes)


def test_an_unknown_device_has_the_devices_own_error() -> None:
    with pytest.raises(GpucnnError, match="unknown device 'tpu': choose one of"):
        plan(devices=("tpu",))


def test_a_peer_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda package: None)
    with refusal(
        "onnxruntime cannot be measured, since onnxruntime and onnx cannot be imported: "
        "pip install onnxruntime onnx, or leave the peer out"
    ):
        plan(peers=("onnxruntime",))


def test_a_peer_that_lacks_a_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda package: package)
    assert plan(peers=("torch",), dtype="float64").peers == ("torch",)
    with refusal(
        "onnxruntime cannot be measured in float64, since it convolves in float32 alone: "
        "choose float32, or leave the peer out"
    ):
        plan(peers=("onnxruntime",), dtype="float64")


def test_a_peer_is_planned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda package: package)
    with refusal("torch is among peers more than once: give it once"):
        plan(peers=("torch", "torch"))
