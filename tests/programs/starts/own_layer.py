"""A layer of the user's own, of a class in the script itself, in a model that trains."""

from digits import train, weights

import gpucnn
from gpucnn import Conv2D, Dense, Flatten, Layer, MaxPool2D, ReLU, Sequential


class Watch(Layer):
    """Gives on what it is given."""

    def __init__(self) -> None:
        self.look = lambda values: values

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.input_shape = self.output_shape = input_shape

    def forward(self, x: object, step: object) -> object:
        return self.look(x)

    def backward(self, output_gradient: object) -> object:
        return self.look(output_gradient)


layers = [Conv2D(8, 3), ReLU(), MaxPool2D(2), Flatten(), Watch(), Dense(10)]
model = Sequential(layers, (28, 28, 1), device="cpu", threads=2)
print("trained", weights(train(model)))
try:
    model.save("model.safetensors")
except gpucnn.GpucnnError as error:
    print("not saved:", len(str(error).splitlines()), "line")
gpucnn.utils.register(Watch)
model.save("model.safetensors")
print("loaded", weights(gpucnn.models.load_model("model.safetensors", device="cpu")))
