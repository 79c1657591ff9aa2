"""Replicas: flat vectors of parameters and gradients, and what computes with them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from gpucnn.backends import (
    ALONE,
    Array,
    Backend,
    Communicator,
    Shape,
)
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.layers import Batch, Layer, as_classifier, by_itself, is_of_whole_batch
from gpucnn.models.graph import Stretch, copied, layers_of
from gpucnn.models.replica.folding import FoldedLane, can_fold
from gpucnn.models.replica.lane import Lane
from gpucnn.models.replica.layout import (
    Parameter,
    lay_out,
    lay_out_state,
    of_elements,
    penalties_of,
    size_of,
)
from gpucnn.models.replica.objective import Objective
from gpucnn.models.replica.watched import Watched
from gpucnn.utils.arithmetic import ceil_div

LEAST_SHARD = 900_000
"""Multiply-adds of a shard's forward pass from which it pays for the synchronisation of ranks."""


class Replica:
    """Layers on a backend, with flat vectors of parameters, gradients and state.

    A batch is split into shards, up to one for each of the backend's threads, and a shard into
    microbatches of the size that suits the backend's caches. They go through the layers one after
    the other; but where a layer needs the whole batch, each in a lane of its own, layer by layer.

    Args:
        stretches: of layers that are built; they are placed here.
        backend: where they run.
        input_shape: of one image.
        dtype: real, of the model.
        objective: the loss, and what is predicted.

    Attributes:
        parameters: real (p,), initially zeros.
        gradients: real (p,).
        layout: the parameters that lie in both, in order.
        state: real (s,), what is saved but not trained; initially zeros.
        stretches: as given.
        plain: the layers as given.
        lane: runs them.
        can_record: whether a device can record what the layers and the loss compute.
        classifier: all layers and the loss as one operation, if they are one.
        is_penalized: whether there was a penalty on any parameter when they were taken.
    """

    def __init__(
        self,
        stretches: Sequence[Stretch],
        backend: Backend,
        input_shape: Shape,
        dtype: "np.dtype[np.floating]",
        objective: Objective = Objective(),  # noqa: B008 - it is immutable
    ) -> None:
        self.backend, self.dtype, self.objective = backend, dtype, objective
        self.stretches, self._input_shape = tuple(stretches), input_shape
        self.plain = layers = layers_of(stretches)
        self.layout = lay_out(layers)
        self.parameters = backend.zeros((size_of(self.layout),), dtype)
        self.gradients = backend.zeros(self.parameters.shape, dtype)
        self.state = backend.zeros((size_of(lay_out_state(layers)),), dtype)
        self.lane = self._make_lane(self.stretches, self.gradients)
        is_chain = len(self.stretches) == 1
        self.classifier = as_classifier(layers) if is_chain and objective.can_fuse_loss else None
        recorded = (*layers, objective.loss)
        self.can_record = all(each.is_recorded_on(host=backend.is_host) for each in recorded)
        self._weights = Watched([self.parameters, self.state], can_compare=backend.is_host)
        self._finite: int | None = None  # the changes of the weights when they were
        self._lanes, self._reserved = [self.lane], 0
        self._batches = [0, 0]  # for which memory is reserved, in inference and in training
        self._penalties, self.is_penalized = [0.0] * len(self.layout), False
        self._is_of_whole_batches = any(map(is_of_whole_batch, layers))
        self._least_shard, self._programs = LEAST_SHARD, 1
        self._shards: dict[int, list[slice]] = {}
        self._microbatches: dict[tuple[int, int], list[slice]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the layers without the vectors: in another process, these are zeros."""
        arguments = self.stretches, self.backend, self._input_shape, self.dtype, self.objective
        return Replica, arguments, {"_least_shard": self._least_shard, "_programs": self._programs}

    def twin(self) -> "Replica":
        """A copy with the same parameters and state, in memory of its own, for concurrent use."""
        backend = self.backend.twin()
        twin = Replica(
            copied(self.stretches), backend, self._input_shape, self.dtype, self.objective
        )
        for name, vector in self.vectors.items():
            twin.backend.copy(vector, twin.vectors[name])
        return twin

    @property
    def vectors(self) -> dict[str, Array]:
        """The flat vectors that training updates, by name, except those that are empty."""
        named = {"parameters": self.parameters, "state": self.state}
        return {name: vector for name, vector in named.items() if vector.size}

    def load(self, layout: Iterable[Parameter], values: Iterable[Array]) -> None:
        """Copy the values of parameters and of state, in the order of `layout`, to the vectors."""
        for parameter, each in zip(layout, values, strict=True):
            vector = self.parameters if parameter.is_trained else self.state
            self.backend.copy(each, parameter.view(vector))

    @property
    def is_known_finite(self) -> bool:
        """Whether the weights were found to be finite, and have not changed since."""
        return self._weights.notice() == self._finite

    @is_known_finite.setter
    def is_known_finite(self, is_known: bool) -> None:
        self._finite = self._weights.changes if is_known else None

    @property
    def largest_sum(self) -> int:
        """The bytes of the largest array that is summed over ranks."""
        return max(self.gradients.nbytes, self.state.nbytes)  # of two numbers a channel each

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers as they run, fused where the backend can, see `fuse`."""
        return self.lane.layers

    @property
    def settings(self) -> list[dict[str, Any]]:
        """The attributes of each of the layers as given, which a user may set between epochs."""
        return [layer.__getstate__() for layer in self.plain]

    @settings.setter
    def settings(self, settings: Sequence[dict[str, Any]]) -> None:
        for lane in self._lanes:
            for layer, mine in zip(lane.plain, settings, strict=True):
                vars(layer).update(mine)

    def _make_lane(self, stretches: Sequence[Stretch], gradients: Array) -> Lane:
        """A lane of this replica's parameters and state."""
        vectors = self.parameters, gradients, self.state
        of_model = self.backend, self._input_shape, self.dtype
        return Lane(stretches, *of_model, *vectors, self.objective)

    def session(self, images: int) -> AbstractContextManager[None]:
        """A session of the backend for the forward pass of `images` images."""
        return self.backend.session_of(self.inferring.bound.largest_product(images))

    # Shards and microbatches of a batch

    def multiply_adds(self, images: int) -> int:
        """The multiply-adds of the forward pass of `images` images."""
        return images * self._multiply_adds

    @cached_property
    def _multiply_adds(self) -> int:
        """Those of one image."""
        return sum(layer.multiply_adds() for layer in self.plain)

    def shards(self, batch: int) -> list[slice]:
        """The shards of a batch of `batch` images, in order.

        They depend on the size of the batch, the backend's number of threads and the number of
        programs alone, not on how many workers there are.
        """
        shards = self._shards.get(batch)
        if shards is None:
            count = self._count_shards(batch)
            shards = self._shards[batch] = list(split(slice(0, batch), count))
        return shards

    def spread_over(self, programs: int) -> None:
        """Split batches for several programs, each with the backend's number of threads."""
        if programs != self._programs:
            self._programs = programs
            self._shards.clear()
            self._batches = [0, 0]

    def shards_of_each(self, batch: int) -> int:
        """The most shards of a batch that one of the programs has."""
        return ceil_div(len(self.shards(batch)), self._programs)

    def microbatches(self, shard: slice) -> list[slice]:
        """The microbatches of a shard, in order, whose sizes differ by at most one."""
        bounds = shard.start, shard.stop
        microbatches = self._microbatches.get(bounds)
        if microbatches is None:
            limit = self._largest_microbatch
            count = 1 if limit is None else ceil_div(shard.stop - shard.start, limit)
            microbatches = self._microbatches[bounds] = list(split(shard, count))
        return microbatches

    def is_microbatch(self, batch: int) -> bool:
        """Whether a batch of `batch` images is a single microbatch."""
        return len(self.shards(batch)) == 1 and batch <= (self._largest_microbatch or batch)

    def reserve(self, batch: int, *, training: bool = False) -> None:
        """Reserve memory for batches of up to `batch` images, with gradients if `training`."""
        if batch <= self._batches[training]:
            return
        largest = self._largest_shard(batch)
        if self._largest_microbatch is not None:
            largest = min(largest, self._largest_microbatch)
        self._reserved = max(self._reserved, largest)
        for lane in self._lanes:
            lane.reserve(largest, training=training)
        self._batches[training] = batch

    @cached_property
    def _largest_microbatch(self) -> int | None:
        """The maximum number of images in a microbatch; None for no limit."""
        each = sum(buffer.size(self.dtype) for buffer in self.lane.buffers())
        return self.backend.images_at_once(each)

    def _count_shards(self, batch: int) -> int:
        worth = self.multiply_adds(batch) // self._least_shard
        return max(min(self.backend.threads * self._programs, worth, batch), 1)

    def _largest_shard(self, batch: int) -> int:
        """The largest shard, in images, of all batches of up to `batch` images.

        It may be that of a smaller batch which is just too small for one more shard.
        """
        count, each = self._count_shards(batch), max(self.multiply_adds(1), 1)
        fullest = [min(batch, ((n + 1) * self._least_shard - 1) // each) for n in range(1, count)]
        return max(ceil_div(images, shards) for shards, images in enumerate([*fullest, batch], 1))

    # Inference

    def prepare_inference(self, batch: int) -> None:
        """Reserve memory for batches of up to `batch` images, and let them follow the weights.

        To be called before `inferring` computes once the weights may have changed.
        """
        self._weights.notice()
        self.prepare_noticed(batch)

    def prepare_noticed(self, batch: int) -> None:
        """The same if `is_known_finite` was asked, which has seen whether they have changed."""
        self.reserve(batch)
        folded = self._folded
        if folded is not None:
            folded.reserve(self._reserved, training=False)
        self.inferring.follow(self._weights.changes)

    def infer(self, x: Array) -> Array:
        """What the loss takes of a C-contiguous microbatch, see `Lane.infer`."""
        return self.inferring.infer(x)

    @property
    def inferring(self) -> Lane:
        """The lane for inference."""
        return self._folded or self.lane

    @cached_property
    def _folded(self) -> FoldedLane | None:
        """A lane for inference, if any layers can be folded; else that of training does."""
        if not can_fold(self.stretches):
            return None
        of_model = self.backend, self._input_shape, self.dtype, self.objective
        return FoldedLane(self.stretches, *of_model)

    # Gradients of a batch

    def loss_and_gradients(self, data: DeviceDataset) -> tuple[float, Array]:
        """The mean loss over all images of `data`, and its gradients, without dropout.

        Returns:
            The loss, and real (p,), which the next call overwrites.
        """
        backend, count = self.backend, len(data)
        assert data.labels is not None
        losses, correct = (backend.empty((count,), self.dtype) for _ in range(2))
        indices = backend.asarray(np.arange(count, dtype=np.int64))
        position = backend.zeros((2,), np.int64)
        batch = Batch(data.labels, indices, position, count, losses, correct)
        self.reserve(count, training=True)
        gradients = self.accumulate_gradients(self.shards(count), data, batch, None)
        penalty = self.penalty()  # which takes those that the layers have
        self.penalize(gradients, position, backend.zeros((1,), self.dtype))
        loss = float(backend.to_host(losses).mean(dtype=np.float64))
        return loss + penalty, gradients

    def accumulate_gradients(
        self,
        shards: Sequence[slice],
        data: DeviceDataset,
        batch: Batch,
        step: Array | None,
        communicator: Communicator = ALONE,
    ) -> Array:
        """The gradients of the batch's mean loss over some of its shards, summed in their order.

        For the same shards and arrays this is the same sequence of operations on the same memory.

        Args:
            shards: of the batch, in order; empty for a rank without work.
            data: all images.
            batch: the metrics of the shards' images are written.
            step: int64 (1,), the number of the training step; None without dropout.
            communicator: of the ranks that have the other shards.

        Returns:
            real (p,), which the next call overwrites; not set if there are no shards.
        """
        if self._is_of_whole_batches:
            return self._accumulate_in_lanes(shards, data, batch, step, communicator)
        return self._accumulate_in_turn(shards, data, batch, step)

    # Penalties

    def take_penalties(self) -> None:
        """Take the penalties that the layers have now, which a user may set."""
        penalties = penalties_of(self.layout)
        if penalties != self._penalties:
            self._penalties, self.is_penalized = penalties, any(penalties)
            self.backend.copy(of_elements(penalties, self.layout), self._penalty_factors)

    @cached_property
    def _penalty_factors(self) -> Array:
        """Of each element, real (p,); kept, since recorded steps read it."""
        return self.backend.empty(self.parameters.shape, self.dtype)

    def penalty(self) -> float:
        """The penalty that the layers now put on the parameters as they are; part of the loss."""
        self.take_penalties()
        if not self.is_penalized:
            return 0.0
        parameters = self.backend.to_host(self.parameters).astype(np.float64)
        return float(of_elements(self._penalties, self.layout) @ parameters**2)

    def penalize(self, gradients: Array, position: Array, penalties: Array) -> None:
        """Add the gradient of the penalty to that of a batch, and store the penalty.

        The penalties are those that were taken.

        Args:
            gradients: real (p,), updated.
            position: int64 (2,), that of the batch, see `Data`.
            penalties: real (batches,), of which one is written.
        """
        if self.is_penalized:
            factors = self._penalty_factors
            self.backend.penalize(self.parameters, factors, gradients, position, penalties)

    def update_state(self) -> None:
        """Update the state by the batch whose gradients were accumulated last."""
        self.lane.update_state()

    # Microbatches one after the other

    def _accumulate_in_turn(
        self, shards: Sequence[slice], data: DeviceDataset, batch: Batch, step: Array | None
    ) -> Array:
        for shard in shards:
            self._accumulate_shard(shard, data, batch, step)
            if len(shards) > 1 and shard is shards[0]:
                self.backend.copy(self.gradients, self._shard_sum)
            elif len(shards) > 1:
                self.backend.accumulate(self.gradients, self._shard_sum)
        return self._shard_sum if len(shards) > 1 else self.gradients

    def _accumulate_shard(
        self, shard: slice, data: DeviceDataset, batch: Batch, step: Array | None
    ) -> None:
        """Compute in `gradients` the gradients of the batch's mean loss over a shard."""
        microbatches = self.microbatches(shard)
        for rows in microbatches:
            by_itself(self.lane.compute_gradients(rows, data, batch, step))
            self._add_microbatch(is_first=rows is microbatches[0], is_last=rows is microbatches[-1])

    def _add_microbatch(self, *, is_first: bool, is_last: bool) -> None:
        """Add `gradients` to the sum over microbatches; the last one leaves the sum in them."""
        if is_first and is_last:
            return
        if is_first:
            self.backend.copy(self.gradients, self._microbatch_sum)
        elif is_last:
            self.backend.accumulate(self._microbatch_sum, self.gradients)
        else:
            self.backend.accumulate(self.gradients, self._microbatch_sum)

    @cached_property
    def _microbatch_sum(self) -> Array:
        return self.backend.empty(self.gradients.shape, self.dtype)

    @cached_property
    def _shard_sum(self) -> Array:
        return self.backend.empty(self.gradients.shape, self.dtype)

    # Microbatches side by side, layer by layer

    def _accumulate_in_lanes(
        self,
        shards: Sequence[slice],
        data: DeviceDataset,
        batch: Batch,
        step: Array | None,
        communicator: Communicator,
    ) -> Array:
        parts = [self.microbatches(shard) for shard in shards]
        contributors = len(self.shards(len(batch.indices)))
        lanes = self._lanes_for(parts)
        runs = [
            lane.compute_gradients(rows, data, batch, step)
            for lane, rows in zip(lanes, chain(*parts), strict=False)
        ]
        if not parts and contributors > 1:
            runs = [self.lane.idle()]
        sizes = [len(part) for part in parts]
        for arrays in zip(*runs, strict=True):
            total = self._add_up(arrays, sizes)
            if contributors > 1:  # else the other ranks have nothing to add, and are not there
                self.backend.call(communicator.all_reduce, total, contributors)
            for array in arrays[1:]:
                self.backend.copy(total, array)
        return self._add_up([lane.gradients for lane in lanes], sizes)

    def _lanes_for(self, parts: Sequence[Sequence[slice]]) -> list[Lane]:
        """A lane for each microbatch of some shards, the first of which is `lane`."""
        needed = max(sum(map(len, parts)), 1)
        while len(self._lanes) < needed:
            gradients = self.backend.empty(self.gradients.shape, self.dtype)
            lane = self._make_lane(copied(self.stretches), gradients)
            lane.reserve(self._reserved, training=True)
            self._lanes.append(lane)
        return self._lanes[:needed]

    def _add_up(self, arrays: Sequence[Array], sizes: Sequence[int]) -> Array:
        """Sum the arrays of microbatches, those of each shard first, into the first of them.

        So the bytes of the sum are the same, whichever ranks have the shards.

        Args:
            arrays: of all microbatches.
            sizes: the number of microbatches of each shard.
        """
        mine = iter(arrays)
        sums = []
        for size in sizes:
            of_shard = next(mine)
            for _ in range(size - 1):
                self.backend.accumulate(next(mine), of_shard)
            sums.append(of_shard)
        for each in sums[1:]:
            self.backend.accumulate(each, sums[0])
        return arrays[0]


def split(whole: slice, count: int) -> Iterator[slice]:
    """Split a range into `count` consecutive ranges whose sizes differ by at most one."""
    size = whole.stop - whole.start
    for number in range(count):
        start, stop = size * number // count, size * (number + 1) // count
        yield slice(whole.start + start, whole.start + stop)
