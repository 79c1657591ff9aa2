from collections.abc import Iterator
from pathlib import Path

import pytest

from datasets.local_server import Server, serving
from datasets.sample_files import small_set, write_gzip_set


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Serves the small set as .gz files."""
    folder = tmp_path / "served"
    folder.mkdir()
    write_gzip_set(folder, small_set())
    with serving(folder) as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's cache folder during the test."""
    folder = tmp_path / "cache"
    monkeypatch.setattr("gpucnn.utils.storage.cache.user_cache_path", lambda name: folder / name)
    return folder / "gpucnn"
