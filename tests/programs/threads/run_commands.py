"""A thread runs commands, and talks to one that was started before, while a model fits."""

import subprocess
from threading import Event, Thread

from digits import x, y

import gpucnn

model = gpucnn.models.lenet(device="cpu", threads=2)
fitting, finished = Event(), Event()
echo = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def talk() -> None:
    fitting.wait()
    finished.wait(0.2)  # by then the second epoch is under way
    while not finished.is_set():
        subprocess.run(["true"], capture_output=True, check=True)
        if echo.stdin and not echo.stdin.closed:
            reply, _ = echo.communicate(b"hello")  # which lasts until `cat` sees the end of it
            print(reply.decode(), "while it fits:", not finished.is_set())


def count(record: dict[str, float]) -> None:
    (fitting if record["epoch"] == 1 else finished).set()


thread = Thread(target=talk)
thread.start()
model.fit(x, y, batch_size=128, epochs=2, verbose=0, on_epoch_end=count)
thread.join()
