import pytest

from backends.contract import BACKENDS, KINDS, Backends, backend_of
from gpucnn.backends import Backend


@pytest.fixture(params=list(BACKENDS), scope="session")
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend in turn."""
    return backend_of(request.param)


@pytest.fixture(params=[kind for kind, names in KINDS.items() if names], scope="session")
def backends(request: pytest.FixtureRequest) -> Backends:
    """All backends of each kind in turn."""
    return {name: backend_of(name) for name in KINDS[request.param]}
