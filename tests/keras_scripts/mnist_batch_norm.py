"""Batch normalisation, augmentation, and callbacks that keep the best weights."""

import numpy as np

import gpucnn as keras
from gpucnn import layers

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = (np.expand_dims(each, -1) for each in (x_train, x_test))

model = keras.Sequential(
    [
        keras.Input(shape=(28, 28, 1)),
        layers.Rescaling(1.0 / 255),
        layers.RandomTranslation(0.05, 0.05, fill_mode="constant"),
        layers.Conv2D(16, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.Activation("relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, use_bias=False, kernel_regularizer=keras.regularizers.l2(1e-4)),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.1),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=0.01),
    loss=keras.losses.SparseCategoricalCrossentropy(),
    metrics=["accuracy"],
)
callbacks = [
    keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True),
    keras.callbacks.ModelCheckpoint("best.keras", monitor="val_accuracy", save_best_only=True),
    keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=1),
]
model.fit(
    x_train,
    y_train,
    batch_size=32,
    epochs=8,
    validation_split=0.1,
    callbacks=callbacks,
    verbose=2,
)
best = keras.models.load_model("best.keras")
print("best:", best.evaluate(x_test, y_test, verbose=0))
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print("accuracy:", accuracy)
