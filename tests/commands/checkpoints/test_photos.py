"""From a folder of pictures to what a new one shows, by the commands."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from commands.conftest import Command, Refused
from gpucnn import Sequential, load_images

CHECKPOINT = "run/checkpoint.safetensors"
SIZES = (24, 24), (36, 28), (30, 40)  # (width, height)
SHAPES = ("circle", "cross", "triangle")


def draw(shape: str, size: tuple[int, int], generator: np.random.Generator) -> Image.Image:
    """A light shape on a dark ground, near the middle."""
    dark, light = (tuple(generator.integers(*each, 3).tolist()) for each in ((0, 90), (150, 256)))
    image = Image.new("RGB", size, dark)
    pen = ImageDraw.Draw(image)
    side = int(min(size) * generator.uniform(0.6, 0.8))
    left, top = ((each - side) // 2 + int(generator.integers(-2, 3)) for each in size)
    right, bottom = left + side, top + side
    if shape == "circle":
        pen.ellipse((left, top, right, bottom), fill=light)
    elif shape == "cross":
        pen.line((left, top, right, bottom), fill=light, width=4)
        pen.line((right, top, left, bottom), fill=light, width=4)
    else:
        pen.polygon([(left, bottom), (right, bottom), (left + side // 2, top)], fill=light)
    return image


def write_shapes(folder: Path, count: int, seed: int) -> list[Path]:
    """So many pictures of each shape, PNG and JPEG, of three sizes; a folder for each shape."""
    generator = np.random.default_rng(seed)
    paths = []
    for shape in SHAPES:
        (folder / shape).mkdir(parents=True)
        for number in range(count):
            paths.append(folder / shape / f"{number}.{'png' if number % 2 else 'jpg'}")
            draw(shape, SIZES[number % 3], generator).save(paths[-1])
    return paths


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    write_shapes(folder, 120, seed=0)
    return folder


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpucnn.datasets.photos.cache.user_cache_folder", lambda: None)


def test_from_photographs_to_result(command: Command, photos: Path) -> None:
    outcome = command("train", "--data", photos, "--output", "run")
    assert outcome.status == 0
    assert f"{photos}: 360 pictures of 3 classes (circle, cross, triangle), read as" in outcome.out
    assert "288 images to train on, 72 to test on" in outcome.out
    evaluated = command("evaluate", CHECKPOINT)
    correct = re.search(r"^(\d+) of 72 test images", evaluated.out, re.MULTILINE)
    assert correct is not None
    assert int(correct[1]) > 0.95 * 72
    for shape in SHAPES:
        assert re.search(rf"^{shape} +24 +\d+ ", evaluated.out, re.MULTILINE)
    new = write_shapes(Path("new"), 20, seed=1)
    said = re.findall(r"^(\w+), with [\d.]+%$", command("predict", CHECKPOINT, *new).out, re.M)
    assert len(said) == len(new)
    assert sum(a == b.parent.name for a, b in zip(said, new, strict=True)) > 0.95 * len(new)


def test_a_run_goes_on(command: Command, photos: Path) -> None:
    command("train", "--data", photos, "--epochs", 1, "--schedule", "constant", "--output", "run")
    first = Sequential.load(CHECKPOINT)
    assert first.class_names == SHAPES
    outcome = command("train", "--resume", "--epochs", 2, "--output", "run")
    assert outcome.status == 0
    assert Sequential.load(CHECKPOINT).class_names == SHAPES
    assert Sequential.load(CHECKPOINT).epochs_trained == 2


def test_a_size_of_ones_own_and_grey(command: Command, photos: Path) -> None:
    for path in photos.rglob("*.*"):
        target = "grey" / path.relative_to(photos)
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.convert("L").save(target)
    options = "--image-size", 20, "--epochs", 2
    outcome = command("train", "--data", "grey", *options, "--output", "run")
    assert "read as 20 x 20 pixels in grey" in outcome.out
    model = Sequential.load(CHECKPOINT)
    assert model.input_shape == (20, 20, 1)
    x, _ = load_images("grey", image_size=20, verbose=False).test
    (path,) = Path("grey/cross").glob("3.*")  # read as a photograph, not as handwriting
    predicted = command("predict", CHECKPOINT, path, 0)
    assert predicted.status == 0
    assert "test image 0" in predicted.out
    assert model.predict(x).shape == (72, 3)


def test_other_folders_are_evaluated_by_the_names_of_their_classes(
    command: Command, refused: Refused, photos: Path
) -> None:
    command("train", "--data", photos, "--output", "run", "--epochs", 3)
    write_shapes(Path("some"), 10, seed=2)
    for path in Path("some/circle").iterdir():
        path.unlink()
    Path("some/circle").rmdir()
    evaluated = command("evaluate", CHECKPOINT, "--data", "some").out
    correct = re.search(r"^(\d+) of 20 test images from some", evaluated, re.MULTILINE)
    assert correct is not None
    assert int(correct[1]) >= 15
    assert not re.search(r"^circle", evaluated, re.MULTILINE)
    Path("some/cross").rename("some/star")
    line = refused("evaluate", CHECKPOINT, "--data", "some")
    assert "some has images of star, but the model knows circle, cross, triangle: give" in line


def test_the_other_commands_take_them(command: Command, photos: Path) -> None:
    verified = command("verify", "cpu", "cpu", "--data", photos, "--steps", 2)
    assert verified.status == 0, verified.out + verified.err
    options = "--seeds", 1, "--epochs", 1, "--image-size", 16, "--jobs", 1
    swept = command("sweep", "--data", photos, *options, "--output", "sweep")
    assert swept.status == 0
    recipe = json.loads(Path("sweep/sweep.json").read_text())["recipe"]
    assert (recipe["data"], recipe["image_size"]) == (str(photos), 16)
    assert Sequential.load("sweep/seed-1/checkpoint.safetensors").input_shape == (16, 16, 3)
    assert command("plot", "sweep").status == 0


def test_what_is_no_folder_of_photographs(refused: Refused, photos: Path) -> None:
    Path("loose").mkdir()
    draw("cross", (20, 20), np.random.default_rng(0)).save("loose/1.png")
    line = refused("train", "--data", "loose")
    assert "1.png is a picture in no folder of its class: move those of each class to a fo" in line
    (Path("loose") / "cross").mkdir()
    Path("loose/1.png").rename("loose/cross/1.png")
    assert "loose has images of a single class: give images of at least" in refused(
        "train", "--data", "loose"
    )
    for name in ("cross", "square"):
        Path("single", name).mkdir(parents=True)
        draw("cross", (20, 20), np.random.default_rng(0)).save(f"single/{name}/1.png")
    line = refused("train", "--data", "single")
    assert "single has no images to test with: give two of a class at least, or a folder" in line
    line = refused("train", "--data", photos, "--image-size", 2)
    assert "notebook cannot take images of the shape (2, 2, 3) (" in line
