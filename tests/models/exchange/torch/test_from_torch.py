"""What needs no PyTorch; `from_torch_by_hand.py` beside it is for where that is installed."""

import sys

import pytest

from expect import refusal
from gpucnn import from_torch
from gpucnn.errors import GpucnnError
from gpucnn.models.exchange.torch.calls import CALLS, MODULES


def test_without_torch_a_line_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with refusal(
        "modules of PyTorch need the package torch, which is not installed: pip install torch",
        GpucnnError,
    ):
        from_torch(None, (1, 28, 28))


def test_what_is_no_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="input_shape is 28: give the shape of one image"):
        from_torch(None, 28)  # type: ignore[arg-type]


def test_modules_call_functions_that_are_known() -> None:
    assert {name for name, _ in MODULES.values()} <= CALLS.keys()
