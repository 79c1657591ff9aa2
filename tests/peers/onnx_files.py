"""Write ONNX files of networks that are not gpucnn's, by PyTorch and by Keras, and what they give.

`python tests/peers/onnx_files.py torch` writes those of PyTorch, which needs torch and onnxscript;
`python tests/peers/onnx_files.py keras` that of Keras on the backend of KERAS_BACKEND, tensorflow
(with tf2onnx) or torch.
Beside each file stands an .npz of images and of the outputs that the library itself gave for them.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parents[1] / "models" / "exchange" / "onnx" / "files"
IMAGES = 4
SEED = 1


def draw(*shape: int) -> Any:
    return np.random.default_rng(SEED).normal(size=shape).astype(np.float32)


# PyTorch


def torch_networks() -> dict[str, tuple[Any, tuple[int, int, int], bool]]:
    """By name: the module, the shape of its images, and whether the newer exporter is taken."""
    import torch
    from torch import nn
    from torch.nn import functional

    class LeNet5(nn.Module):  # type: ignore[misc]
        """LeCun, Bottou, Bengio and Haffner, 1998, as it is commonly written."""

        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
            self.fc1, self.fc2, self.fc3 = (
                nn.Linear(400, 120),
                nn.Linear(120, 84),
                nn.Linear(84, 10),
            )

        def forward(self, x: Any) -> Any:
            x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
            x = functional.max_pool2d(functional.relu(self.conv2(x)), (2, 2))
            x = x.view(x.size(0), -1)
            x = torch.tanh(self.fc2(functional.relu(self.fc1(x))))
            return functional.log_softmax(self.fc3(x), dim=1)

    def vgg() -> nn.Module:
        layers: list[nn.Module] = []
        channels = 3
        for filters in (8, 16):
            for _ in range(2):
                layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.BatchNorm2d(filters)]
                layers += [nn.ReLU(inplace=True)]
                channels = filters
            layers += [nn.MaxPool2d(2, 2)]
        flat = [nn.Flatten(), nn.BatchNorm1d(16 * 5 * 5), nn.Dropout(0.5)]
        hidden = [nn.Linear(16 * 5 * 5, 32), nn.ReLU(), nn.BatchNorm1d(32), nn.Dropout(0.5)]
        return nn.Sequential(*layers, *flat, *hidden, nn.Linear(32, 10))

    class MobileNet(nn.Module):  # type: ignore[misc]
        """Depthwise and pointwise convolutions with ReLU6, as of Howard and others, 2017."""

        def __init__(self) -> None:
            super().__init__()

            def unit(inputs: int, outputs: int, size: int, stride: int, groups: int) -> list[Any]:
                conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, 1, groups, bias=False)
                return [conv, nn.BatchNorm2d(outputs), nn.ReLU6()]

            layers = unit(3, 8, 3, 2, 1)
            for inputs, outputs, stride in (8, 16, 1), (16, 24, 2), (24, 32, 1):
                layers += unit(inputs, inputs, 3, stride, inputs)
                layers += unit(inputs, outputs, 1, 1, 1)
            self.features = nn.Sequential(*layers)
            self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(32, 10))

        def forward(self, x: Any) -> Any:
            return self.classifier(self.features(x).mean([2, 3]))

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
            self.downsample = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 else nn.Identity()

        def forward(self, x: Any) -> Any:
            y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
            return functional.relu(y + self.downsample(x))

    resnet = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), Block(8, 8, 1), Block(8, 16, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip
    return {
        "lenet5_torch": (LeNet5(), (1, 28, 28), False),
        "vgg_torch": (vgg(), (3, 20, 20), True),
        "mobilenet_torch": (MobileNet(), (3, 32, 32), True),
        "resnet_torch": (resnet, (3, 16, 16), True),
    }


def write_torch() -> None:
    import torch

    torch.manual_seed(SEED)
    for name, (module, shape, newer) in torch_networks().items():
        module.train()
        with torch.no_grad():
            module(5 * torch.randn(64, *shape) + 1)  # which moves the averages of batch norm
        module.eval()
        x = draw(IMAGES, *shape)
        with torch.no_grad():
            y = module(torch.from_numpy(x)).numpy()
        path = FOLDER / f"{name}.onnx"
        given: dict[str, Any] = {"input_names": ["image"], "output_names": ["scores"]}
        if newer:
            axes: dict[str, Any] = {"dynamic_shapes": ({0: torch.export.Dim("batch")},)}
            axes |= {"external_data": False}
        else:
            axes = {"dynamic_axes": {"image": {0: "batch"}}}
        torch.onnx.export(module, (torch.from_numpy(x),), path, dynamo=newer, **given, **axes)
        forget_where(path)
        np.savez_compressed(path.with_suffix(".npz"), x=x, y=y)


def forget_where(path: Path) -> None:
    """Take out which lines of which files of this machine the nodes come from."""
    import onnx

    model = onnx.load(path)
    for each in (model, model.graph, *model.graph.node, *model.graph.value_info):
        del each.metadata_props[:]
    onnx.save(model, path)


# Keras


def write_keras() -> None:
    import keras
    from keras import layers

    keras.utils.set_random_seed(SEED)
    model = keras.Sequential(
        [
            layers.Input((20, 18, 3)),
            layers.Rescaling(1 / 127.5, -1),
            layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.SeparableConv2D(12, 3, padding="same", activation="relu6"),
            layers.MaxPooling2D(3, 2, padding="same"),
            layers.Conv2D(16, (3, 2), activation="elu"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(24, activation="swish"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = np.random.default_rng(SEED).uniform(0, 255, (256, 20, 18, 3)).astype(np.float32)
    model.fit(x, np.arange(256) % 10, epochs=3, verbose=0)  # which moves the averages
    path = FOLDER / f"keras_on_{keras.config.backend()}.onnx"
    model.export(path, format="onnx", verbose=False)
    forget_where(path)
    y = model.predict(x[:IMAGES], verbose=0)
    np.savez_compressed(path.with_suffix(".npz"), x=x[:IMAGES], y=y)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    {"torch": write_torch, "keras": write_keras}[sys.argv[1]]()
