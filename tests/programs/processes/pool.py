"""A pool of processes, started in a way of the user's choice: each trains, each predicts."""

import multiprocessing
import sys

import numpy as np
from digits import answers, new_model, train, weights, x_test


def train_one(_: int) -> str:
    return weights(train(new_model()))


def predict(parameters: list[np.ndarray]) -> str:
    model = new_model()
    model.set_weights(parameters)
    return answers(model.predict(x_test))


if __name__ == "__main__":
    model = train(new_model())
    context = multiprocessing.get_context(sys.argv[1])
    with context.Pool(2) as pool:
        trained = pool.map(train_one, range(2))
        predicted = pool.map(predict, [model.get_weights()] * 2)
        pool.close()
        pool.join()
    for each in trained:
        print("trained", each)
    for each in predicted:
        print("predicted", each)
