"""Ask a server at a rate, and hold each answer against `predict`: `python -m campaign.requests`.

To be started in `tests/`. `gpucnn serve` runs in a process of its own; clients, each with a
connection that it keeps, send 200 requests a second between them, for answers and for explanations,
as numbers and as pictures. An answer is wrong if it is not that of the image that was sent. All
traffic is within this machine.
"""

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from campaign.figures import Figures, main
from gpucnn import Sequential
from gpucnn.models import lenet, notebook
from small_mnist import small_mnist

RATE = 200  # requests a second
CLIENTS = 8
COUNT = 60 * RATE
TOLERANCE = 1e-5  # of a probability: float32, by another order of sums


class Request(NamedTuple):
    """What is sent, and the probabilities that are to come back."""

    path: str
    kind: str
    body: bytes
    expected: NDArray[Any]


def campaign(count: int, seed: int, folder: Path) -> Figures:
    """Send `count` requests."""
    figures = Figures("requests")
    (images, labels), (shown, _) = small_mnist(train=1_000, test=500)
    models = {
        "notebook": notebook(device="cpu", threads=1),
        "lenet": lenet(device="cpu", threads=1),
    }
    for name, model in models.items():
        model.fit(images, labels, verbose=0)
        model.save(folder / f"{name}.safetensors")
    requests = _requests(models, shown, np.random.default_rng(seed))
    seconds: list[float] = []
    with _serving([folder / f"{name}.safetensors" for name in models]) as port:
        begun = time.monotonic()
        clients = [
            threading.Thread(
                target=_ask,
                args=(port, range(each, count, CLIENTS), requests, begun, seconds, figures),
            )
            for each in range(CLIENTS)
        ]
        for each in clients:
            each.start()
        for each in clients:
            each.join()
        passed = time.monotonic() - begun
    figures.measured = {
        "requests/s": round(len(seconds) / passed, 1),
        "p50 ms": round(1000 * float(np.percentile(seconds, 50)), 1),
        "p99 ms": round(1000 * float(np.percentile(seconds, 99)), 1),
        "longest ms": round(1000 * max(seconds), 1),
    }
    return figures


def _requests(
    models: dict[str, Sequential], shown: NDArray[np.uint8], chance: np.random.Generator
) -> list[Request]:
    """Of each model, for each image: nine in ten for an answer, nine in ten with numbers."""
    made = []
    for name, model in models.items():
        for image, expected in zip(shown, model.predict(shown), strict=True):
            what = "explain" if chance.random() < 0.1 else "predict"
            path = f"/{what}?model={name}"
            if chance.random() < 0.1:
                made.append(Request(path, "image/png", _as_png(image), expected))
            else:
                body = json.dumps({"pixels": image.tolist()}).encode()
                made.append(Request(path, "application/json", body, expected))
    return [made[each] for each in chance.permutation(len(made))]


def _as_png(image: NDArray[np.uint8]) -> bytes:
    """A picture that is taken as it is, since it is prepared as MNIST's are."""
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


@contextmanager
def _serving(files: Sequence[Path]) -> Iterator[int]:
    """A server of models; its port."""
    command = [sys.executable, "-m", "gpucnn", "serve", *map(str, files), "--port", "0"]
    with subprocess.Popen([*command, "--device", "cpu"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        found = re.search(rb"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        assert found
        try:
            yield int(found[1])
        finally:
            process.terminate()


def _ask(
    port: int,
    numbers: Sequence[int],
    requests: Sequence[Request],
    begun: float,
    seconds: list[float],
    figures: Figures,
) -> None:
    """Send the requests of some numbers, each at its time, or as soon after as may be."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    for number in numbers:
        time.sleep(max(0, begun + number / RATE - time.monotonic()))
        request = requests[number % len(requests)]
        started = time.monotonic()
        connection.request("POST", request.path, request.body, {"Content-Type": request.kind})
        answer = connection.getresponse()
        content = answer.read()
        seconds.append(time.monotonic() - started)
        good = answer.status == 200 and _is_right(content, request.expected)
        figures.check(good, f"{number}: {request.path}: {answer.status} {content[:200]!r}")
    connection.close()


def _is_right(content: bytes, expected: NDArray[Any]) -> bool:
    answer = json.loads(content)
    found = np.array(list(answer["probabilities"].values()))
    is_near = bool(np.abs(found - expected).max() < TOLERANCE)
    return is_near and answer["class"] == str(expected.argmax())


if __name__ == "__main__":
    sys.exit(main(__doc__, COUNT, campaign))
