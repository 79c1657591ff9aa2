"""Peers: other implementations, timed beside gpucnn on the CPU, and on GPUs where they can.

A peer is a module of this folder, and its name is the module's: `gpucnn bench --peer torch` times
`torch.py`. The module defines a class `Peer`, derived from `BasePeer`, or from `TrainingPeer` if it
can be trained to an accuracy. Adding the module is all it takes. It must import without what it
times, which it imports in functions. Modules whose names begin with an underscore are no peers.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gpucnn.benchmark.contenders import Contender, Learner, Tasks
from gpucnn.benchmark.workload import Labelled, Workload, make_network, normalise
from gpucnn.errors import InvalidValueError
from gpucnn.models import Model
from gpucnn.optimizers import Adam

CHECKED = 32
"""Images with which a peer is checked."""

LossAndGradients = Callable[
    [Model, NDArray[Any], NDArray[np.int64]], tuple[Any, Mapping[str, NDArray[Any]]]
]
"""Computes a peer's loss, and its gradients by name, of a network, real images and their labels."""


def peer_names() -> tuple[str, ...]:
    """The names of all peers, installed or not, in alphabetical order."""
    names = (module.name for module in iter_modules(__path__))
    return tuple(sorted(name for name in names if not name.startswith("_")))


def peer_class(name: str) -> "type[BasePeer]":
    """The class of a peer, one of `peer_names`; what the peer times is not imported."""
    peer: type[BasePeer] = import_module(f"{__name__}.{name}").Peer
    return peer


def make_peer(name: str, workload: Workload, threads: int) -> "BasePeer":
    """Create a peer, one of `peer_names`, and check that it computes what gpucnn computes.

    Args:
        name: of the peer.
        workload: what it computes.
        threads: how many it may use.

    Raises:
        InvalidValueError: the peer does not support the model, or computes something else.
    """
    return peer_class(name)(workload, threads)


class BasePeer(ABC):
    """A peer, a `Contender`.

    Subclasses take a workload and the number of threads that they may use, and set `tasks`. They
    raise `InvalidValueError` if they do not support the preset's layers or `check_agreement` fails.

    Attributes:
        packages: the installed packages that it times, by the names that import them. Their
            import is timed, and their versions are reported.
        name: that of the module.
        tasks: see `Contender`.
        runs_on_gpu: whether `on_gpu` gives contenders.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    runs_on_gpu: ClassVar[bool] = False
    name: str
    tasks: Tasks

    def __init_subclass__(cls) -> None:
        cls.name = cls.__module__.rpartition(".")[2]

    @abstractmethod
    def __init__(self, workload: Workload, threads: int) -> None: ...

    @classmethod
    def on_gpu(cls, device: str, workload: Workload) -> list[Contender]:
        """The ways of the peer to do the tasks on a GPU, each a contender by itself.

        Args:
            device: of gpucnn, such as "cuda:1".
            workload: what to compute.

        Raises:
            InvalidValueError: the peer finds no GPU, or computes something else than gpucnn.
        """
        return []

    @classmethod
    def check_support(cls, model: str, dtype: str) -> None:
        """Check that the packages are installed; subclasses also check the preset and the dtype.

        Raises:
            InvalidValueError: a package is missing, or the peer does not support the workload.
        """
        missing = [package for package in cls.packages if find_spec(package) is None]
        if missing:
            raise InvalidValueError(
                f"{cls.name} cannot be measured, since {' and '.join(missing)} cannot be imported: "
                f"pip install {' '.join(cls.packages)}, or leave the peer out"
            )

    @classmethod
    def versions(cls) -> dict[str, str]:
        """The versions of the packages, and of what else decides what is timed, by name."""
        return {package: version(package) for package in cls.packages}


class TrainingPeer(BasePeer):
    """A peer that can be trained to an accuracy, a `TrainingContender`."""

    @abstractmethod
    def learner(self, batch_size: int, optimizer: Adam) -> Learner:
        """See `TrainingContender.learner`."""

    @staticmethod
    @abstractmethod
    def train(
        network: Model, train: Labelled, test: Labelled | None, batch_size: int, threads: int
    ) -> None:
        """Train for an epoch with Adam, and classify the test set, as a plain script would.

        In a process of its own, whose memory or start-up is measured.

        Args:
            network: whose layers and weights to use.
            train: images, uint8 (n, rows, columns, channels), and labels, int64 (n,).
            test: likewise; None to classify nothing.
            batch_size: images in a step.
            threads: how many to use.
        """


def check_training_step(
    peer: str, workload: Workload, compute: LossAndGradients, digits: str = "float64"
) -> None:
    """Check that a peer's loss and gradients are gpucnn's.

    Computed in float64, in which rounding does not decide which of two pixels is the larger, or
    whether one is above 0: in float32 it does for one pixel in some millions, and changes a
    gradient by a whole term.

    Args:
        peer: its name.
        workload: whose preset is computed, of its first images.
        compute: the peer's way; the gradients have the names of the network's parameters.
        digits: the dtype to whose digits they are held, see `check_agreement`.

    Raises:
        InvalidValueError: the loss or a gradient differs.
    """
    network = make_network(workload.model, "float64", "cpu", 1)
    images, labels = (part[:CHECKED] for part in workload.data[0])
    our_loss, our_gradients = network.loss_and_gradients(images, labels)
    loss, gradients = compute(network, normalise(images, network.dtype), labels)
    check_agreement(peer, "loss", np.asarray(loss), np.asarray(our_loss, digits))
    for name, ours in zip(network.parameter_names, our_gradients, strict=True):
        check_agreement(peer, f"gradient of {name}", gradients[name], ours.astype(digits))


def check_agreement(peer: str, what: str, theirs: NDArray[Any], ours: NDArray[Any]) -> None:
    """Check that a peer computes what gpucnn computes, to half of the dtype's digits.

    The tolerance is relative to the largest element. Rounding in sums of a few thousand terms costs
    a quarter of the digits at the most; another weight, order or formula leaves hardly any.

    Args:
        peer: its name.
        what: was computed, for the error.
        theirs: the peer's result.
        ours: gpucnn's result, of the same shape; its dtype decides the tolerance.

    Raises:
        InvalidValueError: the results differ.
    """
    off = float(np.abs(theirs - ours).max())
    allowed = float(np.sqrt(np.finfo(ours.dtype).eps) * np.abs(ours).max())
    if not off <= allowed:  # nor where it is NaN
        raise InvalidValueError(
            f"{peer} does not compute what gpucnn does: {what} off by {off:.2g} where "
            f"{allowed:.2g} is allowed; leave the peer out"
        )
