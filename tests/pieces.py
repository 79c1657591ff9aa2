"""The CPU with its ways to work on several layers, or on parts of a batch, under control."""

from typing import Any

from gpucnn.backends import Backend, CpuBackend


class Plain(CpuBackend):
    """The CPU with one operation after the other, each on a whole batch."""

    can_fuse = Backend.can_fuse
    images_at_once = Backend.images_at_once

    def __init__(self) -> None:
        super().__init__(threads=1)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


class InPieces(CpuBackend):
    """The CPU, working through a few images at a time.

    Args:
        threads: as for `CpuBackend`.
        images: how many.
    """

    def __init__(self, threads: int, images: int) -> None:
        super().__init__(threads)
        self._images = images

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.threads, self._images)

    def images_at_once(self, size: int) -> int:
        return self._images
