"""A program becomes a daemon, as services do, and trains as one."""

import os
from pathlib import Path

from digits import new_model, train, weights

train(new_model(), epochs=1)  # before, it has done something already
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
nowhere = os.open(os.devnull, os.O_RDWR)
for stream in range(3):
    os.dup2(nowhere, stream)
text = f"trained {weights(train(new_model()))}\n"
Path("part").write_text(text)
Path("part").rename("result")
