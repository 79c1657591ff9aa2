import pytest

from benchmark.small_plan import small_data
from gpucnn import Sequential
from gpucnn.backends import CpuBackend
from gpucnn.benchmark import layer_times
from gpucnn.benchmark.costs import bytes_moved, operations
from gpucnn.benchmark.layer_times import measure_layers
from gpucnn.benchmark.networks import make_network
from gpucnn.benchmark.report import LayerMeasurement

DATA = small_data(128)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_times, "SHORTEST", 0)


def measured(network: Sequential, batch: int) -> dict[tuple[str, str], LayerMeasurement]:
    found = measure_layers(network, DATA, batch, rounds=2)
    return {(each.layer, each.direction): each for each in found}


def test_each_layer_that_moves_something_is_timed_both_ways() -> None:
    network = make_network("lenet", "float32", "cpu", 1)
    found = measured(network, 4)
    layers = [each for each in network.replica.layers if not each.name.startswith("flatten")]
    forward = [(each.name, "forward") for each in layers]
    backward = [(each.name, "backward") for each in reversed(layers)]
    assert list(found) == [*forward, *backward]
    for layer in layers:
        for direction in ("forward", "backward"):
            each = found[layer.name, direction]
            assert (each.subject, each.batch_size, len(each.seconds)) == ("cpu", 4, 2)
            assert each.operations == operations(layer, direction, 4)
            assert each.bytes == bytes_moved(layer, direction, 4)


def test_a_piece_is_timed_and_told_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CpuBackend, "images_at_once", lambda self, size: 50)
    monkeypatch.setattr(layer_times, "take_turns", lambda samplers, n: [[1.0] for _ in samplers])
    for each in measured(make_network("notebook", "float32", "cpu", 1), 120).values():
        assert each.seconds == [3.0]  # three pieces of 40
        assert each.batch_size == 120
