"""Shared memory is full when a model is trained."""

from pathlib import Path

from digits import answers, new_model, train, weights, x_test

try:
    with Path("/dev/shm/full").open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
except OSError:
    pass
model = train(new_model())
print("trained", weights(model))
print("predicted", answers(model.predict(x_test)))
