"""What several ranks that train a model together have in common, and the share of each."""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends.ranks.world import World, check_equal
from gpucnn.errors import InvalidValueError
from gpucnn.models.data import Chunk, Labelled, Part
from gpucnn.models.replica import Replica


def share_of(replica: Replica, count: int, batch_size: int, ranks: World) -> NDArray[np.bool_]:
    """Which of the images of an epoch, in their order, are in shards of this rank, bool (count,).

    Args:
        replica: splits the batches.
        count: the images.
        batch_size: images in a batch; the last one may have fewer.
        ranks: all of them.
    """
    share = np.zeros(count, np.bool_)
    for start in range(0, count, batch_size):
        of_batch = share[start : start + batch_size]
        for shard in replica.shards(len(of_batch))[ranks.rank :: ranks.size]:
            of_batch[shard] = True
    return share


def check_images_for(ranks: World, images: int, batch_size: int) -> None:
    """Check that there is an image in a batch for each rank.

    Raises:
        InvalidValueError: there is not.
    """
    most = min(images, batch_size)
    if most < ranks.size:
        raise InvalidValueError(
            f"{most} images in a batch are too few for {ranks.size} ranks: start fewer ranks, or "
            "use larger batches"
        )


def check_parts(ranks: World, parts: Iterable[Part], chunk: Chunk | None) -> Iterator[Part]:
    """The parts of an epoch, which have to be the same on all ranks where they are read as it goes.

    Args:
        ranks: all of them.
        parts: of an epoch.
        chunk: where they are read to; None for images that are in memory as a whole.

    Raises:
        InvalidValueError: they are not.
    """
    if ranks.size == 1 or chunk is None:
        yield from parts
        return
    for part in parts:
        read = digest_of(chunk.first(len(part.order)))
        check_equal(ranks, {"batch of an iterable": (len(part.order), part.batch_size, read)})
        yield part
    check_equal(ranks, {"batch of an iterable": None})  # none has another


def plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The public attributes that any process can compare: numbers, texts and tuples of these."""
    public = {name: each for name, each in attributes.items() if name[0] != "_"}
    return {name: public[name] for name in sorted(public) if _is_plain(public[name])}


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def kinds_of(parts: Iterable[object]) -> list[tuple[str, dict[str, Any]]]:
    """The classes of the parts of a model, the user's own too, with their plain attributes."""
    return [(type(each).__qualname__, plain(getattr(each, "__dict__", {}))) for each in parts]


def digest_of(data: Labelled | Mapping[str, NDArray[Any]], more: str = "") -> str:
    """A digest of arrays, of their shapes, dtypes and elements, and of further text."""
    named = data._asdict() if isinstance(data, Labelled) else data
    digest = sha256(more.encode())
    for name, array in named.items():
        if array is not None:
            digest.update(f"{name} {array.shape} {array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
