"""Damage files by chance and read them: `python -m campaign.inputs`.

To be started in `tests/`. Checkpoints, histories of runs, sets of images in all formats, pictures,
and files of Keras are damaged: bits flipped, cut short, spliced, lengthened, numbers in headers and
values in their JSON set to others, or expanding to more than they seem. Each must be read right, or
refused by an error of the library's own in one line that can be printed; in bounded memory and
time, by a process that lives on. Cases have numbers, and are the same for the same seed.
"""

import io
import json
import os
import resource
import select
import signal
import struct
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import small
from campaign import image_sets, mutations
from campaign.figures import Figures, main
from campaign.kind import Kind, expect
from campaign.mutations import Generator
from campaign.runs import CHECKPOINT, HISTORY
from gpucnn import GpucnnError, Sequential
from gpucnn.applications import default_config
from gpucnn.commands.runs import Run
from gpucnn.datasets.digits.digits import read_digit
from gpucnn.datasets.photos import read_photo
from models.exchange.keras.archives import parts_of, write_parts
from small_mnist import small_mnist, write_small_mnist

COUNT = 500
MIB = 2**20
MEMORY = 1024 * MIB  # that a process may take beyond what it has at its start
GROWTH = 256  # MiB that a case may make the most memory of its process grow
PATIENCE = 20  # seconds that a case may take
LONGEST = 1_000  # characters of an error


class Checkpoints(Kind):
    """Models: what can be loaded computes with finite numbers, and can be saved and loaded."""

    def prepare(self, folder: Path) -> None:
        self.file, self._copy = folder / "damaged.safetensors", folder / "copy.safetensors"
        model = small.model(device="cpu", threads=1)
        model.fit(small.images(30), small.labels(30), verbose=0)
        model.save(self.file)
        self._good = self.file.read_bytes()

    def damage(self, generator: Generator) -> None:
        damaged = mutations.of_bytes if generator.random() < 0.5 else self._other_header
        self.file.write_bytes(damaged(self._good, generator))

    def _other_header(self, content: bytes, generator: Generator) -> bytes:
        """With another value in its header or in the model's description there."""
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        if generator.random() < 0.7:
            description = json.loads(header["__metadata__"]["gpucnn"])
            changed = mutations.of_json(description, generator)
            header["__metadata__"]["gpucnn"] = json.dumps(changed)
        else:
            header = mutations.of_json(header, generator)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + content[8 + length :]

    def read(self) -> None:
        model = Sequential.load(self.file, device="cpu", threads=1)
        images = small.images(4, model.input_shape)
        expect(np.isfinite(model.predict(images)).all(), "its predictions are not finite")
        model.save(self._copy)
        copy = Sequential.load(self._copy, device="cpu", threads=1)
        expect(
            all(map(np.array_equal, copy.get_weights(), model.get_weights())),
            "what it saves is another model",
        )


class Histories(Kind):
    """Histories of runs: what is gone on with has as many epochs as its model."""

    def prepare(self, folder: Path) -> None:
        data = folder / "data"
        data.mkdir()
        write_small_mnist(data, train=64, test=20)
        self._folder = folder / "run"
        config = default_config(data=str(data), device="cpu", threads=1, epochs=2)
        Run.start(self._folder, config).train(verbose=0)
        self._good = (self._folder / HISTORY).read_bytes()
        self._checkpoint = (self._folder / CHECKPOINT).read_bytes()

    def damage(self, generator: Generator) -> None:
        if generator.random() < 0.3:
            content = mutations.of_bytes(self._good, generator)
        else:
            content = json.dumps(mutations.of_json(json.loads(self._good), generator)).encode()
        (self._folder / HISTORY).write_bytes(content)
        (self._folder / CHECKPOINT).write_bytes(self._checkpoint)

    def read(self) -> None:
        run = Run.resume(self._folder)
        epochs = run.history.epochs
        expect(len(epochs) == run.model.epochs_trained, "the epochs are not those of the model")
        for epoch in epochs:
            line = f"{epoch['val_accuracy']:.2%} {epoch['epoch']} {epoch['images_per_second']:,.0f}"
            expect(line.isprintable(), "what is told of an epoch is not a line")


class Pictures(Kind):
    """Pictures of a digit: what is read is an image of 28x28."""

    def prepare(self, folder: Path) -> None:
        self.file = folder / "digit.png"
        _, (images, _) = small_mnist(train=0, test=1)
        drawing = Image.fromarray(images[0]).resize((64, 64))
        self._good = _written(drawing, "PNG")

    def damage(self, generator: Generator) -> None:
        ways = (mutations.of_bytes, mutations.of_bytes, mutations.of_png_header)
        self.file.write_bytes(ways[generator.integers(3)](self._good, generator))

    def read(self) -> None:
        image = read_digit(self.file)
        expect(image.shape == (28, 28) and image.dtype == np.uint8, "it is not an image")


class Photographs(Kind):
    """Pictures in all formats and of many kinds of pixels: what is read is an image in colour."""

    def prepare(self, folder: Path) -> None:
        self.file = folder / "photograph"
        noise = np.random.default_rng(0).integers(0, 256, (16, 12, 3), np.uint8)
        colours, deep = Image.fromarray(noise), noise[..., 0].astype(np.uint16) * 257
        others = {"save_all": True, "append_images": [colours.rotate(180)]}
        self._good = [
            *(_written(colours, kind) for kind in ("PNG", "JPEG", "BMP", "PPM", "TIFF", "WEBP")),
            *(_written(colours, kind, **others) for kind in ("GIF", "PNG", "WEBP", "TIFF")),
            *(_written(Image.fromarray(deep), kind) for kind in ("PNG", "TIFF", "PPM")),
            _written(Image.fromarray(deep.astype(np.float32)), "TIFF"),
            _written(colours.convert("CMYK"), "JPEG"),
            _written(colours.quantize(9), "PNG", transparency=bytes(range(9))),
        ]

    def damage(self, generator: Generator) -> None:
        good = self._good[generator.integers(len(self._good))]
        self.file.write_bytes(mutations.of_bytes(good, generator))

    def read(self) -> None:
        image = read_photo(self.file, (10, 8, 3))
        expect(image.shape == (10, 8, 3) and image.dtype == np.uint8, "it is not an image")


def _written(image: Image.Image, kind: str, **options: Any) -> bytes:
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


class KerasFiles(Kind):
    """Models in files of Keras: what can be loaded computes with finite numbers."""

    def prepare(self, folder: Path) -> None:
        self.file = folder / "damaged.keras"
        model = small.model(device="cpu", threads=1)
        model.class_names = ["one", "two", "three"]
        model.export(self.file)
        self._parts = parts_of(self.file)

    def damage(self, generator: Generator) -> None:
        name = list(self._parts)[generator.integers(len(self._parts))]
        content = self._parts[name]
        if name.endswith(".json") and generator.random() < 0.7:
            damaged = json.dumps(mutations.of_json(json.loads(content), generator)).encode()
        else:
            damaged = mutations.of_bytes(content, generator)
        write_parts(self.file, self._parts | {name: damaged})

    def read(self) -> None:
        model = Sequential.load(self.file, device="cpu", threads=1)
        predicted = model.predict(np.zeros((4, *model.input_shape), np.float32))
        expect(np.isfinite(predicted).all(), "its predictions are not finite")
        expect(all(map(str.isprintable, model.class_names or ())), "names are not printable")


KINDS: dict[str, Kind] = {
    "checkpoint": Checkpoints(),
    "history": Histories(),
    **image_sets.KINDS,
    "PNG": Pictures(),
    "photographs": Photographs(),
    "Keras": KerasFiles(),
}


def campaign(count: int, seed: int, folder: Path) -> Figures:
    """Read `count` damaged files, as many of each kind."""
    figures = Figures("damaged inputs")
    for name, kind in KINDS.items():
        (folder / name).mkdir()
        kind.prepare(folder / name)
    said: Counter[str] = Counter()
    growth = 0
    for case, word, grown in _all_cases(count, seed):
        name = list(KINDS)[case % len(KINDS)]
        said[word] += 1
        growth = max(growth, grown)
        good = word in ("read", "refused") and grown <= GROWTH
        figures.check(good, f"case {case}, {name}: {word}, {grown} MiB more memory")
    figures.measured = {
        "read": said["read"],
        "refused in one line": said["refused"],
        "most memory that a case added, MiB": growth,
    }
    return figures


def _all_cases(count: int, seed: int) -> Iterator[tuple[int, str, int]]:
    """Each case with what became of it and the memory it took; a process may do many, and die."""
    case = 0
    while case < count:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            _do_cases(case, count, seed, write)
        os.close(write)
        with os.fdopen(read) as pipe:
            while select.select([pipe], [], [], PATIENCE)[0] and (line := pipe.readline()):
                told = json.loads(line)
                yield case, *told
                case += 1
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if case < count:
            ended = "the process ends" if not line else f"no end in {PATIENCE} s"
            yield case, f"{ended} ({status})", 0
            case += 1


def _do_cases(first: int, count: int, seed: int, tell: int) -> None:
    """What such a process does."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    warnings.simplefilter("ignore")
    kinds = list(KINDS.values())
    for case in range(first, count):
        before = _most_memory()
        kind = kinds[case % len(kinds)]
        kind.damage(np.random.default_rng([seed, case]))
        word = _outcome(kind)
        line = json.dumps([word, (_most_memory() - before) // MIB])
        os.write(tell, f"{line}\n".encode())
    os._exit(0)


def _outcome(kind: Kind) -> str:
    try:
        kind.read()
    except GpucnnError as error:
        text = str(error)
        one_line = text.isprintable() and 0 < len(text) <= LONGEST
        return "refused" if one_line else f"an error that is not a line: {text[:100]!r}"
    except BaseException as error:
        *_, last = traceback.extract_tb(error.__traceback__)
        text = str(error)[:100]
        return f"{type(error).__name__} ({text!r}, {Path(last.filename).name}:{last.lineno})"
    return "read"


def _most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main(__doc__, COUNT, campaign))
