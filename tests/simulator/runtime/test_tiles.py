import numpy as np
import pytest

from gpucnn.simulator import LaunchError, Module, Order
from simulator.sources import COMPILERS, FOLDER, kernel, line, zeros


@pytest.mark.parametrize("order", ["forward", "reversed", 1])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_tiles_of_several_warps(
    compiler: str, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", compiler)
    out = np.zeros((5, 224), np.int32)
    Module(FOLDER / "tiles.cu", order=order).get_function("tiles")((1,), (224,), tuple(out))
    i = np.arange(224)
    first = i // 64 * 64
    last = np.minimum(first + 63, 223)
    expected = [
        (i ^ 31) * (i // 64),
        (first + last) * (last - first + 1) // 2,
        i // 128 * 128 + 70,
        2 * (i // 64 == 1) + (i // 64 == 0),
        100 * (last - first + 1) + 10 * (i // 64 % 2) + 2,
    ]
    np.testing.assert_array_equal(out, expected)


def test_tiles_are_not_ordered_among_each_other() -> None:
    with pytest.raises(LaunchError) as caught:
        kernel("tiles", "other_tile")((1,), (128,), (zeros(128),))
    assert f"reads at {line('tiles', 'read')} what thread (64, 0, 0) wrote" in str(caught.value)
    assert f"wrote at {line('tiles', 'written')}, and no barrier" in str(caught.value)


def test_tiles_apart() -> None:
    with pytest.raises(LaunchError) as caught:
        kernel("tiles", "apart")((1,), (128,), ())
    assert str(caught.value) == (
        "apart, block (0, 0, 0): thread (0, 0, 0) waits in tile.sync() at "
        f"{line('tiles', 'some')}, but thread (3, 0, 0) in tile.sync() at "
        f"{line('tiles', 'others')}: have all threads of a tile come to the same call"
    )
