"""A dense network on Fashion-MNIST, and the probabilities of what it predicts."""

import numpy as np

import gpucnn as keras

(train_images, train_labels), (test_images, test_labels) = keras.datasets.fashion_mnist.load_data()
train_images, test_images = train_images / 255.0, test_images / 255.0

model = keras.Sequential(
    [
        keras.layers.Flatten(input_shape=(28, 28)),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(10),
    ]
)
model.compile(
    optimizer="adam",
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(train_images, train_labels, epochs=5)
test_loss, test_accuracy = model.evaluate(test_images, test_labels, verbose=2)
print("test accuracy", test_accuracy)

probability_model = keras.Sequential([model, keras.layers.Softmax()])
predictions = probability_model.predict(test_images)
assert np.allclose(predictions.sum(axis=1), 1, atol=1e-5)
one = np.expand_dims(test_images[1], 0)
single = probability_model.predict(one)
assert np.argmax(single[0]) == np.argmax(predictions[1])
print("accuracy:", np.mean(np.argmax(predictions, axis=1) == test_labels))
