"""The plan of a benchmark: what to time, on which devices and beside which peers."""

from collections.abc import Sequence
from dataclasses import dataclass

from gpucnn.backends import get_backend
from gpucnn.benchmark.peers import peer_class, peer_names
from gpucnn.benchmark.ranks import find_mpiexec
from gpucnn.errors import InvalidValueError
from gpucnn.models import MODELS
from gpucnn.models.network import DTYPES
from gpucnn.utils import arguments


@dataclass(frozen=True)
class Plan:
    """What to time, on which devices and beside which peers.

    Args:
        devices: of gpucnn, by name, at least one, see `get_backend`.
        peers: other implementations, from `PEERS`, which run on the CPU, and on each GPU among the
            devices where they can; where all devices are GPUs, on these alone. Each supports some
            models and dtypes, see its `check_support`.
        model: the name of a preset; its dropout layers are left out.
        batch_sizes: images in a batch, at least one size.
        dtype: "float32" or "float64", of all arithmetic.
        threads: of the CPU, for each contender that runs there; None for as many as there are
            cores.
        rounds: how many times each measurement is repeated.
        to_accuracy: the accuracy on the test set to train to, above 0 and below 1; None not to
            train.
        only_speeds: whether training steps and inference are timed and nothing else.
        ranks: the numbers of ranks, 2 or more, to train on besides; see `scaling`.

    Raises:
        InvalidValueError: an argument is not as described, or a peer is not installed.
        DeviceError: a device cannot be used, or ranks cannot be started.
    """

    devices: tuple[str, ...]
    peers: tuple[str, ...]
    model: str
    batch_sizes: tuple[int, ...]
    dtype: str = "float32"
    threads: int | None = None
    rounds: int = 11
    to_accuracy: float | None = None
    ranks: tuple[int, ...] = ()
    only_speeds: bool = False

    def __post_init__(self) -> None:
        arguments.one_of(self.model, "model", tuple(MODELS))
        arguments.one_of(self.dtype, "dtype", DTYPES)
        arguments.positive_integer(self.rounds, "rounds")
        if self.threads is not None:
            arguments.positive_integer(self.threads, "threads")
        if self.to_accuracy is not None:
            arguments.share(self.to_accuracy, "to_accuracy")
            arguments.positive_number(self.to_accuracy, "to_accuracy")
        for size in self.batch_sizes:
            arguments.positive_integer(size, "batch_size")
        for peer in self.peers:
            name = arguments.one_of(peer, "peer", peer_names())
            peer_class(name).check_support(self.model, self.dtype)
        _check_several(self.batch_sizes, "batch_sizes")
        _check_several(self.resolved_devices(), "devices")
        _check_once(self.peers, "peers")
        _check_ranks(self.ranks)

    def resolved_devices(self) -> tuple[str, ...]:
        """The names of the devices, with "auto" replaced by the device that it stands for.

        Raises:
            InvalidValueError: there is no device of that name.
            DeviceError: a device cannot be used.
        """
        return tuple(get_backend(device).device for device in self.devices)


def _check_several(values: Sequence[object], name: str) -> None:
    """Check that there is a value, and none twice."""
    if not values:
        raise InvalidValueError(f"{name} is empty: give at least one")
    _check_once(values, name)


def _check_ranks(ranks: Sequence[int]) -> None:
    """Check the numbers of ranks, and that they can be started."""
    for count in ranks:
        if arguments.positive_integer(count, "ranks") == 1:
            raise InvalidValueError(
                "ranks is 1: give 2 or more, beside which a single rank is timed in any case"
            )
    _check_once(ranks, "ranks")
    if ranks:
        find_mpiexec()


def _check_once(values: Sequence[object], name: str) -> None:
    """Check that there is no value twice."""
    for value in values:
        if values.count(value) > 1:
            raise InvalidValueError(f"{value} is among {name} more than once: give it once")
