import pytest

from backends.contract import BACKENDS
from gpucnn.backends import Backend


@pytest.fixture(params=list(BACKENDS), scope="session")
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend in turn, kept from test to test, as a training run keeps it."""
    return BACKENDS[request.param]()
