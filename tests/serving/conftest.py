from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from browser import browser as browser
from browser import reader as reader
from gpucnn import Sequential, models
from gpucnn.serving import create_app
from gpucnn.serving.server import LOCAL, BackgroundServer, open_socket, url_of
from small_mnist import small_mnist

Pixels = NDArray[np.uint8]

PHONE: Any = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def digits() -> Pixels:
    """Images of MNIST."""
    return small_mnist(1, 64)[1][0]


@pytest.fixture(scope="session")
def model() -> Sequential:
    """A briefly trained model."""
    made = models.notebook(device="cpu", threads=1)
    made.fit(*small_mnist(2000, 1)[0], epochs=1, verbose=0)
    return made


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a page, and a file beside it that is none of its own."""
    folder = tmp_path_factory.mktemp("package") / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html><title>draw</title>")
    (folder / "live.html").write_text("<!doctype html><title>live</title>")
    (folder / "page.js").write_text("let a = 1")
    (folder.parent / "secret.py").write_text("SECRET = 1")
    return folder


@pytest.fixture(scope="session")
def client(model: Sequential, page: Path) -> Iterator[TestClient]:
    """One that asks a server of two models."""
    other = models.notebook(device="cpu", threads=1, seed=1)
    served = {"digits": model, "untrained": other}
    with TestClient(create_app(served, ["cpu"], page=page)) as asking:
        yield asking


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The address of a server in the background."""
    with open_socket(LOCAL, 0) as listening:
        server = BackgroundServer(app, listening)
        yield f"{url_of(listening)}/"
        server.close()


def as_json(image: Pixels) -> dict[str, Any]:
    return {"pixels": image.tolist()}


def as_png(image: Pixels) -> bytes:
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
