"""What is to be measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from gpucnn.backends import get_backend
from gpucnn.errors import InvalidValueError
from gpucnn.models import MODELS
from gpucnn.models.network import DTYPES
from gpucnn.utils import arguments

TRAINING_PEERS = ("torch",)
PEERS = (*TRAINING_PEERS, "onnxruntime", "loops")
PACKAGES = {"torch": ("torch",), "onnxruntime": ("onnxruntime", "onnx"), "loops": ()}


@dataclass(frozen=True)
class Plan:
    """What is to be measured, on which devices and beside which peers.

    Args:
        devices: of gpucnn, by name, at least one, see `get_backend`.
        peers: some of `PEERS`, which run on the CPU; onnxruntime does inference alone, the loops
            of the notebook training steps of its network alone.
        model: the name of a preset; its dropout layers are left out.
        batch_sizes: images at a time, at least one size.
        dtype: "float32" or "float64", of all arithmetic; onnxruntime takes float32 alone.
        threads: of the CPU, for each subject that runs there; None for as many as there are cores.
        rounds: how many times each measurement is repeated.
        to_accuracy: train until this accuracy on the test images is reached, a share above 0 and
            below 1; None for not at all.

    Raises:
        InvalidValueError: an argument is not as described, or a peer is not installed.
        DeviceError: a device cannot be used.
    """

    devices: tuple[str, ...]
    peers: tuple[str, ...]
    model: str
    batch_sizes: tuple[int, ...]
    dtype: str = "float32"
    threads: int | None = None
    rounds: int = 11
    to_accuracy: float | None = None

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
            self._check_peer(peer)
        _check_several(self.batch_sizes, "batch_sizes")
        _check_several(self.resolved_devices(), "devices")
        _check_once(self.peers, "peers")

    def resolved_devices(self) -> tuple[str, ...]:
        """The names of the devices, what "auto" stands for instead of it.

        Raises:
            InvalidValueError: there is no device of a name.
            DeviceError: one cannot be used.
        """
        return tuple(get_backend(device).device for device in self.devices)

    def _check_peer(self, peer: str) -> None:
        packages = PACKAGES[arguments.one_of(peer, "peer", PEERS)]
        missing = [package for package in packages if find_spec(package) is None]
        if missing:
            raise InvalidValueError(
                f"{peer} cannot be measured, since {' and '.join(missing)} cannot be imported: "
                f"pip install {' '.join(packages)}, or leave the peer out"
            )
        if peer == "loops" and self.model != "notebook":
            raise InvalidValueError(
                f"loops are those of the notebook's network, not of {self.model}: choose the model "
                "notebook, or leave the peer out"
            )
        if peer == "onnxruntime" and self.dtype != "float32":
            raise InvalidValueError(
                f"onnxruntime cannot be measured in {self.dtype}, since it convolves in float32 "
                "alone: choose float32, or leave the peer out"
            )


def _check_several(values: Sequence[object], name: str) -> None:
    if not values:
        raise InvalidValueError(f"{name} is empty: give at least one")
    _check_once(values, name)


def _check_once(values: Sequence[object], name: str) -> None:
    for value in values:
        if values.count(value) > 1:
            raise InvalidValueError(f"{value} is among {name} more than once: give it once")
