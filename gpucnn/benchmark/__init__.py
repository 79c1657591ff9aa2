"""Benchmarks: gpucnn's devices and other libraries timed on the same work, with rooflines.

**The same work.** A preset of `gpucnn.models` without its dropout layers, whose random numbers
differ between libraries; the same initial weights, images and order of images. Before a peer is
timed, what it computes (logits, loss or gradients) is compared with gpucnn's.

**Interleaved.** Each round takes one sample of every contender, A B A B, so that other load on the
machine affects all of them alike, and round i of one can be compared with round i of another. A
sample repeats a call until it is long enough for the clock; samples on a GPU are timed with CUDA
events.

**One-time costs apart.** Import, compilation, transfer and warm-up are reported by themselves.
"""

from gpucnn.benchmark.peers import peer_names
from gpucnn.benchmark.plan import Plan
from gpucnn.benchmark.run import run_benchmark

PEERS = peer_names()

__all__ = ["PEERS", "Plan", "run_benchmark"]
