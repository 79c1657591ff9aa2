import numpy as np
import pytest

from gpucnn.datasets.digits.ink import LEAST_CONTRAST, ink_on_paper
from pictures import of_a_lamp, pages, picture, slanting, with_shadow

PAGE = (120, 160)
LIGHTS = [slanting, of_a_lamp, with_shadow]


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("seed", range(3))
def test_light_that_falls_off_is_no_ink(light: type, seed: int) -> None:
    paper = pages(np.zeros(PAGE), light(np.random.default_rng(seed), PAGE))
    ink = ink_on_paper(np.asarray(picture(paper)))
    assert np.quantile(ink, 0.95) < LEAST_CONTRAST


@pytest.mark.parametrize("colours", [(45, 215), (230, 50)])
@pytest.mark.parametrize("seed", range(3))
def test_strokes_stand_out_from_slanting_light(colours: tuple[float, float], seed: int) -> None:
    share = np.zeros(PAGE)
    share[30:90, 70:80] = share[85:90, 40:120] = 1
    ink, paper = ([each] * 3 for each in colours)
    seen = pages(share, slanting(np.random.default_rng(seed), PAGE), ink, paper)
    found = ink_on_paper(np.asarray(picture(seen)))
    assert found[share == 1].min() > 2 * found[share == 0].max()


def test_ink_of_another_colour_and_the_same_grey_stands_out() -> None:
    colours = np.full((40, 40, 3), (0, 130, 0), np.uint8)
    colours[10:30, 18:22] = (255, 0, 0)
    found = ink_on_paper(colours)
    assert found[10:30, 18:22].min() == 255
    assert found[:, :10].max() == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 3)])
def test_paper_of_any_shape(shape: tuple[int, int]) -> None:
    assert not ink_on_paper(np.full((*shape, 3), 200, np.uint8)).any()
