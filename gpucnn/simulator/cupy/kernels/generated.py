"""Kernels put together from pieces: what those for single elements and reductions share."""

from collections.abc import Sequence
from typing import Any

from gpucnn.simulator.cupy.calls import Handle, to_device
from gpucnn.simulator.cupy.kernels.raw import RawKernel
from gpucnn.simulator.cupy.kernels.signature import Types, checked, dtype_of, parse, resolve
from gpucnn.simulator.cupy.memory import empty_on_device


class GeneratedKernel:
    """A kernel whose source is made for the types of its arguments.

    Args:
        in_params: its inputs, such as "T x, raw float32 table".
        out_params: its outputs.
        name: of the kernel.
        preamble: CUDA C before the kernel.
        options: of the compiler.

    Raises:
        ValueError: a parameter is not a type and a name.
    """

    def __init__(
        self, in_params: str, out_params: str, name: str, preamble: str, options: tuple[str, ...]
    ) -> None:
        self.in_params, self.out_params = parse(in_params), parse(out_params)
        self.params = (*self.in_params, *self.out_params)
        self.nin, self.nout = len(self.in_params), len(self.out_params)
        self.nargs = self.nin + self.nout
        self.name, self.preamble, self.options = name, preamble, options
        self._kernels: dict[str, RawKernel] = {}  # by their sources
        self.__name__ = name

    def _split(self, args: Sequence[Any], out: Any = None) -> tuple[list[Any], list[Any], Types]:
        """The inputs, the outputs, of which there may be none, and what the letters stand for."""
        if len(args) not in (self.nin, self.nargs) or (out is not None and len(args) == self.nargs):
            raise TypeError(
                f"Wrong number of arguments for {self.name!r}. It must be either {self.nin} or "
                f"{self.nargs} (with outputs), but given {len(args)}."
            )
        inputs, outputs = checked(args[: self.nin]), list(args[self.nin :])
        outputs = outputs if out is None else [out]
        types = resolve(self.out_params[: len(outputs)], outputs)
        return inputs, outputs, resolve(self.in_params, inputs, types)

    def _shapes(self, arguments: Sequence[Any]) -> list[tuple[int, ...]]:
        """The shapes of the arrays whose elements are gone through, among the first arguments."""
        return [
            each.host.shape
            for each, parameter in zip(arguments, self.params, strict=False)
            if isinstance(each, Handle) and not parameter.is_raw
        ]

    def _allocated(self, shape: tuple[int, ...], types: Types) -> list[Any]:
        """New outputs."""
        return [
            to_device(empty_on_device(shape, dtype_of(each, types))) for each in self.out_params
        ]

    def _kernel(self, source: str) -> RawKernel:
        """The kernel of a source, which is made once."""
        if source not in self._kernels:
            self._kernels[source] = RawKernel(source, self.name, self.options)
        return self._kernels[source]
