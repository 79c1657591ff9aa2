"""How pooled images are shared out in tiles."""

import pytest

from gpucnn.backends import Window
from gpucnn.backends.cpu.fused import row_tiles
from gpucnn.backends.cpu.fused.panels import Panels
from gpucnn.backends.cpu.fused.row_tiles import positions_at_once, tile_height

NOTEBOOK = Panels(Window((28, 28), (3, 3), (1, 1), "valid"), (2, 2), (13, 13), 1)
CACHE = 2**20
ROW = 2 * 28 * 3 + 4 * 8 * 13
"""The numbers of a pooled row: its two panels, and its scores."""


@pytest.fixture(autouse=True)
def _size_of_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_tiles, "core_cache", lambda: CACHE)


@pytest.mark.parametrize(
    ("rows", "height"),
    [(12.6, 13), (12.4, 12), (1, 1), (0.4, 0)],  # to half a row
)
def test_a_tile_has_about_as_many_rows_as_fit(rows: float, height: int) -> None:
    assert tile_height(NOTEBOOK, 8, int(CACHE / (rows * ROW))) == height


@pytest.mark.parametrize(("each", "positions"), [(1, CACHE // 4), (CACHE // 12, 3), (CACHE, 1)])
def test_gradients_of_weights_of_as_many_positions_as_fit(each: int, positions: int) -> None:
    assert positions_at_once(each) == positions
