from typing import Any

import pytest

from expect import refusal
from gpucnn.errors import InvalidTypeError
from gpucnn.metrics import ACCURACY, check_metrics


@pytest.mark.parametrize("metrics", [None, [], ["accuracy"], ("acc",), list(ACCURACY)])
def test_names_of_the_accuracy(metrics: Any) -> None:
    check_metrics(metrics)


def test_other_names() -> None:
    names = ", ".join(ACCURACY)
    with refusal(f"'auc' is among the metrics: choose of {names}"):
        check_metrics(["accuracy", "auc"])


@pytest.mark.parametrize("metrics", ["accuracy", 3, {"accuracy"}])
def test_no_list(metrics: Any) -> None:
    with refusal(f'metrics is {metrics!r}: give a list, such as ["accuracy"]', InvalidTypeError):
        check_metrics(metrics)
