"""A thread multiplies PyTorch's tensors all the time while a model fits."""

from threading import Event, Thread

import torch
from digits import new_model, train, weights

matrix = torch.rand(600, 600)
product = matrix @ matrix
done = Event()
differences = []


def multiply() -> None:
    while not done.is_set():
        differences.append(float((matrix @ matrix - product).abs().max()))


thread = Thread(target=multiply)
thread.start()
print("trained", weights(train(new_model())))
done.set()
thread.join()
print("products agree", max(differences) < 1e-2)
