"""The communicator of ranks for arrays on devices, by a copy on the host."""

from gpucnn.backends.communicator import Communicator
from gpucnn.backends.memory import Array, Memory


class HostCopyCommunicator(Communicator):
    """Sums arrays on devices by copies on the host: MPI is never given memory of a device.

    Args:
        backend: where the arrays are.
        host: the communicator of the host's arrays.
    """

    def __init__(self, backend: Memory, host: Communicator) -> None:
        self._backend, self._host = backend, host
        self.rank, self.size = host.rank, host.size

    def barrier(self) -> None:
        self._host.barrier()

    def all_reduce(self, values: Array, contributors: int) -> None:
        copy = self._backend.to_host(values)
        self._host.all_reduce(copy, contributors)
        self._backend.copy(copy, values)

    def broadcast(self, values: Array) -> None:
        copy = self._backend.to_host(values)
        self._host.broadcast(copy)
        self._backend.copy(copy, values)
