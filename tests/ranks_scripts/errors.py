"""Trains again and again, with errors that the program handles, as its argument says."""

import sys
import threading
import warnings

import numpy as np

import gpucnn
from gpucnn import callbacks, layers

case, rank = sys.argv[1], gpucnn.rank()
draw = np.random.default_rng(0)
x, y = draw.integers(0, 256, (128, 28, 28, 1), np.uint8), np.arange(128) % 10


class Raising(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if case == "all" or (case == "one" and rank == 1):
            raise KeyError("a fault")
        if case == "rate" and rank == 0:
            self.model.optimizer.learning_rate = 0.5


def say(text):
    sys.stdout.write(f"{text}\n")  # at once, unlike print: other ranks write at the same time


def train(learning_rate=0.01, told=()):
    stack = [layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()]
    model = gpucnn.Sequential([*stack, layers.Dense(10)], device="cpu", threads=1, seed=0)
    model.compile(gpucnn.SGD(learning_rate))
    try:
        model.fit(x, y, 64, epochs=2, verbose=0, callbacks=list(told))
    except (KeyError, RuntimeError, ValueError) as error:
        say(f"{type(error).__name__}: {error}")
    else:
        say("trained")


if case == "divergence":
    warnings.simplefilter("ignore")
    train(1e30)
    train()
elif case == "threads":
    busy = threading.Event()

    class Waiting(callbacks.Callback):
        def on_train_begin(self, logs=None):
            train()
            busy.set()

    thread = threading.Thread(target=train, args=(0.01, [Waiting()]))
    thread.start()
    thread.join()
else:
    train(told=[Raising()])
    train()
