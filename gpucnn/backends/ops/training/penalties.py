"""Penalties on parameters, which are added to the loss."""

import numpy as np

from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cuda.kernel import ITEMS, MULTIPROCESSORS, PER_BLOCK, kernel
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array, Memory
from gpucnn.backends.ops.bounds import always, bounded, elements_of_parameters, sums
from gpucnn.utils.arithmetic import ceil_div


class Penalties(Memory):
    """Definition of a penalty on parameters."""

    @bounded(gradients=sums(always(3)), penalties=sums(elements_of_parameters))
    def penalize(
        self,
        parameters: Array,
        factors: Array,
        gradients: Array,
        position: Array,
        penalties: Array,
    ) -> None:
        """Add the gradient of a penalty, and store the penalty at the place of the batch.

        It is the sum of the squares of the parameters, each times a factor of its own.

        Args:
            parameters: real (p,).
            factors: real (p,), at least 0.
            gradients: real (p,), updated.
            position: int64 (2,), that of the batch, see `Data`.
            penalties: real (batches,), of which one is written.
        """
        scaled = factors * parameters
        gradients += 2 * scaled
        penalties[position[0]] = self.xp.sum(scaled * parameters)


class CpuPenalties(CpuMemory, Penalties):
    """Penalties in NumPy, without temporary arrays."""

    def penalize(
        self,
        parameters: Array,
        factors: Array,
        gradients: Array,
        position: Array,
        penalties: Array,
    ) -> None:
        scaled = self.workspace("penalty", parameters.shape, parameters.dtype)
        np.multiply(factors, parameters, out=scaled)
        penalties[position[0]] = np.dot(scaled, parameters)
        np.add(scaled, scaled, out=scaled)
        np.add(gradients, scaled, out=gradients)


class CudaPenalties(CudaMemory, Penalties):
    """Penalties in CUDA: as many blocks as fill a GPU, of which the last adds up their sums."""

    def penalize(
        self,
        parameters: Array,
        factors: Array,
        gradients: Array,
        position: Array,
        penalties: Array,
    ) -> None:
        blocks = max(min(ceil_div(parameters.size, PER_BLOCK), 2 * MULTIPROCESSORS), 1)
        self._penalize(
            parameters=parameters,
            factors=factors,
            gradients=gradients,
            position=position,
            penalties=penalties,
            slabs=self.workspace("slabs of a penalty", (blocks,), parameters.dtype),
            tickets=self.tickets,
        )

    _penalize = kernel(
        "penalize.cu",
        {
            "parameters": "*size",
            "factors": "*size",
            "gradients": "*size",
            "position": "2",
            "penalties": "batches",
            "slabs": "blocks",
            "tickets": "tickets",
        },
        lambda sizes: (sizes["blocks"],),
        macros=ITEMS,
    )
