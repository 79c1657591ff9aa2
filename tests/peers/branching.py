"""Networks that branch beside PyTorch: `PYTHONPATH=tests python tests/peers/branching.py`.

To be run by hand where PyTorch is installed. The networks of `tests/branches.py`, with nothing
drawn at random, and a ResNet of three stages are computed layer by layer in PyTorch as well, whose
gradients follow from the forward pass: equal weights take the same steps of gradient descent with
the same batches, in float64. Compared are the loss and the gradients before training, the loss of
each step, all weights and moving averages after it, and the predictions then. gpucnn computes on
the CPU, with a batch in shards, and in the simulator of its kernels. Prints a line a case, and
exits with 1 if any numbers differ by more than `TOLERANCE` of the largest of their array.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F  # noqa: N812 - PyTorch's own abbreviation

import branches
from gpucnn import (
    SGD,
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPool2D,
    Model,
    ReLU,
)
from gpucnn.layers import Layer
from gpucnn.models.graph import IMAGES

TOLERANCE = 1e-9
DEVICES = ("cpu", "simulator")
COUNT, STEPS, RATE = 8, 3, 0.05


def resnet(**options: Any) -> Model:
    """Three stages of two blocks each, as in the paper's networks for CIFAR-10."""
    images = Input(branches.SHAPE)
    x = ReLU()(BatchNormalization()(Conv2D(4, 3, padding="same", use_bias=False)(images)))
    for filters in (4, 6, 8):
        for number in range(2):
            strides = 2 if filters > 4 and number == 0 else 1
            y = Conv2D(filters, 3, strides, "same", use_bias=False)(x)
            y = ReLU()(BatchNormalization()(y))
            y = BatchNormalization()(Conv2D(filters, 3, padding="same", use_bias=False)(y))
            if strides > 1:
                x = BatchNormalization()(Conv2D(filters, 1, strides, use_bias=False)(x))
            x = ReLU()(Add()([y, x]))
    return Model(images, Dense(3)(GlobalAveragePooling2D()(x)), **options)


CASES: dict[str, Callable[..., Model]] = {
    "residual": branches.residual,
    "dense": branches.dense_block,
    "tangled": partial(branches.tangled, varies=False),
    "ResNet": resnet,
}


class InTorch:
    """A model, computed by PyTorch from `model.layers` and `model.graph`, channels first.

    Attributes:
        weights: by name, as of the model; those that are trained have gradients.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        pairs = zip(model.weight_names, model.get_weights(), strict=True)
        self.weights = {name: torch.tensor(array) for name, array in pairs}
        for name in model.parameter_names:
            self.weights[name].requires_grad_()

    def __call__(self, x: Any, *, training: bool) -> Any:
        """The logits for images (n, channels, height, width)."""
        outputs = {IMAGES: x}
        graph = self._model.graph.inputs
        for number, (layer, inputs) in enumerate(zip(self._model.layers, graph, strict=True)):
            given: Any = [outputs[each] for each in inputs]
            for part in layer.unrolled():
                given = [self._run(part, given, training)]
            outputs[number] = given[0]
        return outputs[len(graph) - 1]

    def _run(self, layer: Layer, inputs: list[Any], training: bool) -> Any:
        x = inputs[0]
        if isinstance(layer, Add):
            return sum(inputs[1:], x)
        if isinstance(layer, Concatenate):
            return torch.cat(inputs, 1)  # of images the channels, of vectors the only axis
        if isinstance(layer, Conv2D):
            kernel = self.weights[f"{layer.name}.kernel"].permute(3, 2, 0, 1)
            bias = self.weights.get(f"{layer.name}.bias")
            return F.conv2d(_padded(layer, x), kernel, bias, layer.strides)
        if isinstance(layer, Dense):
            kernel = self.weights[f"{layer.name}.kernel"]
            return x @ kernel + self.weights.get(f"{layer.name}.bias", 0)
        if isinstance(layer, BatchNormalization):
            return self._normalized(layer, x, training)
        if isinstance(layer, ReLU):
            return x.relu()
        if isinstance(layer, MaxPool2D):
            return F.max_pool2d(x, layer.pool_size)
        if isinstance(layer, GlobalAveragePooling2D):
            return x.mean((2, 3))
        if isinstance(layer, Flatten):
            return x.permute(0, 2, 3, 1).flatten(1)
        return x  # dropout at the rate 0

    def _normalized(self, layer: BatchNormalization, x: Any, training: bool) -> Any:
        """As in training, with a step of the averages, or by the averages."""
        of = {key.rpartition(".")[2]: each for key, each in self.weights.items() if _is(layer, key)}
        averages = of["moving_mean"], of["moving_variance"]
        used = averages
        if training:
            used = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
            for average, each in zip(averages, used, strict=True):
                average.lerp_(each.detach(), 1 - layer.momentum)
        mean, variance, gamma, beta = (
            each[:, None, None] for each in (*used, of["gamma"], of["beta"])
        )
        return (x - mean) / (variance + layer.epsilon).sqrt() * gamma + beta


def _is(layer: Layer, key: str) -> bool:
    return key.rpartition(".")[0] == layer.name


def _padded(layer: Conv2D, x: Any) -> Any:
    """The images with the zeros around them that "same" means, at the end where they are odd."""
    window = layer.window
    around: list[int] = []
    for axis in (1, 0):
        size, stride = window.size[axis], layer.strides if isinstance(layer.strides, int) else 1
        given, output = x.shape[2 + axis], window.output[axis]
        total = max((output - 1) * stride + size - given, 0) if layer.padding == "same" else 0
        around += [total // 2, total - total // 2]
    return F.pad(x, around)


def differences(make: Callable[..., Model], device: str) -> Iterator[float]:
    """The differences of all that is compared, each relative to the largest number."""
    x, y = branches.images(COUNT), branches.labels(COUNT)
    model = make(dtype="float64", device=device, threads=2, seed=5)
    for layer in model.layers:
        if hasattr(layer, "rate"):
            layer.rate = 0.0
    model.compile(SGD(RATE))
    peer = InTorch(model)
    images, labels = torch.tensor(x).permute(0, 3, 1, 2), torch.tensor(y)

    def compare(one: Any, other: NDArray[Any]) -> float:
        ours, theirs = np.asarray(one, float), np.asarray(other, float)
        assert ours.shape == theirs.shape
        return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-3))

    for step in range(STEPS):
        loss = F.cross_entropy(peer(images, training=True), labels)
        trained = [peer.weights[name] for name in model.parameter_names]
        gradients = torch.autograd.grad(loss, trained)
        if step == 0:
            ours, found = model.loss_and_gradients(x, y)
            yield compare(ours, loss.detach().numpy())
            for one, other in zip(found, gradients, strict=True):
                yield compare(one, other.numpy())
        with torch.no_grad():
            for each, gradient in zip(trained, gradients, strict=True):
                each -= RATE * gradient
        found_loss, *_ = model.train_on_batch(x, y)
        yield compare(found_loss, loss.detach().numpy())
        for name, weight in zip(model.weight_names, model.get_weights(), strict=True):
            yield compare(weight, peer.weights[name].detach().numpy())
    with torch.no_grad():
        yield compare(model.predict(x), peer(images, training=False).softmax(1).numpy())


def main() -> int:
    """Compare all; the exit status."""
    print(f"PyTorch {torch.__version__}, in float64")
    worst = 0.0
    for device in DEVICES:
        for name, make in CASES.items():
            apart = max(differences(make, device))
            worst = max(worst, apart)
            print(f"{apart:8.1e}  {device:9}  {name}", flush=True)
    print(f"{len(DEVICES) * len(CASES)} cases, the largest difference {worst:.1e}")
    return int(not worst <= TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
