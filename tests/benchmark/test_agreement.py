import numpy as np
import pytest

from expect import refusal
from gpucnn.benchmark.agreement import check_agreement

OURS = np.array([[1.0, -4.0], [2.0, 0.5]], np.float32)


def test_rounding_agrees() -> None:
    check_agreement("torch", "logits", OURS * np.float32(1 + 1e-6), OURS)


def test_what_else_differs_does_not() -> None:
    with refusal(
        "torch does not compute what gpucnn does: logits off by 0.01 where 0.0014 is allowed; "
        "leave the peer out"
    ):
        check_agreement("torch", "logits", OURS + np.float32(0.01), OURS)


def test_no_number_agrees_with_none() -> None:
    with pytest.raises(ValueError, match="loss off by nan"):
        check_agreement("torch", "loss", OURS * np.float32("nan"), OURS)


def test_more_digits_have_to_agree_in_float64() -> None:
    with pytest.raises(ValueError, match="does not compute"):
        check_agreement("torch", "loss", OURS * (1 + 1e-6), OURS.astype(np.float64))
