"""The CPU backend with fusion off, or with microbatches of a given size."""

from typing import Any

from gpucnn.backends import Backend, CpuBackend


class Plain(CpuBackend):
    """The CPU without fused operations, each operation on a whole batch."""

    can_fuse = Backend.can_fuse
    images_at_once = Backend.images_at_once

    def __init__(self) -> None:
        super().__init__(threads=1)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


class InMicrobatches(CpuBackend):
    """The CPU, with microbatches of a few images.

    Args:
        threads: as for `CpuBackend`.
        images: of a microbatch, at most.
    """

    def __init__(self, threads: int, images: int) -> None:
        super().__init__(threads)
        self._images = images

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.threads, self._images)

    def images_at_once(self, size: int) -> int:
        return self._images
