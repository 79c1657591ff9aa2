"""A dense network on MNIST, layer by layer, with logits, callbacks and predicted classes."""

import numpy as np

import gpucnn as keras
from gpucnn.callbacks import EarlyStopping, ModelCheckpoint
from gpucnn.layers import Dense, Dropout, Flatten
from gpucnn.models import Sequential, load_model
from gpucnn.optimizers import Adam
from gpucnn.utils import set_random_seed

set_random_seed(42)
(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = x_train / 255.0, x_test / 255.0

model = Sequential()
model.add(Flatten(input_shape=(28, 28)))
model.add(Dense(128, activation="relu"))
model.add(Dropout(0.2))
model.add(Dense(10))
model.compile(
    optimizer=Adam(learning_rate=0.002),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(
    x_train,
    y_train,
    epochs=5,
    validation_data=(x_test, y_test),
    callbacks=[
        EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True),
        ModelCheckpoint("best.safetensors", save_best_only=True),
    ],
    verbose=2,
)

loss, accuracy = model.evaluate(x_test, y_test, verbose=2)
best = load_model("best.safetensors")
classes = np.argmax(best.predict(x_test), axis=1)
print("accuracy:", np.mean(classes == y_test))
