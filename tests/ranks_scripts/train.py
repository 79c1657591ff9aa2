"""Trains a model as its arguments say; prints a digest of all that came of it.

Each rank prints the same, if all is well: so the lines of all are one line, repeated.
"""

import sys
from hashlib import sha256

import numpy as np

import gpucnn
from gpucnn import callbacks, layers

HELD_OUT = 100


class Stopping(callbacks.Callback):
    """Stops the training on the last rank alone."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = gpucnn.rank() == gpucnn.world_size() - 1


class Batches(gpucnn.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        some = slice(64 * index, 64 * index + 64)
        return x[some], y[some]


def stack(kind):
    if kind == "classifier":
        return [
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10),
        ]
    if kind == "last_image":
        first = [layers.Conv2D(8, 3), layers.BatchNormalization(), layers.ReLU()]
    else:
        first = [layers.Conv2D(8, 3, activation="relu")]
    last = [layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(0.25), layers.Dense(10)]
    return [*first, *last]


def residual(**options):
    images = gpucnn.Input((28, 28, 1))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(images))
    x = layers.MaxPooling2D()(layers.ReLU()(x))
    y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(x))
    x = layers.Flatten()(layers.ReLU()(layers.Add()([x, y])))
    return gpucnn.Model(images, layers.Dense(10)(layers.Dropout(0.25)(x)), **options)


kind, device, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
draw = np.random.default_rng(0)
trained_on = 193 if kind == "last_image" else 300  # in batches of 64
count = trained_on + HELD_OUT if device == "cpu" else 64
x = draw.integers(0, 256, (count, 28, 28, 1), np.uint8)
y = draw.integers(0, 10, count)
options = {"device": device, "threads": threads, "seed": 5}
branches = kind == "residual"
model = residual(**options) if branches else gpucnn.Sequential(stack(kind), **options)
metrics = [gpucnn.metrics.Precision(average="macro")] if kind == "metrics" else []
loss = gpucnn.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile("adam", loss, ["accuracy", *metrics])
fitted = {"epochs": 3 if device == "cpu" else 1, "verbose": 0}
if kind == "iterable":
    model.fit(Batches(), **fitted)
else:
    told = [Stopping()] if kind == "stop" else []
    split = HELD_OUT / count if device == "cpu" else 0.0
    model.fit(x, y, 64, validation_split=split, callbacks=told, **fitted)
epochs = [
    {name: value for name, value in record.items() if "second" not in name}
    for record in model.history.epochs
]
weights = b"".join(each.tobytes() for each in model.get_weights())
digest = sha256(weights + repr(epochs).encode()).hexdigest()[:16]
# At once, unlike print: other ranks write at the same time.
sys.stdout.write(f"{len(epochs)} {epochs[-1]['loss']:.4f} {digest}\n")
