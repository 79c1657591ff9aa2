"""What the tests expect of errors."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gpucnn.errors import GpucnnError, InvalidValueError


@contextmanager
def refusal(text: str, error: type[GpucnnError] = InvalidValueError) -> Iterator[None]:
    """Fail unless the context is left by an error of exactly that type with exactly that text."""
    with pytest.raises(error) as caught:
        yield
    assert caught.type is error
    assert str(caught.value) == text
