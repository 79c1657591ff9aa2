"""The test kernels, compiled once, and the positions of lines in them."""

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gpucnn.simulator import Function, Module, Order

COMPILERS = [name for name in ("g++", "clang++") if shutil.which(name)]
FOLDER = Path(__file__).parent / "cuda"


@cache
def module(name: str, order: Order = "forward", *, checked: bool = True) -> Module:
    return Module(FOLDER / f"{name}.cu", order=order, checked=checked)


def kernel(source: str, name: str, order: Order = "forward", *, checked: bool = True) -> Function:
    return module(source, order, checked=checked).get_function(name)


def line(source: str, comment: str) -> str:
    """The position of the one line of a source that ends in the given comment."""
    lines = (FOLDER / f"{source}.cu").read_text().splitlines()
    (number,) = (i for i, text in enumerate(lines, 1) if text.endswith(f"// {comment}"))
    return f"{source}.cu:{number}"


def zeros(size: int, dtype: Any = np.int32) -> Any:
    return np.zeros(size, dtype)
