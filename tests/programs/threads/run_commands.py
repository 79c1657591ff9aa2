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
    finished.wait(0.2)  # by then the epoch is under way
    while not finished.is_set():
        subprocess.run(["true"], capture_output=True, check=True)
        if echo.stdin and not echo.stdin.closed:
            reply, _ = echo.communicate(b"hello")  # which lasts until `cat` sees the end of it
            print(reply.decode(), "while it fits:", not finished.is_set())


thread = Thread(target=talk)
thread.start()
fitting.set()
model.fit(x, y, batch_size=128, verbose=0)
finished.set()
thread.join()
