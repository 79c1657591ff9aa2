"""A process is forked by a thread while its model fits; the child has a model of its own."""

import os
import warnings
from threading import Thread

from digits import EPOCHS, new_model, train, weights, x, y

warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
model = new_model()


def fork() -> None:
    child = os.fork()
    if child == 0:
        print("child: trained", weights(train(new_model())), flush=True)
        model.predict(x[:10])
        print("child: predicts", flush=True)
        os._exit(0)
    os.waitpid(child, 0)


def fork_once(record: dict[str, float]) -> None:
    if record["epoch"] == 3:
        threads.append(Thread(target=fork))
        threads[0].start()


threads: list[Thread] = []
model.fit(x, y, batch_size=128, epochs=EPOCHS, verbose=0, on_epoch_end=fork_once)
threads[0].join()
print("trained", weights(model))
