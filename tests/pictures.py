"""Pictures of MNIST's digits as people take them, and how many of them a model reads.

`python tests/pictures.py runs/notebook-1/checkpoint.safetensors` prints a line for each kind of
picture: of how many of the first test digits the model reads the right one, and of how many it is
refused to say one. `--save FOLDER` keeps the pictures, and what was made of them beside each.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpucnn import Model, Sequential, load_mnist
from gpucnn.datasets.digits.digits import read_digit
from gpucnn.errors import InvalidFileError

Pixels = NDArray[np.uint8]
Share = NDArray[Any]  # of ink in each pixel, (h, w), from 0 to 1
Random = np.random.Generator

PHOTO = (450, 600)


# Ink


def enlarged(digit: Pixels, height: int) -> Share:
    """The digit in pixels of (height, height), with edges as sharp as a pen's."""
    side = (height, height)
    smooth = np.asarray(Image.fromarray(digit).resize(side, Image.Resampling.BICUBIC), float) / 255
    return 1 / (1 + np.exp(-12 * (smooth - 0.5)))


def on_page(ink: Share, page: tuple[int, int], top: int, left: int) -> Share:
    share = np.zeros(page)
    share[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return share


def somewhere(digit: Pixels, random: Random, page: tuple[int, int] = PHOTO) -> Share:
    """The digit on a page, of 40 to 75 % of its height, at a random place."""
    height = int(page[0] * random.uniform(0.4, 0.75))
    top, left = (int(random.integers(length - height + 1)) for length in page)
    return on_page(enlarged(digit, height), page, top, left)


def ruled(random: Random, page: tuple[int, int] = PHOTO) -> Share:
    """Lines across the page, thin and a little tilted."""
    y, x = np.indices(page)
    distance = page[0] / random.uniform(6, 14)
    height = y + x * np.tan(np.radians(random.uniform(-2, 2))) + random.uniform(0, distance)
    thickness = random.uniform(1, 3)
    result: Share = np.clip(thickness / 2 + 0.5 - np.abs(height % distance - distance / 2), 0, 1)
    return result


def frame(random: Random, page: tuple[int, int] = PHOTO, tilt: float = 1) -> Share:
    """A rectangle near the border of the page."""
    y, x = np.indices(page) - np.array(page).reshape(2, 1, 1) / 2
    angle = np.radians(random.uniform(-tilt, tilt))
    y, x = y * np.cos(angle) - x * np.sin(angle), x * np.cos(angle) + y * np.sin(angle)
    inset = page[0] * random.uniform(0.03, 0.08)
    outside = np.maximum(np.abs(y) - page[0] / 2, np.abs(x) - page[1] / 2) + inset
    thickness = random.uniform(2, 8)
    result: Share = np.clip(thickness / 2 + 0.5 - np.abs(outside), 0, 1)
    return result


def specks(random: Random, page: tuple[int, int] = PHOTO, most: int = 12) -> Share:
    share = np.zeros(page)
    for _ in range(random.integers(1, most + 1)):
        size = random.integers(1, max(2, page[0] // 60))
        y, x = random.integers(page[0] - size), random.integers(page[1] - size)
        share[y : y + size, x : x + size] = 1
    return share


# Paper and light


def slanting(random: Random, page: tuple[int, int] = PHOTO) -> Share:
    """Light that falls off from one side of the page to the other."""
    y, x = np.indices(page)
    angle = random.uniform(0, 2 * np.pi)
    along = y * np.sin(angle) + x * np.cos(angle)
    along = (along - along.min()) / np.ptp(along)
    result: Share = random.uniform(0.3, 0.5) + (1 - along) * 0.5
    return result


def of_a_lamp(random: Random, page: tuple[int, int] = PHOTO) -> Share:
    y, x = np.indices(page)
    centre = random.uniform(0, page[0]), random.uniform(0, page[1])
    distance = np.hypot(y - centre[0], x - centre[1]) / page[1]
    result: Share = 0.25 + 0.75 / (1 + 3 * distance**2)
    return result


def with_shadow(random: Random, page: tuple[int, int] = PHOTO) -> Share:
    """Half of the page in the shadow of whoever takes the photo."""
    y, x = np.indices(page)
    angle = random.uniform(0, 2 * np.pi)
    along = (y - page[0] / 2) * np.sin(angle) + (x - page[1] / 2) * np.cos(angle)
    edge = random.uniform(-0.3, 0.3) * page[0]
    result: Share = 1 - 0.45 / (1 + np.exp(-(along - edge) / (page[0] / 30)))
    return result


def desk(random: Random, page: tuple[int, int] = PHOTO) -> NDArray[Any]:
    """Where a page, laid a little askew, leaves the desk to be seen: along one side or two."""
    y, x = np.indices(page)
    askew = np.tan(np.radians(random.uniform(-4, 4)))
    seen = y + askew * x < page[0] * random.uniform(0.08, 0.15)
    if random.random() < 0.5:
        seen |= x - askew * y > page[1] * random.uniform(0.88, 0.95)
    if random.random() < 0.5:
        seen = seen[::-1]
    if random.random() < 0.5:
        seen = seen[:, ::-1]
    return np.asarray(seen)


def pages(
    share: Share,
    light: Share | float = 1,
    ink: Sequence[float] = (45, 45, 45),
    paper: Sequence[float] = (215, 215, 215),
) -> Share:
    """What a camera sees of ink on paper, (h, w, 3)."""
    colours = share[..., None] * np.array(ink) + (1 - share[..., None]) * np.array(paper)
    result: Share = colours * np.asarray(light)[..., None]
    return result


def picture(colours: Share, noise: float = 0, random: Random | None = None) -> Image.Image:
    if random is not None:
        colours = colours + random.normal(0, noise, colours.shape)
    return Image.fromarray(np.rint(colours.clip(0, 255)).astype(np.uint8))


# Pictures, each of a digit and of chance


def small(digit: Pixels, random: Random) -> Pixels:
    """The digit's image scaled down, somewhere in 28x28 pixels."""
    side = int(random.integers(14, 22))
    image = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    canvas = Image.new("L", (28, 28))
    canvas.paste(image, (int(random.integers(29 - side)), int(random.integers(29 - side))))
    return np.asarray(canvas)


def shifted(digit: Pixels, random: Random) -> Pixels:
    """The digit's image moved by up to 4 pixels each way, which is up to the border."""
    top, left = random.integers(0, 9, 2)
    return np.pad(digit, 4)[top : top + 28, left : left + 28]


def speckled(digit: Pixels, random: Random) -> Pixels:
    spoilt = digit.copy()
    spoilt[tuple(random.integers(0, 28, 2))] = 255
    return spoilt


def cropped(digit: Pixels, _: Random) -> Pixels:
    rows, columns = (np.flatnonzero((digit > 127).any(axis)) for axis in (1, 0))
    return digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def broken(share: Share, random: Random) -> Share:
    """Ink that is cut through across its middle."""
    y, x = np.nonzero(share > 0.5)
    height = max(np.ptp(y), np.ptp(x))
    angle = random.uniform(0, np.pi)
    gap = np.indices(share.shape) - np.array([y.mean(), x.mean()]).reshape(2, 1, 1)
    away = np.abs(gap[0] * np.cos(angle) + gap[1] * np.sin(angle))
    return np.where(away < height * random.uniform(0.02, 0.05), 0, share)


def at_desk(seen: Share, random: Random) -> Share:
    wood = (
        np.array([95, 65, 40]) * (1 + 0.15 * np.sin(np.indices(seen.shape[:2])[0] / 3))[..., None]
    )
    return np.where(desk(random, seen.shape[:2])[..., None], wood, seen)


def crowded(digit: Pixels, random: Random) -> Image.Image:
    share = on_page(enlarged(digit, 230), PHOTO, 110, int(random.integers(90, 290)))
    share = np.maximum(share, 0.5 * ruled(random))
    light = slanting(random)
    return picture(at_desk(pages(share, 1), random) * light[..., None], 8, random)


def two_digits(digit: Pixels, other: Pixels, random: Random) -> Image.Image:
    height = int(random.integers(130, 260))
    both = np.hstack([enlarged(digit, height), enlarged(other, height)])
    return picture(pages(on_page(both, PHOTO, 100, 30)), 5, random)


def grid(random: Random) -> Share:
    turned = ruled(random, PHOTO[::-1]).T
    return np.maximum(ruled(random), turned)


def boxed(share: Share, random: Random) -> Share:
    """A box as in forms: around the digit, at a little distance."""
    y, x = np.nonzero(share > 0.5)
    centre = (y.min() + y.max()) / 2, (x.min() + x.max()) / 2
    half = max(np.ptp(y), np.ptp(x)) * random.uniform(0.62, 0.75)
    away = np.maximum(
        *(np.abs(i - c) for i, c in zip(np.indices(share.shape), centre, strict=True))
    )
    result: Share = np.maximum(
        share, np.clip(random.uniform(1, 3) + 0.5 - np.abs(away - half), 0, 1)
    )
    return result


def inverted(image: Pixels) -> Image.Image:
    return Image.fromarray(255 - image)


Kind = Callable[[Pixels, Random], Image.Image]

ONE: dict[str, Kind] = {
    "as in MNIST": lambda d, _: Image.fromarray(d),
    "dark on light, 28x28": lambda d, _: inverted(d),
    "padded to 29x29": lambda d, _: Image.fromarray(np.pad(d, ((0, 1), (0, 1)))),
    "shifted, 28x28": lambda d, r: Image.fromarray(shifted(d, r)),
    "shifted, dark, 28x28": lambda d, r: inverted(shifted(d, r)),
    "small, 28x28": lambda d, r: Image.fromarray(small(d, r)),
    "small, dark, 28x28": lambda d, r: inverted(small(d, r)),
    "one bright pixel, 28x28": lambda d, r: Image.fromarray(speckled(d, r)),
    "one dark pixel, 28x28": lambda d, r: inverted(speckled(d, r)),
    "cropped to the ink": lambda d, r: inverted(cropped(d, r)),
    "a photo": lambda d, r: picture(pages(somewhere(d, r)), 5, r),
    "light on dark": lambda d, r: picture(
        pages(somewhere(d, r), of_a_lamp(r), (230, 230, 220), (40, 60, 50)), 5, r
    ),
    "noise": lambda d, r: picture(pages(somewhere(d, r)), 20, r),
    "one dark pixel": lambda d, r: picture(pages(np.maximum(somewhere(d, r), specks(r, PHOTO, 1)))),
    "specks": lambda d, r: picture(pages(np.maximum(somewhere(d, r), specks(r))), 5, r),
    "slanting light": lambda d, r: picture(pages(somewhere(d, r), slanting(r)), 5, r),
    "a lamp": lambda d, r: picture(pages(somewhere(d, r), of_a_lamp(r)), 5, r),
    "a shadow": lambda d, r: picture(pages(somewhere(d, r), with_shadow(r)), 5, r),
    "ruled paper": lambda d, r: picture(pages(np.maximum(somewhere(d, r), ruled(r))), 5, r),
    "pale ruled paper": lambda d, r: picture(
        pages(np.maximum(somewhere(d, r), 0.5 * ruled(r))), 5, r
    ),
    "squared paper": lambda d, r: picture(pages(np.maximum(somewhere(d, r), 0.6 * grid(r))), 5, r),
    "a frame": lambda d, r: picture(
        pages(
            np.maximum(on_page(enlarged(d, 240), PHOTO, 100, int(r.integers(60, 300))), frame(r))
        ),
        5,
        r,
    ),
    "a frame at the border": lambda d, r: picture(
        pages(np.pad(somewhere(d, r, (400, 550)), 25, constant_values=1)), 5, r
    ),
    "a thin frame, 40x40": lambda d, r: inverted(
        np.pad(np.pad(shifted(d, r), 5), 1, constant_values=255)
    ),
    "a box around it": lambda d, r: picture(
        pages(boxed(on_page(enlarged(d, 200), PHOTO, 110, int(r.integers(60, 320))), r)), 5, r
    ),
    "the desk's edge": lambda d, r: picture(
        at_desk(pages(on_page(enlarged(d, 200), PHOTO, 120, int(r.integers(100, 250)))), r), 5, r
    ),
    "coloured": lambda d, r: picture(
        pages(somewhere(d, r), slanting(r), (60, 60, 200), (240, 220, 130)), 5, r
    ),
    "broken": lambda d, r: picture(pages(broken(somewhere(d, r), r)), 5, r),
    "small in the photo": lambda d, r: picture(
        pages(on_page(enlarged(d, 70), PHOTO, *map(int, r.integers(0, 380, 2))), slanting(r)), 5, r
    ),
    "all at once": crowded,
}

NONE: dict[str, Callable[[Pixels, Pixels, Random], Image.Image]] = {
    "blank, slanting light": lambda d, e, r: picture(pages(np.zeros(PHOTO), slanting(r)), 8, r),
    "blank, a lamp": lambda d, e, r: picture(pages(np.zeros(PHOTO), of_a_lamp(r)), 8, r),
    "blank, a shadow": lambda d, e, r: picture(pages(np.zeros(PHOTO), with_shadow(r)), 8, r),
    "blank, ruled": lambda d, e, r: picture(pages(ruled(r)), 8, r),
    "blank, squared": lambda d, e, r: picture(pages(grid(r)), 8, r),
    "blank, a frame": lambda d, e, r: picture(pages(frame(r)), 8, r),
    "blank, a desk": lambda d, e, r: picture(at_desk(pages(np.zeros(PHOTO)), r), 8, r),
    "blank, specks": lambda d, e, r: picture(pages(specks(r)), 8, r),
    "two digits": two_digits,
    "two digits, 28x56": lambda d, e, r: inverted(np.hstack([d, e])),
    "two digits, one below": lambda d, e, r: inverted(np.vstack([d, e])),
}


# How many are read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--save", type=Path)
    given = parser.parse_args()
    model = Sequential.load(given.model, "cpu")
    _, (images, labels) = load_mnist()
    images, labels = images[: given.count], labels[: given.count]
    clean = (model.predict(images).argmax(axis=1) == labels).mean()
    print(f"{'the test images themselves':28}{clean:8.1%} right")
    for name in [*ONE, *NONE]:
        made = [make(name, images, number) for number in range(len(images))]
        read = [prepared(each, jpeg=number % 2 == 1) for number, each in enumerate(made)]
        right, refused = shares(model, read, labels)
        read_right = f"{right:8.1%} right" if name in ONE else " " * 14
        print(f"{name:28}{read_right}{refused:8.1%} refused", flush=True)
        if given.save:
            save(made, read, given.save / f"{name.replace(' ', '-')}.png")


def make(name: str, images: Pixels, number: int) -> Image.Image:
    """The picture of that kind of the image of that number, and of the one before it."""
    random = np.random.default_rng(number)
    if name in ONE:
        return ONE[name](images[number], random)
    return NONE[name](images[number], images[number - 1], random)


def prepared(image: Image.Image, jpeg: bool) -> Pixels | None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / ("picture.jpg" if jpeg else "picture.png")
        image.save(path)
        try:
            return read_digit(path)
        except InvalidFileError:
            return None


def shares(
    model: Model, read: list[Pixels | None], labels: NDArray[np.uint8]
) -> tuple[float, float]:
    refused = np.array([each is None for each in read])
    if refused.all():
        return 0, 1
    classes = model.predict(np.stack([each for each in read if each is not None])).argmax(axis=1)
    return float((classes == labels[~refused]).sum() / len(read)), float(refused.mean())


def save(made: list[Image.Image], read: list[Pixels | None], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = Image.new("RGB", (8 * 260, 5 * 120), "blue")
    for place, (picture, digit) in enumerate(zip(made[:40], read[:40], strict=True)):
        y, x = place // 8 * 120, place % 8 * 260
        shown = picture.convert("RGB")
        shown.thumbnail((150, 112))
        if shown.width < 112:
            shown = shown.resize((112, 112 * shown.height // shown.width), 0)
        sheet.paste(shown.crop((0, 0, 150, 112)), (x, y))
        if digit is not None:
            sheet.paste(Image.fromarray(digit).resize((100, 100), 0), (x + 152, y + 6))
    sheet.save(path)


if __name__ == "__main__":
    main()
