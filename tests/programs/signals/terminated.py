"""A service that is told to end by SIGTERM while it fits, and says good-bye."""

import signal
import sys

from digits import new_model, x, y


def end(*_: object) -> None:
    print("good-bye")
    sys.exit(3)


if sys.argv[1] == "handled":
    signal.signal(signal.SIGTERM, end)
print("fitting", flush=True)
new_model().fit(x, y, batch_size=128, epochs=1_000_000, verbose=0)
