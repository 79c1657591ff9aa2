"""Arrays by name: labelled images and their metrics, as they are shared with workers, or kept."""

from typing import Any

from gpucnn.backends import Array
from gpucnn.datasets.device_dataset import DeviceDataset, label_dtype
from gpucnn.metrics import Measures
from gpucnn.models.data import Chunk, ChunkLayout, Labelled
from gpucnn.models.replica import Replica
from gpucnn.models.training.metrics import Metrics, kinds_of_metrics
from gpucnn.models.training.sharing import Arrays

TEST = "test "
"""What the names of arrays of validation data begin with."""


def memory_of(
    prefix: str, data: Labelled | ChunkLayout, replica: Replica, measures: Measures
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays that are given, and the kinds of those to be allocated, by name."""
    if isinstance(data, Labelled):
        kinds = metric_kinds(prefix, len(data.images), replica, measures)
        return labelled_arrays(prefix, data, replica), kinds
    kinds = {prefix + name: kind for name, kind in data.kinds.items()}
    return {}, kinds | metric_kinds(prefix, data.images, replica, measures)


def chunk_of(prefix: str, layout: ChunkLayout, arrays: Arrays, replica: Replica) -> Chunk:
    """The memory of a chunk: on the host that of the trainer itself."""
    if not replica.backend.is_host:
        return Chunk(layout)
    return Chunk(layout, {name: arrays[prefix + name] for name in layout.kinds}, is_on_device=True)


def labelled_arrays(prefix: str, data: Labelled, replica: Replica) -> dict[str, Array]:
    """Images, labels and weights by name."""
    labels = data.labels.astype(label_dtype(data.labels, replica.dtype), copy=False)
    named = {"images": data.images, "labels": labels, "weights": data.weights}
    return {prefix + name: each for name, each in named.items() if each is not None}


def data_of(prefix: str, arrays: Arrays, replica: Replica) -> DeviceDataset:
    """The images with what belongs to them, on the device of a replica."""
    labels, weights = (arrays.get(prefix + name) for name in ("labels", "weights"))
    images = arrays[prefix + "images"]
    return DeviceDataset(replica.backend, replica.dtype, images, labels, weights)


def metric_kinds(prefix: str, count: int, replica: Replica, measures: Measures) -> dict[str, Any]:
    """The shapes and dtypes of the `Metrics` of `count` images, by name."""
    kinds = kinds_of_metrics(replica, measures, count)
    return {prefix + name: kind for name, kind in kinds.items()}


def stored_metrics(prefix: str, arrays: Arrays) -> Metrics:
    """The metrics of the images."""
    return Metrics(*(arrays.get(prefix + name) for name in Metrics._fields))  # type: ignore[arg-type]
