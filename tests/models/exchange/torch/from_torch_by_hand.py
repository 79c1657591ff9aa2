"""Models of PyTorch's modules, which the tests do not install: by hand, where it is.

`pytest tests/models/exchange/torch/from_torch_by_hand.py`
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import fx, nn
from torch.nn import functional

from expect import refusal
from gpucnn import Adam, Add, Concatenate, Model, from_torch
from gpucnn.errors import GpucnnWarning, InvalidTypeError
from gpucnn.losses import SparseCategoricalCrossentropy

IMAGES = 3
TOLERANCE = 1e-5  # of the outputs' magnitude, in float32


def settle(module: nn.Module) -> nn.Module:
    """Draw what begins as zeros and ones, and leave the module in eval mode."""
    for name, values in (*module.named_parameters(), *module.named_buffers()):
        if values.dtype.is_floating_point and values.ndim == 1:
            low = 0.5 if name.endswith(("weight", "var")) else -0.5
            nn.init.uniform_(values.data, low, low + 1)
    return module.eval()


def images(shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(IMAGES, *shape)).astype(np.float32)


def of_torch(module: nn.Module, x: NDArray[Any]) -> NDArray[Any]:
    with torch.no_grad():
        return np.asarray(module.eval()(torch.from_numpy(x)).numpy())


def check(module: nn.Module, shape: tuple[int, ...], logarithms: bool = False) -> Model:
    """Check that the model of a module predicts what that gives."""
    x = images(shape)
    expected = of_torch(module, x)
    model = from_torch(module, shape, "cpu", 1)
    found = model.predict(np.ascontiguousarray(np.moveaxis(x, 1, -1)))
    expected = np.exp(expected) if logarithms else expected
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * abs(expected).max())
    return model


# Random networks


class Beside(nn.Module):  # type: ignore[misc]
    """A module, whose output is joined with its input."""

    def __init__(self, inside: nn.Module, join: Callable[[list[Any]], Any]) -> None:
        super().__init__()
        self.inside, self.join = inside, join

    def forward(self, x: Any) -> Any:
        return self.join([x, self.inside(x)])


class Draw:
    """Modules that are drawn, for images of some channels."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def of(self, *choices: Any) -> Any:
        return choices[self.random.integers(len(choices))]

    def network(self) -> tuple[nn.Module, tuple[int, int, int]]:
        rows, columns, channels = (int(self.random.integers(low, 13)) for low in (9, 9, 1))
        layers: list[nn.Module] = []
        inputs = channels
        for _ in range(self.random.integers(1, 4)):
            part, inputs = self.part(inputs)
            layers += part
        body = nn.Sequential(*layers)
        with torch.no_grad():
            shape = body.eval()(torch.zeros(1, channels, rows, columns)).shape[1:]
        return nn.Sequential(body, *self.end(tuple(shape))), (channels, rows, columns)

    def part(self, inputs: int) -> tuple[list[nn.Module], int]:
        filters, size = int(self.random.integers(2, 7)), self.of(1, 2, 3, (3, 2))
        padding = self.of(0, 1, "same")
        bias = bool(self.of(True, False))
        strides = 1 if padding == "same" else self.of(1, 2)
        spread = {"stride": strides} if self.of(True, False) else {"dilation": self.of(1, 2)}
        depthwise = nn.Conv2d(inputs, 2 * inputs, size, 1, padding, groups=inputs, bias=bias)
        groups = self.of(1, inputs)
        part: tuple[list[nn.Module], int] = self.of(
            ([nn.Conv2d(inputs, filters, size, padding=padding, bias=bias, **spread)], filters),
            ([depthwise, nn.BatchNorm2d(2 * inputs), self.activation()], 2 * inputs),
            ([nn.Conv2d(inputs, groups * 2, size, padding=1, groups=groups)], groups * 2),
            (
                [nn.ReLU(), nn.MaxPool2d(3, self.of(1, 2), 1, ceil_mode=self.of(True, False))],
                inputs,
            ),
            ([nn.MaxPool2d(2, self.of(None, 1))], inputs),
            ([nn.AvgPool2d(3, self.of(1, 2), 1, count_include_pad=True)], inputs),
            ([nn.AvgPool2d(3, 1, 1, count_include_pad=False), self.activation()], inputs),
            ([nn.BatchNorm2d(inputs, eps=0.01, affine=bool(self.of(True, False)))], inputs),
            ([nn.ZeroPad2d((1, 0, 2, -1)), self.activation(), nn.Dropout2d(0.3)], inputs),
            ([self.residual(inputs), self.activation()], inputs),
            (
                [Beside(nn.Conv2d(inputs, filters, 1), lambda each: torch.cat(each, 1))],
                inputs + filters,
            ),
        )
        return part

    def residual(self, channels: int) -> nn.Module:
        convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        inside = [nn.BatchNorm2d(channels), self.activation(), convolution]
        return Beside(nn.Sequential(*inside), sum)

    def activation(self) -> nn.Module:
        return self.of(
            nn.ReLU(inplace=True), nn.ReLU6(), nn.LeakyReLU(0.2), nn.ELU(0.7), nn.GELU(), nn.SiLU(),
            nn.Tanh(), nn.Sigmoid(), nn.PReLU(), nn.Hardtanh(0, 0.5), nn.Identity(),
        )  # fmt: skip

    def end(self, shape: tuple[int, ...]) -> list[nn.Module]:
        channels, size = shape[0], int(np.prod(shape))
        flat, inputs = self.of(
            ([nn.Flatten()], size),
            ([nn.Flatten(), nn.Dropout(0.4), self.activation(), nn.BatchNorm1d(size)], size),
            ([nn.AdaptiveAvgPool2d(1), nn.Flatten()], channels),
            ([nn.AdaptiveMaxPool2d((1, 1)), nn.Flatten(), self.activation()], channels),
            ([nn.Flatten(2), nn.Flatten()], size),
        )
        hidden = [nn.Linear(inputs, 5, bool(self.of(True, False))), self.activation()]
        return [
            *flat,
            *self.of([nn.Linear(inputs, 4)], [*hidden, nn.Linear(5, 4)]),
            *self.of([], [nn.Softmax(1)]),
        ]


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("seed", range(200))
def test_random_networks_compute_what_they_do_there(seed: int) -> None:
    torch.manual_seed(seed)
    module, shape = Draw(seed).network()
    check(settle(module), shape)


# Modules of one's own


class Forward(nn.Module):  # type: ignore[misc]
    """A convolution, a function, and a dense layer."""

    def __init__(self, function: Callable[[Any], Any], inputs: int, channels: int = 4) -> None:
        super().__init__()
        self.convolution, self.function = nn.Conv2d(2, channels, 2), function
        self.dense = nn.Linear(inputs, 3)

    def forward(self, x: Any) -> Any:
        return self.dense(self.function(self.convolution(x)))


SHAPE = 2, 7, 5  # of which the convolution makes (4, 6, 4)

FUNCTIONS: dict[str, tuple[Callable[[Any], Any], int]] = {
    "view": (lambda x: x.view(x.size(0), -1), 96),
    "view, of sizes": (lambda x: x.view(-1, x.size(1) * x.size(2) * x.shape[3]), 96),
    "reshape": (lambda x: x.reshape(x.shape[0], 96), 96),
    "flatten": (lambda x: torch.flatten(x, 1), 96),
    "flatten twice": (lambda x: x.flatten(2).flatten(1, 2), 96),
    "mean": (lambda x: x.mean((2, 3)), 4),
    "mean of pixels": (lambda x: x.view(x.size(0), x.size(1), -1).mean(-1), 4),
    "mean that keeps axes": (lambda x: x.mean([-1, -2], keepdim=True).squeeze(3).squeeze(-1), 4),
    "amax": (lambda x: torch.amax(x, dim=(2, 3)), 4),
    "relu": (lambda x: functional.relu(x).flatten(1), 96),
    "relu of a method": (lambda x: x.relu_().flatten(1), 96),
    "relu6": (lambda x: functional.relu6(x).flatten(1), 96),
    "clamp": (lambda x: x.clamp(min=0, max=0.25).flatten(1), 96),
    "leaky_relu": (lambda x: functional.leaky_relu(x, 0.3).flatten(1), 96),
    "elu": (lambda x: functional.elu(x, alpha=0.3).flatten(1), 96),
    "gelu": (lambda x: functional.gelu(x).flatten(1), 96),
    "silu": (lambda x: functional.silu(x).flatten(1), 96),
    "tanh": (lambda x: torch.tanh(x).flatten(1), 96),
    "sigmoid": (lambda x: x.sigmoid().flatten(1), 96),
    "max_pool2d": (lambda x: functional.max_pool2d(x, 2).flatten(1), 24),
    "max_pool2d, padded": (
        lambda x: functional.max_pool2d(x.relu(), 3, stride=2, padding=1).flatten(1),
        24,
    ),
    "avg_pool2d": (lambda x: functional.avg_pool2d(x, (3, 2), (3, 2)).flatten(1), 16),
    "adaptive_avg_pool2d": (lambda x: functional.adaptive_avg_pool2d(x, (3, 2)).flatten(1), 24),
    "adaptive_max_pool2d": (lambda x: functional.adaptive_max_pool2d(x, 2).flatten(1), 16),
    "adaptive, as it is": (lambda x: functional.adaptive_avg_pool2d(x, (None, 4)).flatten(1), 96),
    "dropout": (lambda x: functional.dropout(x, 0.5, training=False).flatten(1), 96),
    "pad": (lambda x: functional.pad(x, (1, 0, 2, 1)).flatten(1), 180),
    "numbers": (lambda x: ((-x + 1) * 2 / 3 - 0.5).flatten(1), 96),
    "numbers from the left": (lambda x: (1 - 2 * x).flatten(1), 96),
    "permute": (lambda x: x.permute(0, 2, 3, 1).flatten(1), 96),
    "unsqueeze": (lambda x: x.mean((2, 3)).unsqueeze(2).unsqueeze(-1).flatten(1), 4),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_and_methods(name: str) -> None:
    check(Forward(*FUNCTIONS[name]).eval(), SHAPE)


def test_logarithms_become_probabilities() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(70, 3), nn.LogSoftmax(dim=1))
    with pytest.warns(GpucnnWarning, match="predict gives the probabilities themselves"):
        check(module, SHAPE, logarithms=True)


def test_an_image_made_of_a_vector() -> None:
    check(
        nn.Sequential(
            nn.Flatten(), nn.Linear(70, 12), nn.Unflatten(1, (1, 4, 3)), nn.Conv2d(1, 2, 2),
            nn.Flatten(), nn.Linear(12, 3),
        ),
        SHAPE,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [nn.MaxPool2d, nn.AvgPool2d])
def test_pooling_that_pads_at_the_end_alone(kind: Any) -> None:
    """As `to_torch` has it: the windows that begin before the image are cut off."""
    counting = {} if kind is nn.MaxPool2d else {"count_include_pad": False}
    pooling = kind(2, 1, 1, **counting), nn.ZeroPad2d((-1, 0, -1, 0))
    module = nn.Sequential(*pooling, nn.Flatten(), nn.Linear(70, 3))
    check(module, SHAPE)
    layer = from_torch(module, SHAPE, "cpu", 1).layers[0]
    assert getattr(layer, "padding", None) == "same"
    cropped = kind(2, 1), nn.ZeroPad2d((-1, 0, 0, 0))  # of what has no padding
    check(nn.Sequential(*cropped, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3)), SHAPE)


def test_channels_are_shuffled() -> None:
    shuffled = nn.Unflatten(1, (70, 1, 1)), nn.ChannelShuffle(2), nn.Flatten()
    check(nn.Sequential(nn.Flatten(), *shuffled, nn.Linear(70, 3)), SHAPE)


def test_vectors_may_come_in() -> None:
    module = settle(nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)))
    x = images((5,))
    found = from_torch(module, (5,), "cpu", 1).predict(x)
    np.testing.assert_allclose(found, of_torch(module, x), atol=1e-6)


def test_a_module_alone() -> None:
    module = nn.Linear(5, 2)
    np.testing.assert_allclose(
        from_torch(module, (5,), "cpu", 1).predict(images((5,))),
        of_torch(module, images((5,))),
        atol=1e-6,
    )


def test_names_are_those_of_the_modules() -> None:
    module = nn.Sequential()
    module.add_module("features", nn.Sequential(nn.Conv2d(2, 3, 2), nn.ReLU()))
    module.add_module("relu", nn.ReLU())
    module.add_module("flatten", nn.Flatten())
    module.add_module("head", nn.Linear(72, 3))
    model = check(module, SHAPE)
    assert [each.name for each in model.layers] == [
        "features.0", "features.1", "relu", "flatten", "head",
    ]  # fmt: skip


def test_the_module_is_left_as_it_is() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(70, 3), nn.Dropout(0.5))
    before = {name: each.clone() for name, each in module.state_dict().items()}
    module.train()
    model = from_torch(module, SHAPE, "cpu", 1)
    assert module.training
    model.compile(Adam(0.1), SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images((7, 5, 2)), np.arange(IMAGES), verbose=0)
    for name, each in module.state_dict().items():
        assert torch.equal(each, before[name])


def test_it_can_be_trained_further() -> None:
    module = settle(nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(60, 3)))
    model = check(module, SHAPE)
    x, y = images((7, 5, 2)), np.arange(IMAGES)
    before = model.evaluate(x, y).loss
    model.compile(Adam(0.01), SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, epochs=50, verbose=0)
    assert model.evaluate(x, y).loss < before / 10


def test_float64_and_float16_become_float32() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(70, 3))
    x = images(SHAPE)
    expected = of_torch(module, x)
    for kind in (torch.float64, torch.bfloat16):
        found = from_torch(module.to(kind), SHAPE, "cpu", 1).predict(np.moveaxis(x, 1, -1).copy())
        np.testing.assert_allclose(found, expected, atol=0.05)


# Modules that branch


class Residual(nn.Module):  # type: ignore[misc]
    """A block of a ResNet, as for CIFAR-10."""

    def __init__(self, inputs: int, filters: int, strides: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, filters, 3, strides, 1, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(filters), nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2, self.shortcut = nn.BatchNorm2d(filters), nn.Sequential()
        if strides > 1 or inputs != filters:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, filters, 1, strides, bias=False), nn.BatchNorm2d(filters)
            )

    def forward(self, x: Any) -> Any:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return self.relu(out)


class Dense(nn.Module):  # type: ignore[misc]
    """A block of a DenseNet, whose layers take a list of what those before them gave."""

    def __init__(self, inputs: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(inputs + i * growth),
                nn.ReLU(inplace=True),
                nn.Conv2d(inputs + i * growth, growth, 3, padding=1, bias=False),
            )
            for i in range(layers)
        )

    def forward(self, x: Any) -> Any:
        features = [x]
        for layer in self.layers:
            features.append(layer(torch.cat(features, 1)))
        return torch.cat(features, dim=1)


def pooled(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]


def test_a_resnet() -> None:
    blocks: list[nn.Module] = []
    for inputs, filters, strides in ((16, 16, 1), (16, 32, 2), (32, 64, 2)):
        blocks += [Residual(inputs, filters, strides)]
        blocks += [Residual(filters, filters, 1) for _ in range(2)]
    first = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()
    model = check(settle(nn.Sequential(*first, *blocks, *pooled(64))), (3, 32, 32))
    assert isinstance(model, Model)
    assert sum(isinstance(each, Add) for each in model.layers) == 9
    assert model.layers[-1].name == "14"


def test_a_densenet() -> None:
    transition = nn.BatchNorm2d(24), nn.ReLU(), nn.Conv2d(24, 12, 1), nn.AvgPool2d(2)
    body = nn.Conv2d(3, 8, 3, padding=1), Dense(8, 4, 4), *transition, Dense(12, 4, 3)
    module = nn.Sequential(*body, nn.BatchNorm2d(24), nn.ReLU(), *pooled(24))
    model = check(settle(module), (3, 16, 16))
    assert sum(isinstance(each, Concatenate) for each in model.layers) == 7


def changed_in_place(x: Any) -> Any:
    """What is changed is added, under the name that it had before."""
    y = x.tanh()
    y.mul_(2)
    y.add_(1)
    z = functional.relu(y, inplace=True)
    return (z * 3 + y).flatten(1)


def with_shared_scales(x: Any) -> Any:
    """Numbers of a tensor that others take are not those of the layer that gave it."""
    y = 2 * x
    return torch.cat([(y + 1) * 2, y, 3 * y.relu(), 1 + x], 1).flatten(1)


def with_what_is_not_used(x: Any) -> Any:
    y = torch.sort(x)
    y[0].relu_()
    return (x + x).flatten(1)


BRANCHES: dict[str, tuple[Callable[[Any], Any], int]] = {
    "a sum": (lambda x: (x + x.relu()).flatten(1), 96),
    "twice the same": (lambda x: (x + x).flatten(1), 96),
    "a sum of four": (lambda x: sum([x, x.relu(), x.tanh(), 2 * x]).flatten(1), 96),
    "torch.add": (lambda x: torch.add(x.relu(), other=x).flatten(1), 96),
    "a method": (lambda x: x.relu().add(x).add_(x).flatten(1), 96),
    "of vectors": (lambda x: x.flatten(1) + x.relu().flatten(1), 96),
    "of vectors in other orders": (
        lambda x: torch.cat([x.flatten(1), x.permute(0, 2, 3, 1).flatten(1), x.mean((2, 3))], 1),
        196,
    ),
    "channels": (lambda x: torch.cat([x, x.relu(), 2 * x], dim=1).flatten(1), 288),
    "rows": (lambda x: torch.concat((x, x.relu()), -2).flatten(1), 192),
    "columns": (lambda x: torch.concatenate(tensors=[x, x.tanh()], dim=3).flatten(1), 192),
    "images turned": (
        lambda x: torch.cat([x.permute(0, 2, 3, 1), x.relu().permute(0, 2, 3, 1)], 3).flatten(1),
        192,
    ),
    "one": (lambda x: torch.cat([x], 1).flatten(1), 96),
    "the image itself": (lambda x: (x + functional.pad(x.relu(), (0, 0, 0, 0))).flatten(1), 96),
    "changed in place": (changed_in_place, 96),
    "scales that are shared": (with_shared_scales, 384),
    "what is not used": (with_what_is_not_used, 96),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_branches(name: str) -> None:
    check(Forward(*BRANCHES[name]).eval(), SHAPE)


def test_a_bias_is_none_of_the_layer_whose_output_others_take() -> None:
    class Biased(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(2, 4, 2, bias=False)
            self.bias = nn.Parameter(torch.arange(4.0).reshape(4, 1, 1))
            self.dense = nn.Linear(96, 3)

        def forward(self, x: Any) -> Any:
            x, bias = self.convolution(x), (2 * self.bias).add_(1)
            return self.dense((bias + x + x.tanh()).flatten(1))

    check(Biased(), SHAPE)


def changed_through_a_view(x: Any) -> Any:
    x = x.tanh()
    x.flatten(1).relu_()
    return x.flatten(1)


# Errors

SEVERAL = (
    "it takes 2 tensors that follow from the images, but of gpucnn's layers Add and Concatenate "
    "alone take several: write it by these"
)

REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda x: x * x.tanh(), f"the call mul (mul): {SEVERAL}"),
    (lambda x: x - x.tanh(), f"the call sub (sub): {SEVERAL}"),
    (
        lambda x: x + x.mean((2, 3), keepdim=True),
        "the call add (add): add adds inputs of one shape, but is given (6, 4, 4) and (1, 1, 4): "
        "bring them to one shape first, such as by Conv2D(filters, 1, strides)",
    ),
    (
        lambda x: torch.cat([x, torch.zeros(1, 4, 6, 4)], 1),
        "the call cat (cat): it merges what follows from the images with what does not, which no "
        "layer of gpucnn does: leave that out",
    ),
    (
        changed_through_a_view,
        "the call flatten_1 (flatten): it takes tanh, a view of which another call has changed in "
        "its place: let that not work in place",
    ),
    (
        lambda x: torch.cat([x, x]),
        "the call cat (cat): it works along the axes [0] of batches of 4 axes",
    ),
    (
        lambda x: functional.hardswish(x),
        "the call hardswish (hardswish): gpucnn has no layer that is PyTorch's hardswish: leave it "
        "out, or write it by others",
    ),
    (
        lambda x: functional.gelu(x, approximate="tanh"),
        "the call gelu (gelu): it approximates GELU by tanh, but gpucnn has the exact one",
    ),
    (
        lambda x: functional.max_pool2d(x, 3, 2, 1),
        "the call max_pool2d (max_pool2d): it takes maxima with the padding ((1, 0), (1, 0)), "
        'which gpucnn has after ReLU or sigmoid, or where it is that of padding="same": train a '
        "model with that",
    ),
    (
        lambda x: functional.adaptive_avg_pool2d(x, 5),
        "the call adaptive_avg_pool2d (adaptive_avg_pool2d): it makes (5, 5) of images of (6, 4), "
        "by windows of several sizes: give images of a multiple",
    ),
    (
        lambda x: torch.flatten(x),
        "the call flatten (flatten): it makes the shape (-1,), whose first axis is not that of the "
        "1 images: let it be",
    ),
    (
        lambda x: functional.softmax(x.flatten(1), 1).relu(),
        "the call relu (relu): it follows softmax, which a model of gpucnn has at its end alone: "
        "leave one out",
    ),
    (
        lambda x: torch.add(x, 1, alpha=2),
        "the call add (add): its arguments are not understood (_add() got an unexpected keyword "
        "argument 'alpha'): leave out those that are not needed",
    ),
    (
        lambda x: functional.batch_norm(x, torch.zeros(4), torch.ones(4), training=True),
        "the call batch_norm (batch_norm): it normalises by the mean of a batch in inference as "
        "well",
    ),
    (lambda x: x.T, "the call getattr_1 (getattr): it asks for T: leave it out"),
    (
        lambda x: 1 / x,
        "the call truediv (truediv): it divides by what the layers give: leave it out",
    ),
]


@fx.wrap  # type: ignore[untyped-decorator]
def relu(x: Any) -> Any:
    """Nothing like PyTorch's."""
    return 2 * x


def test_a_function_of_your_own_is_none_of_pytorchs() -> None:
    with refusal(
        "the call relu (relu of your own): gpucnn has no layer that is PyTorch's relu of your own: "
        "leave it out, or write it by others"
    ):
        from_torch(Forward(lambda x: relu(x).flatten(1), 96), SHAPE)


@pytest.mark.parametrize(("function", "line"), REFUSED)
def test_what_is_not_understood_is_named(function: Callable[[Any], Any], line: str) -> None:
    with refusal(line):
        from_torch(Forward(function, 96), SHAPE)


@pytest.mark.parametrize(
    ("join", "kind"), [(tuple, "tuple"), (list, "list"), (lambda each: 3, "int")]
)
def test_what_gives_no_single_tensor_is_refused(
    join: Callable[[list[Any]], Any], kind: str
) -> None:
    with refusal(
        f"the module gives {kind}: give one that returns a single tensor, which follows from its "
        "images"
    ):
        from_torch(Beside(nn.Flatten(), join), SHAPE)


def test_modules_that_are_not_understood_are_named() -> None:
    module = nn.Sequential(nn.Conv2d(2, 3, 2), nn.InstanceNorm2d(3), nn.Flatten(), nn.Linear(72, 2))
    with refusal(
        "the module 1 (InstanceNorm2d): gpucnn has no layer that is PyTorch's InstanceNorm2d: "
        "leave it out, or write it by others"
    ):
        from_torch(module, SHAPE)


class DoublesInTraining(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(70, 3)

    def forward(self, x: Any) -> Any:
        x = self.dense(x.flatten(1))
        return 2 * x if self.training else x


def test_a_module_in_training_is_read_as_it_infers_and_goes_on_training() -> None:
    module = DoublesInTraining().train()
    module.dense.eval()
    model = from_torch(module, SHAPE)
    assert module.training
    assert not module.dense.training
    x = images(SHAPE)
    expected = of_torch(module, x)
    assert np.abs(model.predict(np.moveaxis(x, 1, -1)) - expected).max() <= TOLERANCE


def test_modules_with_hooks_are_refused() -> None:
    dense = nn.Linear(96, 3)
    dense.register_forward_hook(lambda module, given, found: 3 * found)
    with refusal(
        "the module 1 (Linear): it has hooks, which may change its weights, or what it takes or "
        "gives: remove them"
    ):
        from_torch(nn.Sequential(nn.Flatten(), dense), SHAPE)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"device": "meta"}, r"its weights have no values \(device meta\): load them first"),
        ({"dtype": torch.complex64}, "it has complex numbers: give a module of real ones"),
    ],
)
def test_weights_that_are_no_real_numbers_are_refused(options: Any, line: str) -> None:
    with pytest.raises(ValueError, match=rf"^the module 1 \(Linear\): .*{line}"):
        from_torch(nn.Sequential(nn.Flatten(), nn.Linear(96, 3, **options)), SHAPE)


def test_what_depends_on_the_images_cannot_be_traced() -> None:
    with pytest.raises(ValueError, match=r"^torch\.fx cannot trace the module \("):
        from_torch(Forward(lambda x: x if x.sum() > 0 else -x, 96), SHAPE)


def test_what_is_no_module_is_refused() -> None:
    with refusal("the module is of type int: give a torch.nn.Module", InvalidTypeError):
        from_torch(3, SHAPE)
    with pytest.raises(ValueError, match="input_shape is 3"):
        from_torch(nn.Linear(3, 2), 3)  # type: ignore[arg-type]
