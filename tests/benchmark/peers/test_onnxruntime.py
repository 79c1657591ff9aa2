import pytest

from benchmark.small_plan import small_workload
from gpucnn.benchmark.contenders import INFERENCE
from gpucnn.benchmark.peers import make_peer
from gpucnn.models import MODELS


@pytest.mark.parametrize("model", MODELS)
def test_onnxruntime_infers_with_the_same_network(model: str) -> None:
    peer = make_peer("onnxruntime", small_workload(model), 1)
    assert set(peer.tasks) == {INFERENCE}
    peer.tasks[INFERENCE](4).call()
