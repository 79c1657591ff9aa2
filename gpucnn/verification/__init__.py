"""Verification of two devices: both train one model, and may differ by no more than rounding.

**Operation by operation.** A step is taken three times: on A with each layer by itself, on A as it
trains, and on B as it trains, with layers fused where the device fuses them. Every operation is
repeated on the other device, from copies of its arrays. Both results are compared with the
operation's definition in float64, within the bounds of `gpucnn.verification.bounds`. The bounds are
rigorous, and every operation starts from the same numbers, so that differences do not propagate: a
result beyond its bound is a fault of that device in that operation. Whatever an operation calls on
its own device is part of it. What has been compared in a step is not compared again. A rigorous
bound cannot reveal a fault smaller than the rounding it allows: n eps times the absolute terms of a
sum of n terms. In float32 that is some 1e-5 of the gradient of a dense kernel, but some percent of
that of a first convolution's, a sum over all positions of all images, in which most terms cancel.

**Free-running.** The same model, from the same seed, trains on each device independently, fused and
recorded as `fit` does, and the mean loss of each step is compared with that of a learner on the
CPU, within the effect of rounding as measured by `ensemble`. This checks what lies between the
operations: memory, copies, order.
"""

from gpucnn.verification.verification import Finding, Verification

__all__ = ["Finding", "Verification"]
