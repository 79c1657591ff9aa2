"""A thread multiplies matrices all the time while a model fits: the libraries of both are one."""

from threading import Event, Thread

import numpy as np
from digits import new_model, train, weights

matrix = np.random.default_rng(0).standard_normal((600, 600), np.float32)
product = matrix @ matrix
done = Event()
differences = []


def multiply() -> None:
    while not done.is_set():
        differences.append(float(abs(matrix @ matrix - product).max()))


thread = Thread(target=multiply)
thread.start()
print("trained", weights(train(new_model())))
done.set()
thread.join()
print("products agree", max(differences) < 1e-3)
