import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmark.small_plan import small_plan, small_workload
from expect import refusal
from gpucnn.benchmark import PEERS, peers
from gpucnn.benchmark.contenders import TRAINING_STEP
from gpucnn.benchmark.peers import check_agreement, make_peer, peer_class, peer_names

ABACUS = """
from gpucnn.benchmark.peers import BasePeer
from gpucnn.benchmark.timing import Task

class Peer(BasePeer):
    def __init__(self, workload, threads):
        self.tasks = {"training step": lambda batch_size: Task(lambda: batch_size)}
"""


def test_peers_are_the_modules_of_the_folder_but_for_those_with_an_underscore() -> None:
    assert peer_names() == PEERS
    assert {"loops", "onnxruntime", "torch"} <= set(PEERS)
    assert not any(name.startswith("_") for name in PEERS)


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_has_the_name_of_its_module(name: str) -> None:
    assert peer_class(name).name == name


def test_a_peer_is_added_by_its_module_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "abacus.py").write_text(ABACUS)
    monkeypatch.setattr(peers, "__path__", [*peers.__path__, str(tmp_path)])
    monkeypatch.setitem(sys.modules, "gpucnn.benchmark.peers.abacus", None)
    del sys.modules["gpucnn.benchmark.peers.abacus"]  # as it is again after the test
    assert "abacus" in peer_names()
    assert small_plan(peers=("abacus",)).peers == ("abacus",)
    peer = make_peer("abacus", small_workload(), 1)
    assert (peer.name, peer.packages) == ("abacus", ())
    assert peer.tasks[TRAINING_STEP](4).call() == 4


def test_what_peers_time_is_not_imported_with_them() -> None:
    code = (
        "import sys\n"
        "from gpucnn.benchmark import PEERS\n"
        "from gpucnn.benchmark.peers import peer_class\n"
        "print({p for name in PEERS for p in peer_class(name).packages} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# Agreement

OURS = np.array([[1.0, -4.0], [2.0, 0.5]], np.float32)


def test_rounding_agrees() -> None:
    check_agreement("torch", "logits", OURS * np.float32(1 + 1e-6), OURS)


def test_what_else_differs_does_not() -> None:
    with refusal(
        "torch does not compute what gpucnn does: logits off by 0.01 where 0.0014 is allowed; "
        "leave the peer out"
    ):
        check_agreement("torch", "logits", OURS + np.float32(0.01), OURS)


def test_no_number_agrees_with_none() -> None:
    with pytest.raises(ValueError, match="loss off by nan"):
        check_agreement("torch", "loss", OURS * np.float32("nan"), OURS)


def test_more_digits_have_to_agree_in_float64() -> None:
    with pytest.raises(ValueError, match="does not compute"):
        check_agreement("torch", "loss", OURS * (1 + 1e-6), OURS.astype(np.float64))
