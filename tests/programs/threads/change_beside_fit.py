"""While a model fits, a thread fits it too, and changes it: it is told that it may not."""

from threading import Event, Thread

from digits import new_model, train, weights, x, y

from gpucnn import Adam, GpucnnError

model, fitting, tried = new_model(), Event(), Event()
before = model.get_weights()


def change() -> None:
    fitting.wait()
    changes = {
        "fit": lambda: train(model),
        "compile": lambda: model.compile(Adam()),
        "set_weights": lambda: model.set_weights(before),
        "to": lambda: model.to("cpu"),
    }
    for name, attempt in changes.items():
        try:
            attempt()
        except GpucnnError as error:
            print(name, "is refused in", len(str(error).splitlines()), "line")
        else:
            print(name, "is done")
    tried.set()


def wait_once(_: object) -> None:
    fitting.set()
    tried.wait()


thread = Thread(target=change)
thread.start()
model.fit(x, y, batch_size=128, epochs=8, verbose=0, on_epoch_end=wait_once)
thread.join()
print("trained", weights(model))
