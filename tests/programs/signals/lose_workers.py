"""A program that loses its other processes while it fits, and fits again."""

import signal
import sys

from digits import LONG, new_model, train, weights, x, y

from gpucnn import GpucnnError


def tell(record: dict[str, float]) -> None:
    if record["epoch"] == 10:
        print("fitting", flush=True)


if sys.argv[1] == "ignored":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
model = new_model()
try:
    model.fit(x, y, batch_size=128, epochs=LONG, verbose=0, on_epoch_end=tell)
except GpucnnError as error:
    print("refused in", len(str(error).splitlines()), "line")
else:
    print("trained", weights(model))
print("trained", weights(train(new_model())))
