"""Trains on several ranks, with the fault of its argument on rank 1, or on all."""

import os
import signal
import sys

import numpy as np

import gpucnn
from gpucnn import callbacks, layers
from gpucnn.backends.ranks.world import _shared_files

fault, is_faulty = sys.argv[1], gpucnn.rank() == 1


class Fault(callbacks.Callback):
    def on_train_begin(self, logs=None):
        if "SHOWS_FILES" in os.environ and gpucnn.rank() == 0:
            sys.stdout.write("\n".join(_shared_files()) + "\n")

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1 and is_faulty and fault in FAULTS:
            FAULTS[fault]()


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def fail():
    raise KeyError("a fault")


def run_out_of_memory():
    raise MemoryError


FAULTS = {
    "killed": kill,
    "error": fail,
    "memory": run_out_of_memory,
    "exit": lambda: sys.exit(3),
    "hard exit": lambda: os._exit(0),
}

if is_faulty and fault == "error before":
    fail()
if is_faulty and fault == "end before":
    sys.exit()
if is_faulty and fault == "version":
    import gpucnn.models.trainable as trainable

    trainable.__version__ = "0.0.1"
draw = np.random.default_rng(1 if is_faulty and fault == "images" else 0)
x, y = draw.integers(0, 256, (256, 28, 28, 1), np.uint8), np.arange(256) % 10
model = gpucnn.Sequential(
    [
        gpucnn.Input((28, 28, 1)),
        layers.Conv2D(8, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(10),
    ],
    device="cuda:99" if is_faulty and fault == "device" else "cpu",
    threads=1,
    seed=1 if is_faulty and fault == "seed" else 0,
)
model.compile("sgd")
if is_faulty and fault == "weights":
    model.set_weights([each + 1 for each in model.get_weights()])
batch = 2 if fault == "few images" else 64
if fault in ("sharded batches", "fewer batches"):
    of_rank = {"sharded batches": slice(gpucnn.rank(), None, 3)}
    rows = np.arange(256)[of_rank.get(fault, slice(128 if is_faulty else 256))]
    batches = [(x[some], y[some]) for some in np.array_split(rows, 2)]
    model.fit(batches, epochs=3, verbose=0)
else:
    model.fit(x, y, batch, epochs=3, verbose=0, callbacks=[Fault()])
# At once, unlike print: other ranks write at the same time.
sys.stdout.write("trained\n")
