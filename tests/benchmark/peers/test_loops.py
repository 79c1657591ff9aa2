import numpy as np
import pytest

from benchmark.small_plan import small_data, small_plan, small_workload
from gpucnn.benchmark.contenders import TRAINING_STEP
from gpucnn.benchmark.peers import loops, make_peer
from gpucnn.benchmark.workload import make_network, normalise

DATA = small_data()
IMAGES, LABELS = (part[:3] for part in DATA[0])


def test_gradients_are_the_networks() -> None:
    network = make_network("notebook", "float64", "cpu", 1)
    x = normalise(IMAGES, network.dtype)[..., 0]
    _, right = network.loss_and_gradients(IMAGES, LABELS)
    ours = loops.gradients(x, LABELS, network.get_weights())
    for one, other in zip(ours, right, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


def test_a_step_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = make_peer("loops", small_workload(), 1)
    assert set(peer.tasks) == {TRAINING_STEP}
    seen = []
    gradients = loops.gradients

    def record(x: loops.Reals, *others: object) -> list[loops.Reals]:
        seen.append([each.copy() for each in others[1]])  # type: ignore[attr-defined]
        return gradients(x, *others)  # type: ignore[arg-type]

    task = peer.tasks[TRAINING_STEP](1)
    monkeypatch.setattr(loops, "gradients", record)
    task.call()
    task.call()
    assert all((before != after).any() for before, after in zip(*seen, strict=True))


def test_other_gradients_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "_softmax", np.negative)
    with pytest.raises(ValueError, match="loops does not compute what gpucnn does"):
        make_peer("loops", small_workload(), 1)


def test_another_model_is_refused() -> None:
    with pytest.raises(ValueError, match="loops are those of the notebook's network, not of lenet"):
        small_plan(peers=("loops",), model="lenet")
