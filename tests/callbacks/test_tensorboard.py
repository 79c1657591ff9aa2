"""The files of TensorBoard, read back as what they are: records of protocol buffers."""

import struct
import sys
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pytest

import small
from callbacks.made_up import run
from expect import refusal
from gpucnn import SGD, ExponentialDecay
from gpucnn.callbacks import LambdaCallback, TensorBoard
from gpucnn.errors import MissingExtraError

X, Y = small.images(12), small.labels(12)

Scalars = dict[str, list[tuple[int, float]]]
"""The step and the value of each scalar, by name."""


def scalars(folder: Path) -> Scalars:
    """What the only file of a folder holds.

    A record is its length, a checksum of that, the event, and a checksum of the event.
    """
    from tensorboardX.proto.event_pb2 import Event

    (file,) = folder.iterdir()
    content, found, start = file.read_bytes(), Scalars(), 0
    while start < len(content):
        (length,) = struct.unpack_from("<Q", content, start)
        event = Event.FromString(content[start + 12 : start + 12 + length])
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
        start += 12 + length + 4
    return found


def test_scalars_of_each_epoch(tmp_path: Path) -> None:
    run(TensorBoard(tmp_path), [3, 2], rate=0.25)
    assert scalars(tmp_path / "train") == {
        "epoch_learning_rate": [(0, 0.25), (1, 0.25)],
        "epoch_loss": [(0, 0.5), (1, 0.5)],
    }
    assert scalars(tmp_path / "validation") == {"epoch_loss": [(0, 3), (1, 2)]}


def test_without_validation_there_is_one_folder(tmp_path: Path) -> None:
    run(TensorBoard(str(tmp_path)), [0.5], name="accuracy")
    assert [each.name for each in tmp_path.iterdir()] == ["train"]
    assert scalars(tmp_path / "train")["epoch_accuracy"] == [(0, 0.5)]


def test_scalars_that_a_callback_adds(tmp_path: Path) -> None:
    adding = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(mine=np.float32(0.5)))
    run([adding, TensorBoard(tmp_path)], [3])
    assert scalars(tmp_path / "train")["epoch_mine"] == [(0, 0.5)]


@pytest.mark.parametrize("value", [[[1, 2], [3, 4]], float("nan"), "text"])
def test_what_is_no_number_is_left_out(tmp_path: Path, value: Any) -> None:
    run(TensorBoard(tmp_path), [value], name="confusion_matrix")
    assert list(scalars(tmp_path / "train")) == ["epoch_loss", "epoch_learning_rate"]


def test_a_training(tmp_path: Path) -> None:
    """The epochs of a second `fit` follow on those of the first where it is told so."""
    model, board = small.model(SGD(ExponentialDecay(1.0, 1, 0.5))), TensorBoard(tmp_path / "logs")
    history = model.fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=[board])
    found = scalars(tmp_path / "logs" / "train")
    assert found["epoch_learning_rate"] == [(0, 0.5**3), (1, 0.5**6)]  # of the next step
    steps, losses = zip(*found["epoch_loss"], strict=True)
    assert steps == (0, 1)
    assert list(losses) == pytest.approx(history.history["loss"], rel=1e-6)
    again = TensorBoard(tmp_path / "more")
    model.fit(X, Y, batch_size=4, epochs=3, initial_epoch=2, verbose=0, callbacks=[again])
    assert scalars(tmp_path / "more" / "train")["epoch_learning_rate"] == [(2, 0.5**9)]


def test_it_can_be_read_during_the_training(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path)
    board.set_model(small.model(SGD(0.5)))
    board.on_epoch_end(0, {"loss": 0.5})
    for _ in range(600):
        if "epoch_loss" in scalars(tmp_path / "train"):
            break
        sleep(0.1)
    assert scalars(tmp_path / "train")["epoch_loss"] == [(0, 0.5)]
    board.on_train_end()


def test_what_it_needs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with refusal(
        "TensorBoard needs tensorboardX, which is not installed: pip install 'gpucnn[tensorboard]'",
        MissingExtraError,
    ):
        TensorBoard()
