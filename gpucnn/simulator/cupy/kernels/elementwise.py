"""`cupy.ElementwiseKernel`: CUDA C for single elements, put into a kernel."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from gpucnn.simulator.cupy.calls import Handle
from gpucnn.simulator.cupy.kernels.arrays import Bound, Layouts
from gpucnn.simulator.cupy.kernels.generated import GeneratedKernel
from gpucnn.simulator.cupy.kernels.origin import located
from gpucnn.simulator.cupy.kernels.signature import Types, typedefs

BLOCK = 128
MOST_BLOCKS = 64
"""Threads take several elements each if there are more, as CuPy's do."""


class ElementwiseKernel(GeneratedKernel):
    """A kernel for single elements.

    Args:
        in_params: its inputs, such as "T x, raw float32 table".
        out_params: its outputs.
        operation: CUDA C for an element.
        name: of the kernel.
        reduce_dims: whether arrays may be seen with fewer dimensions.
        preamble: CUDA C before the kernel.
        no_return: whether it returns nothing.
        return_tuple: whether it returns a tuple of one output too.
        loop_prep: CUDA C before a thread's elements.
        after_loop: CUDA C behind them.
        options: of the compiler.

    Raises:
        ValueError: a parameter is not a type and a name.
    """

    def __init__(
        self,
        in_params: str,
        out_params: str,
        operation: str,
        name: str = "kernel",
        reduce_dims: bool = True,
        preamble: str = "",
        no_return: bool = False,
        return_tuple: bool = False,
        *,
        loop_prep: str = "",
        after_loop: str = "",
        options: tuple[str, ...] = (),
    ) -> None:
        super().__init__(in_params, out_params, name, preamble, options)
        self.operation, self._operation = operation, located(operation, name)
        self.reduce_dims, self.no_return, self.return_tuple = reduce_dims, no_return, return_tuple
        self.loop_prep, self.after_loop = loop_prep, after_loop

    def __call__(self, *args: Any, size: int | None = None, **kwargs: Any) -> Any:
        """Run it for all elements of the broadcast arguments.

        Args:
            args: the inputs, and perhaps the outputs.
            size: how many there are, if all arrays are raw.
            kwargs: `stream` and `block_size`, of no meaning here.

        Returns:
            The output, or a tuple of several.

        Raises:
            TypeError: an argument is missing, is no array of the device and no number, or is of
                another dtype.
            ValueError: the shapes do not fit together, or the number of elements is not known.
        """
        inputs, outputs, types = self._split(args)
        shape = self._shape([*inputs, *outputs], size)
        if not outputs:
            if any(each.is_raw for each in self.out_params) and size is None:
                raise ValueError("Output array size is Undecided.")
            outputs = self._allocated(shape, types)
        elif any(
            each.host.shape != shape
            for each, parameter in zip(outputs, self.out_params, strict=True)
            if not parameter.is_raw
        ):
            raise ValueError(f"Out shape is mismatched: the elements have shape {shape}")
        if prod(shape):
            self._launch([*inputs, *outputs], types, shape)
        if self.no_return:
            return None
        return tuple(outputs) if self.nout != 1 or self.return_tuple else outputs[0]

    def _shape(self, arguments: Sequence[Any], size: int | None) -> tuple[int, ...]:
        """The shape of the elements."""
        shapes = self._shapes(arguments)
        if size is not None:
            if shapes:
                raise ValueError(
                    "Specified 'size' can be used only if all of the ndarray are 'raw'."
                )
            return (size,)
        is_any_array = any(isinstance(each, Handle) for each in arguments)
        if not shapes and (is_any_array or any(each.is_raw for each in self.params)):
            raise ValueError("Loop size is undecided.")
        return np.broadcast_shapes(*shapes)

    def _launch(self, arguments: Sequence[Any], types: Types, shape: tuple[int, ...]) -> None:
        views = self._views(arguments, shape)
        if self.reduce_dims and self._is_flat(views, shape):
            shape = (prod(shape),)
            views = [
                view if parameter.is_raw or view is None else view.reshape(-1)
                for view, parameter in zip(views, self.params, strict=True)
            ]
        layouts = Layouts()
        inputs = Bound(
            self.in_params,
            arguments[: self.nin],
            views[: self.nin],
            types,
            layouts,
            constant=True,
        )
        outputs = Bound(
            self.out_params,
            arguments[self.nin :],
            views[self.nin :],
            types,
            layouts,
            constant=False,
        )
        indices = f"CIndexer<{len(shape)}> _ind({layouts.shape(shape)});"
        source = self._source(inputs, outputs, types, indices)
        blocks = min(-(-prod(shape) // BLOCK), MOST_BLOCKS)
        passed = [*inputs.passed, *outputs.passed, layouts.passed]
        self._kernel(source)((blocks,), (BLOCK,), passed)

    def _views(self, arguments: Sequence[Any], shape: tuple[int, ...]) -> list[Any]:
        return [
            None
            if not isinstance(each, Handle)
            else each.host
            if parameter.is_raw or i >= self.nin
            else np.broadcast_to(each.host, shape)
            for i, (each, parameter) in enumerate(zip(arguments, self.params, strict=True))
        ]

    def _is_flat(self, views: Sequence[Any], shape: tuple[int, ...]) -> bool:
        """Whether all elements lie one after the other in every array, so that one index does."""
        return "_ind" not in self.operation and all(
            view is None or parameter.is_raw or view.flags.c_contiguous
            for view, parameter in zip(views, self.params, strict=True)
        )

    def _source(self, inputs: Bound, outputs: Bound, types: Types, indices: str) -> str:
        declared = ", ".join([*inputs.parameters, *outputs.parameters, Layouts.declared])
        return f"""#include <cupy/carray.cuh>
{typedefs(self.params, types)}
{self.preamble}
extern "C" __global__ void {self.name}({declared})
{{
    {" ".join([*inputs.arrays, *outputs.arrays])}
    {indices}
    {self.loop_prep};
    for (ptrdiff_t i = (ptrdiff_t)blockIdx.x * blockDim.x + threadIdx.x; i < _ind.size();
         i += (ptrdiff_t)gridDim.x * blockDim.x) {{
        _ind.set(i);
        {inputs.read("_ind.get()")} {outputs.read("_ind.get()")}
{self._operation};
    }}
    {self.after_loop};
}}
"""
