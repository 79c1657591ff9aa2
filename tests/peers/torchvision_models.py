"""Networks of torchvision here and back in PyTorch: by hand, where both are installed.

`python tests/peers/torchvision_models.py [NAME...]`. Weights are drawn, and images are small.
Prints by how much outputs differ from those of PyTorch, in shares of the largest, of a model that
`from_torch` made, of the module that `to_torch` makes of that, and after the weights came from a
file of the state dict; exits with 1 if one is beyond its tolerance.
"""

import sys
from contextlib import chdir
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from safetensors.torch import save_file

from gpucnn import from_torch, to_torch

SIDES = {
    "densenet121": 64,
    "googlenet": 64,
    "inception_v3": 96,
    "mnasnet0_5": 64,
    "mobilenet_v2": 64,
    "regnet_x_400mf": 64,
    "resnet18": 64,
    "resnet50": 64,
    "resnext50_32x4d": 64,
    "squeezenet1_1": 64,
    "vgg11_bn": 224,
}
"""Rows and columns of the images, by the names of networks."""

IMAGES = 2
TOLERANCE = 1e-5  # of the largest output, in float32

Array = NDArray[Any]


def drawn(name: str) -> Any:
    """A network whose normalisations are none of those that change nothing."""
    torch.manual_seed(0)
    options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    made = getattr(torchvision.models, name)(weights=None, num_classes=10, **options)
    for key, values in (*made.named_parameters(), *made.named_buffers()):
        if values.dtype.is_floating_point and values.ndim == 1:
            low = 0.5 if key.endswith(("weight", "var")) else -0.5
            torch.nn.init.uniform_(values.data, low, low + 1)
    return made.eval()


def in_torch(module: Any, x: Array) -> Array:
    with torch.no_grad():
        return np.asarray(module(torch.from_numpy(x).permute(0, 3, 1, 2)))


def ways(theirs: Any, x: Array) -> dict[str, Array]:
    """What each gives for images."""
    ours = from_torch(theirs, (3, *x.shape[1:3]), "cpu", threads=1)
    found = {"here": ours.predict(x), "back": in_torch(to_torch(ours), x)}
    state = {key: each for key, each in theirs.state_dict().items() if "aux" not in key.lower()}
    save_file(state, "theirs.safetensors")
    ours.set_weights([np.zeros_like(each) for each in ours.get_weights()])
    ours.load_weights("theirs.safetensors")
    return found | {"by the state dict": ours.predict(x)}


def main() -> None:
    """Print a line for each network."""
    failed = False
    for name in sys.argv[1:] or SIDES:
        theirs, side = drawn(name), SIDES[name]
        shape = IMAGES, side, side, 3
        x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
        expected = in_torch(theirs, x)
        with TemporaryDirectory() as folder, chdir(folder):
            found = ways(theirs, x)
        off = {way: abs(each - expected).max() / abs(expected).max() for way, each in found.items()}
        failed = failed or not max(off.values()) <= TOLERANCE
        print(f"{name}: off by", ", ".join(f"{off[way]:.1e} {way}" for way in off), flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
