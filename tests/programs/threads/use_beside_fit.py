"""While a model fits, a thread reads, measures, saves and uses it: always as after an epoch."""

from threading import Event, Thread

from digits import EPOCHS, new_model, weights, x, x_test, y, y_test

from gpucnn import Sequential

model, finished = new_model(), Event()
after_epoch = {}  # what the model answers, by its weights
images, labels = x_test[:200], y_test[:200]


def remember(_: object = None) -> None:
    twin = new_model()
    twin.set_weights(model.get_weights())
    after_epoch[weights(twin)] = (twin.predict(images).tobytes(), twin.evaluate(images, labels))


remember()
seen: list[set[object]] = [set(), set(), set(), set()]


def look() -> None:
    while not finished.is_set():
        seen[0].add(weights(model))
        model.save("model.safetensors")
        seen[1].add(weights(Sequential.load("model.safetensors", device="cpu")))
        seen[2].add(model.predict(images).tobytes())
        seen[3].add(model.evaluate(images, labels))


thread = Thread(target=look)
thread.start()
model.fit(x, y, batch_size=128, epochs=EPOCHS, verbose=0, on_epoch_end=remember)
finished.set()
thread.join()
predicted, measured = ({each[i] for each in after_epoch.values()} for i in (0, 1))
print("weights", seen[0] <= set(after_epoch))
print("saved", seen[1] <= set(after_epoch))
print("predicted", seen[2] <= predicted)
print("measured", seen[3] <= measured)
print("trained", weights(model))
