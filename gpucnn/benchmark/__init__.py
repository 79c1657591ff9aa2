"""Devices and peers timed on the same work, in turn, with what bounds them measured beside it.

**The same work.** A preset of `gpucnn.models` without its dropout layers, which every library draws
in another way; the same initial weights, images and order of images. Before a peer is timed, its
logits, its loss and its gradients are held to gpucnn's.

**In turn.** Each round takes every subject once, A B A B, so that what else the machine does meets
all alike, and round i of one is to be compared with round i of the other. A sample repeats a call
until it lasts long enough for the clock; a GPU's samples are timed by its own events.

**Apart.** What is paid once is reported by itself: import, compilation, transfer and warm-up.
"""

from gpucnn.benchmark.benchmark import run_benchmark
from gpucnn.benchmark.plan import PEERS, Plan

__all__ = ["PEERS", "Plan", "run_benchmark"]
