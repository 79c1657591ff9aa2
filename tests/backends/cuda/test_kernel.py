"""Kernels as attributes, against the signatures in the .cu files."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from gpucnn.backends import Backend, Window
from gpucnn.backends.backend import KERNELS
from gpucnn.backends.cuda.kernel import Form, kernel, value
from gpucnn.backends.cuda.sources import REAL, KernelParameter, signatures, source
from gpucnn.verification.bounds import BOUNDS

FOLDER = Path(__file__).parents[3] / "kernels"
FILES = sorted(path.name for path in FOLDER.glob("*.cu"))


def test_each_array_has_a_shape() -> None:
    for each in KERNELS.values():
        arrays = {name for name, parameter in each.parameters.items() if parameter.is_array}
        assert each.shapes.keys() == arrays, each.name


def test_small_products_are_of_sizes_that_are_known() -> None:
    for each in KERNELS.values():
        told = {size.removeprefix("*") for shape in each.shapes.values() for size in shape}
        known = {name for size in told for name in size.split("*")}
        if any(parameter.dtype == Window.dtype for parameter in each.parameters.values()):
            known |= set(Window.dtype.names or ())
        assert {name for size in each.small for name in size.split("*")} <= known, each.name


def test_optional_arrays_are_those_that_may_be_null() -> None:
    optional = {
        (kernel.function, name)
        for kernel in KERNELS.values()
        for name, parameter in kernel.parameters.items()
        if parameter.is_optional
    }
    assert optional == {
        ("channel_means", "slabs"),
        ("channel_variances", "slabs"),
        ("matmul", "bias"),
        ("matmul", "slabs"),
        ("normalize_gradient_sums", "slabs"),
        ("scale_shift", "offset"),
        ("paste", "shares"),
        ("dense_gradients", "slabs"),
        ("dense_relu", "bias"),
        ("dense_relu", "slabs"),
        ("dense_relu", "step"),
        ("classifier_head", "input_gradient"),
        ("conv_relu_pool", "x"),
        ("conv_relu_pool", "bytes"),
        ("conv_relu_pool", "indices"),
        ("pooled_kernel_gradient", "x"),
        ("pooled_kernel_gradient", "bytes"),
        ("pooled_kernel_gradient", "indices"),
        ("pooled_kernel_gradient", "slabs"),
        ("rmsprop", "mean"),
        ("sgd", "velocity"),
        ("sum_rows", "slabs"),
        ("sigmoid_cross_entropy", "gradient"),
        ("soft_cross_entropy", "gradient"),
        ("softmax_cross_entropy", "gradient"),
        ("squared_error", "gradient"),
        ("weigh_rows", "gradient"),
    }


def test_every_function_is_a_kernel() -> None:
    of_files = {(file, function) for file in FILES for function in signatures(file)}
    assert {(kernel.file, kernel.function) for kernel in KERNELS.values()} == of_files


def test_every_global_function_has_a_signature_that_is_read() -> None:
    functions = sum(
        path.read_text().count("__global__") for path in FOLDER.iterdir() if path.suffix
    )
    assert functions == sum(len(signatures(file)) for file in FILES)


def test_parameters_are_read_from_the_signature() -> None:
    parameters = signatures("max_pool_gradient.cu")["max_pool_gradient"]
    assert list(parameters.items()) == [
        (
            "output_gradient",
            KernelParameter(REAL, is_array=True, is_written=False, is_optional=False),
        ),
        ("argmax", KernelParameter("int32", is_array=True, is_written=False, is_optional=False)),
        (
            "input_gradient",
            KernelParameter(REAL, is_array=True, is_written=True, is_optional=False),
        ),
        (
            "window",
            KernelParameter(Window.dtype, is_array=False, is_written=False, is_optional=False),
        ),
        ("channels", KernelParameter("int32", is_array=False, is_written=False, is_optional=False)),
    ]


def test_the_struct_of_a_window_is_that_of_the_kernels() -> None:
    (body,) = re.findall(r"struct Window \{(.*?)\};", source("windows.cuh"), re.DOTALL)
    assert tuple(re.findall(r"int (\w+);", body)) == Window.dtype.names
    assert body.count(";") == len(Window.dtype.names or ())
    window = Window((7, 6), (3, 2), (2, 1), "same", (1, 3))
    assert {name: int(window.struct[name]) for name in window.fields} == window.fields
    assert window.fields == {
        "image_height": 7,
        "image_width": 6,
        "rows": 4,
        "columns": 6,
        "height": 3,
        "width": 2,
        "stride_height": 2,
        "stride_width": 1,
        "padding_top": 1,
        "padding_left": 1,
        "dilation_height": 1,
        "dilation_width": 3,
    }
    assert window.struct.size == 1


class Recorder:
    def __init__(self) -> None:
        self.launched: list[tuple[str, dict[str, object]]] = []

    def launch(self, form: Form, values: tuple[object, ...]) -> None:
        self.launched.append((form.kernel.name, dict(zip(form.names, values, strict=True))))


class Defined(Recorder):
    def scale(self, x: int, *, factor: int = 2) -> None:
        raise NotImplementedError


class Launched(Defined):
    _compiled = kernel(
        "multiply.cu",
        {"a": "size", "b": "size", "out": "size"},
        lambda _: (1,),
        function="multiply",
        constants=("taps",),
    )
    scale = kernel("scale.cu", {}, lambda _: (1,))
    _hidden = kernel("multiply.cu", {"a": "size"}, lambda _: (1,), function="multiply")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), {}),
        ((1, 2), {}),
        ((1, 2, 3), {}),
        ((1,), {"x": 2}),
        ((1,), {"factors": 3}),
        ((), {"factor": 3}),
        ((), {"factors": 3}),
        ((), {"z": 3, "factors": 3}),
        ((1,), {"factor": 3, "y": 4}),
    ],
)
def test_arguments_that_the_method_would_refuse(
    arguments: tuple[int, ...], named: dict[str, int]
) -> None:
    made = Launched()
    with pytest.raises(TypeError):
        made.scale(*arguments, **named)
    assert made.launched == []


@pytest.mark.parametrize(("arguments", "named"), [((1,), {}), ((), {"a": 1, "slab": 2})])
def test_a_kernel_by_itself_takes_its_parameters_by_name(
    arguments: tuple[int, ...], named: dict[str, int]
) -> None:
    recorder = Recorder()
    with pytest.raises(TypeError, match="the kernel sum_rows takes its parameters by name"):
        KERNELS["sum_rows"](recorder, *arguments, **named)
    KERNELS["sum_rows"](recorder, a=1, out=2, slabs=3, lanes=4)
    assert len(recorder.launched) == 1


OVERRIDING = [name for name, kernel in KERNELS.items() if hasattr(kernel, "__signature__")]


@pytest.mark.parametrize("name", OVERRIDING)
def test_a_kernel_has_the_arguments_of_its_operation(name: str) -> None:
    operation = inspect.signature(getattr(Backend, name)).parameters
    parameters = KERNELS[name].parameters
    assert operation.keys() - {"self"} <= parameters.keys()


@pytest.mark.parametrize("name", OVERRIDING)
def test_a_kernel_writes_what_its_operation_does(name: str) -> None:
    assert written(name).keys() == BOUNDS[name].keys()


def written(name: str) -> dict[str, KernelParameter]:
    return {key: each for key, each in KERNELS[name].parameters.items() if each.is_written}


def test_a_kernel_takes_the_place_of_a_method() -> None:
    made = Launched()
    made.scale(np.int64(3))
    made.scale(x=4, factor=5)
    made._hidden(a=6)
    assert made.launched == [
        ("scale", {"x": 3, "factor": 2}),
        ("scale", {"x": 4, "factor": 5}),
        ("hidden", {"a": 6}),
    ]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.cu")), ids=lambda path: path.name)
def test_header_comment_says_what_and_where_and_how_much(path: Path) -> None:
    header = path.read_text().split("\n\n")[0]
    for part in ("// Index map:", "// Bytes per ", "Operations"):
        assert part in header


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.cu*")), ids=lambda path: path.name)
def test_kernels_use_no_atomics_but_on_tickets_and_no_templates(path: Path) -> None:
    code = re.sub("//.*", "", path.read_text())
    atomics = re.findall(r"\batomic.*?,", code)
    assert atomics == (["atomicInc(ticket,"] if path.name == "last_block.cuh" else [])
    assert not re.search(r"\btemplate\b|#include <", code)


def test_tickets_are_whole_numbers() -> None:
    assert "bool is_last_block(unsigned* ticket, " in source("last_block.cuh")


@pytest.mark.parametrize("real", ["float32", "float64"])
def test_samples_are_values_of_the_constants(real: str) -> None:
    for each in KERNELS.values():
        constants = {frozenset(sample) for sample in each.samples(real)}
        assert constants == {frozenset(each.constants)}, each.name


def test_threads_are_whole_warps() -> None:
    threads = {name: kernel.threads for name, kernel in KERNELS.items()}
    assert not {name: of for name, of in threads.items() if of % 32 or not 0 < of <= 1024}


def test_a_constant_is_given_by_name() -> None:
    made = Launched()
    made._compiled(a=1, b=2, out=3, taps=4)
    assert made.launched == [("compiled", {"a": 1, "b": 2, "out": 3, "taps": 4})]
    with pytest.raises(TypeError):
        made._compiled(a=1, b=2, out=3, tap=4)


def test_constants_are_macros_in_upper_case() -> None:
    options = Launched._compiled.options("float32", {"taps": 9, "others": 3})
    assert options == ("-DREAL=float", "-DTHREADS=256", "-DTAPS=9")


def test_value_of_a_size() -> None:
    assert value("3", {}) == 3
    assert value("rows*2*columns", {"rows": 5, "columns": 7}) == 70
