"""`cupy.ReductionKernel`: CUDA C that maps elements and takes them together, put into a kernel."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from gpucnn.simulator.cupy.calls import Handle
from gpucnn.simulator.cupy.kernels.arrays import Bound, Layouts
from gpucnn.simulator.cupy.kernels.generated import GeneratedKernel
from gpucnn.simulator.cupy.kernels.signature import CTYPES, Types, ctype, dtype_of, typedefs

BLOCK = 64
MOST_BLOCKS = 256


class ReductionKernel(GeneratedKernel):
    """A kernel that takes elements together along axes.

    Args:
        in_params: its inputs, such as "T x, T y".
        out_params: its outputs.
        map_expr: what is reduced, an expression of an element of each input.
        reduce_expr: two of them, `a` and `b`, taken together.
        post_map_expr: a statement that sets the outputs from the result, `a`.
        identity: where it begins; None if there is none.
        name: of the kernel.
        reduce_type: the type of what is reduced, that of the first output if None.
        reduce_dims: whether arrays may be seen with fewer dimensions.
        preamble: CUDA C before the kernel.
        options: of the compiler.

    Raises:
        ValueError: a parameter is not a type and a name.
    """

    def __init__(
        self,
        in_params: str,
        out_params: str,
        map_expr: str,
        reduce_expr: str,
        post_map_expr: str,
        identity: object,
        name: str = "reduce_kernel",
        reduce_type: str | None = None,
        reduce_dims: bool = True,
        preamble: str = "",
        options: tuple[str, ...] = (),
    ) -> None:
        super().__init__(in_params, out_params, name, preamble, options)
        self.map_expr, self.reduce_expr, self.post_map_expr = map_expr, reduce_expr, post_map_expr
        self.identity = "" if identity is None else str(identity)
        self.reduce_type = reduce_type

    def __call__(
        self,
        *args: Any,
        out: Any = None,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        stream: Any = None,
    ) -> Any:
        """Reduce the broadcast inputs.

        Args:
            args: the inputs, and perhaps the outputs.
            out: the output.
            axis: the axes that are reduced, all if None.
            keepdims: whether these stay, with one element each.
            stream: of no meaning here.

        Returns:
            The output, or a tuple of several.

        Raises:
            TypeError: an argument is missing, is no array of the device and no number, or is of
                another dtype.
            ValueError: the shapes do not fit together, or there is nothing to begin with.
        """
        inputs, outputs, types = self._split(args, out)
        shape = np.broadcast_shapes(*self._shapes(inputs))
        reduced = self._axes(axis, len(shape))
        kept = tuple(i for i in range(len(shape)) if i not in reduced)
        count = prod(shape[i] for i in reduced)
        if not count and not self.identity:
            raise ValueError(
                f"zero-size array to reduction operation {self.name} which has no identity"
            )
        out_shape = tuple(shape[i] for i in kept)
        shown = tuple(1 if i in reduced else shape[i] for i in range(len(shape)))
        shown = shown if keepdims else out_shape
        if not outputs:
            outputs = self._allocated(shown, types)
        if any(each.host.shape != shown for each in outputs):
            raise ValueError(f"Out shape is mismatched: the results have shape {shown}")
        views = [
            each
            if each is None or parameter.is_raw
            else np.broadcast_to(each, shape).transpose(*kept, *reduced)
            for each, parameter in zip(map(_host, inputs), self.in_params, strict=True)
        ]
        ordered = tuple(shape[i] for i in (*kept, *reduced))
        results = [each.host.reshape(out_shape) for each in outputs]
        if prod(out_shape):
            self._launch(inputs, views, outputs, results, types, ordered, count)
        return outputs[0] if self.nout == 1 else tuple(outputs)

    def _axes(self, axis: int | Sequence[int] | None, dimensions: int) -> tuple[int, ...]:
        if axis is None:
            return tuple(range(dimensions))
        chosen = (axis,) if isinstance(axis, int | np.integer) else tuple(axis)
        return tuple(sorted(np.lib.array_utils.normalize_axis_tuple(chosen, dimensions)))

    def _launch(
        self,
        inputs: Sequence[Any],
        views: Sequence[Any],
        outputs: Sequence[Any],
        results: Sequence[Any],
        types: Types,
        shape: tuple[int, ...],
        count: int,
    ) -> None:
        layouts = Layouts()
        given = Bound(self.in_params, inputs, views, types, layouts, constant=True)
        made = Bound(self.out_params, outputs, results, types, layouts, constant=False)
        out_shape = results[0].shape
        indices = (
            f"CIndexer<{len(shape)}> _in_ind({layouts.shape(shape)}); "
            f"CIndexer<{len(out_shape)}> _out_ind({layouts.shape(out_shape)});"
        )
        source = self._source(given, made, types, indices)
        blocks = min(prod(out_shape), MOST_BLOCKS)
        passed = [*given.passed, *made.passed, np.int64(count), layouts.passed]
        self._kernel(source)((blocks,), (BLOCK,), passed)

    def _source(self, given: Bound, made: Bound, types: Types, indices: str) -> str:
        declared = [
            *given.parameters,
            *made.parameters,
            "long long _count",
            Layouts.declared,
        ]
        kind = self.reduce_type or ctype(dtype_of(self.out_params[0], types))
        begin = f"_type_reduce({self.identity})" if self.identity else "_type_reduce()"
        begun = "true" if self.identity else "false"
        return f"""#include <cupy/carray.cuh>
{typedefs(self.params, types)}
{self.preamble}
typedef {CTYPES.get(kind, kind)} _type_reduce;
#define REDUCE(a, b) ({_line(self.reduce_expr)})
#define POST_MAP(a) ({_line(self.post_map_expr)})
extern "C" __global__ void {self.name}({", ".join(declared)})
{{
    __shared__ char _memory[{BLOCK} * sizeof(_type_reduce)] __attribute__((aligned(16)));
    _type_reduce* _values = (_type_reduce*)_memory;
    {" ".join([*given.arrays, *made.arrays])}
    {indices}
    for (ptrdiff_t _i = blockIdx.x; _i < _out_ind.size(); _i += gridDim.x) {{
        _type_reduce _s = {begin};
        bool _begun = {begun};
        for (ptrdiff_t _J = threadIdx.x; _J < _count; _J += blockDim.x) {{
            _in_ind.set(_i * _count + _J);
            {given.read("_in_ind.get()")}
            _type_reduce _a = static_cast<_type_reduce>({_line(self.map_expr)});
            _s = _begun ? static_cast<_type_reduce>(REDUCE(_s, _a)) : _a;
            _begun = true;
        }}
        _values[threadIdx.x] = _s;
        __syncthreads();
        const int _filled = _count < blockDim.x ? _count : blockDim.x;
        for (int _half = blockDim.x / 2; _half > 0; _half /= 2) {{
            if (threadIdx.x < _half && threadIdx.x + _half < _filled) {{
                _type_reduce _a = _values[threadIdx.x], _b = _values[threadIdx.x + _half];
                _values[threadIdx.x] = REDUCE(_a, _b);
            }}
            __syncthreads();
        }}
        if (threadIdx.x == 0) {{
            _out_ind.set(_i);
            {made.read("_out_ind.get()")}
            _type_reduce _a = _values[0];
            POST_MAP(_a);
        }}
        __syncthreads();
    }}
}}
"""


def _host(argument: Any) -> Any:
    return argument.host if isinstance(argument, Handle) else None


def _line(expression: str) -> str:
    """An expression as a macro takes it."""
    return " ".join(expression.split())
