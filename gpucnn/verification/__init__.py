"""Two devices train the same model, and every difference is held to what rounding explains.

**Operation by operation.** Whatever a step of A's training computes, device B computes as well, one
operation at a time, from copies of the arrays that A had. Both results are held to the definition
of the operation in float64, within the bounds of `gpucnn.verification.bounds`. These are rigorous,
and each operation starts from the same numbers, so that no difference is passed on: a result beyond
its bound is a fault of that device in that operation. What an operation calls on its own device is
part of it. What a rigorous bound cannot see is a fault that is smaller than the rounding that it
allows: n eps of the absolute terms for a sum of n terms. In float32 that is some 1e-5 of the
gradient of a dense kernel, but some percent of that of a first convolution's, a sum over all
positions of all images, in which most cancels.

**Free-running.** The same model, from the same seed, trains on each device by itself, and the mean
loss of each of its steps is held to that of a learner on the CPU, within what `ensemble` shows
rounding to make of it. This checks what lies between the operations: memory, copies, the order of
things.
"""

from gpucnn.verification.verification import Finding, Verification

__all__ = ["Finding", "Verification"]
