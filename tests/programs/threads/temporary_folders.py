"""Threads keep a temporary folder each, which goes with the thread, while a model fits."""

from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier, Thread, local

from digits import new_model, train, weights

mine = local()
fitted, made = Barrier(3), Barrier(3)
kept = []


def work() -> None:
    mine.folder = TemporaryDirectory()
    made.wait()
    fitted.wait()
    kept.append(Path(mine.folder.name).is_dir())
    mine.folder.cleanup()


threads = [Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
made.wait()
print("trained", weights(train(new_model())))
fitted.wait()
for thread in threads:
    thread.join()
print("kept", kept)
