"""While a model fits, a thread fits it too, and changes it: it is told that it may not."""

from collections.abc import Callable
from threading import Event, Thread

from digits import EPOCHS, new_model, train, weights, x, y

from gpucnn import Adam, GpucnnError

model, fitting, tried = new_model(), Event(), Event()
before = model.get_weights()


def attempt(name: str, change: Callable[[], object]) -> None:
    try:
        change()
    except GpucnnError as error:
        print(name, "is refused in", len(str(error).splitlines()), "line")
    else:
        print(name, "is done")


def change() -> None:
    fitting.wait()
    attempt("fit", lambda: train(model))
    attempt("compile", lambda: model.compile(Adam()))
    attempt("set_weights", lambda: model.set_weights(before))
    attempt("to", lambda: model.to("cpu"))
    tried.set()


def wait_once(_: object) -> None:
    fitting.set()
    tried.wait()


thread = Thread(target=change)
thread.start()
model.fit(x, y, batch_size=128, epochs=EPOCHS, verbose=0, on_epoch_end=wait_once)
thread.join()
print("trained", weights(model))
