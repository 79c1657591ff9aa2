from typing import Any

import pytest

from gpucnn import to_keras, to_torch
from gpucnn.errors import InvalidTypeError


@pytest.mark.parametrize("make", [to_keras, to_torch])
@pytest.mark.parametrize("other", [None, "model.safetensors"])
def test_what_is_no_model_is_refused(make: Any, other: Any) -> None:
    line = rf"^the model is of the type {type(other).__name__}: give a model of gpucnn$"
    with pytest.raises(InvalidTypeError, match=line):
        make(other)
