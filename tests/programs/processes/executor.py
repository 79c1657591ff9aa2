"""Models go to the processes of an executor and come back trained, by pickle."""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from digits import new_model, train, weights

if __name__ == "__main__":
    model = train(new_model())
    with ProcessPoolExecutor(2, multiprocessing.get_context(sys.argv[1])) as pool:
        for twice in pool.map(train, [model, model]):
            print("trained twice", weights(twice))
    print("trained", weights(model))
