"""Models of other libraries' objects, and such objects of models."""

from collections.abc import Sequence
from typing import Any

from gpucnn.errors import InvalidTypeError
from gpucnn.models.exchange.exported import Exported
from gpucnn.models.model import Model


def from_keras(model: Any, device: str = "auto", threads: int | None = None) -> Model:
    """Make a model of one of Keras 3, with copies of its weights.

    Layers, names, and what it is compiled with are those of the other as far as gpucnn has them;
    what the optimizer has gathered is not taken along.

    Args:
        model: a `keras.Sequential`, of which a `Sequential` is made, or a functional model of one
            input and one output; models within it are taken apart.
        device: see `Model`.
        threads: see `Model`.

    Raises:
        InvalidTypeError: `model` is not a model of Keras.
        InvalidValueError: it is not built, has several inputs or outputs, or a layer, or an
            argument of one, that gpucnn has not; or there is no such device, or `threads` is not a
            positive integer.
        DeviceError: the device cannot be used, or has too little memory.

    Warns:
        GpucnnWarning: layers are not trained in Keras; here all are.
    """
    # Imported here, and so below: `import gpucnn` stays light.
    from gpucnn.models.exchange.keras.from_keras import imported_of_model

    return Model.from_imported(imported_of_model(model), device, threads)


def from_torch(
    module: Any, input_shape: Sequence[int], device: str = "auto", threads: int | None = None
) -> Model:
    """Make a model of a PyTorch module whose forward calls layers.

    It takes images of (rows, columns, channels), and predicts what the module gives for them in
    `eval` mode, in float32, whatever the mode is now: probabilities or logits. It has copies of the
    weights, its dropout acts in training, and it can be trained further.

    Args:
        module: a `torch.nn.Module`, such as a Sequential, or one whose forward calls modules and
            functions, and joins what they give by `+` or `torch.cat`. It is left as it is.
        input_shape: of one image as the module takes it, (channels, rows, columns), without the
            axis of images.
        device: as for `Model`, like the last one.
        threads: likewise.

    Returns:
        A `Sequential`, or another `Model` where the forward branches.

    Raises:
        GpucnnError: PyTorch is not installed.
        InvalidTypeError: `module` is no module.
        InvalidValueError: an argument is not as described, the forward cannot be traced by
            `torch.fx`, or it has what no layer of gpucnn does, which is named.
        DeviceError: the device cannot be used, or has too little memory.
    """
    from gpucnn.models.exchange.torch import from_torch as torch_reader

    return Model.from_imported(torch_reader.from_torch(module, input_shape), device, threads)


def to_keras(model: Model) -> Any:
    """Make a model of Keras of a model, with copies of its weights.

    It is a `keras.Sequential`, or a functional model where this one branches. It predicts what this
    one does: where that is a softmax that no layer computes, it ends in `Softmax`. It is not
    compiled. Keras's backend is the one that it is set to.

    Raises:
        InvalidTypeError: `model` is none of gpucnn, or a layer is of a class of your own.
        InvalidValueError: a layer has a name that Keras does not take.
        TrainingError: a weight is not finite.
        GpucnnError: the package keras is not installed.
    """
    from gpucnn.models.exchange.keras.to_keras import to_model

    return to_model(_exported(model))


def to_torch(model: Model) -> Any:
    """Make a `torch.nn.Sequential` of a model, with copies of its weights.

    Its modules are those of torch.nn alone, so that it can be pickled and used without gpucnn.
    Those of a network that branches are in the first one, a `torch.fx.GraphModule`, whose forward
    (`module[0].code`) joins what they give by `torch.add` and `torch.cat`.

    It takes images (n, channels, rows, columns), those without channels as they are, (n, rows,
    columns), of the model's dtype, in the encoding that the model was trained on, and is on the
    CPU, in evaluation: it then gives what `predict` does. Where that is a softmax, the last module
    is `Softmax`: `module[:-1]` gives the logits, which `torch.nn.CrossEntropyLoss` takes.

    After `train()` it can be trained. What is not trained here stays so: `Rescaling` and
    `Normalization`, as convolutions, need no gradients. PyTorch's moving variances are of the
    unbiased variance of a batch, those here of the other, as in Keras.

    Raises:
        InvalidTypeError: `model` is none of gpucnn, or a layer is of a class of your own.
        InvalidValueError: PyTorch has no module for a layer's input of so many axes.
        TrainingError: a weight is not finite.
        GpucnnError: the package torch is not installed.

    Warns:
        GpucnnWarning: layers that vary images, such as `RandomFlip`, for which torch.nn has no
            module, are left out.
    """
    from gpucnn.models.exchange.torch.to_torch import to_sequential

    return to_sequential(_exported(model))


def _exported(model: Model) -> Exported:
    if not isinstance(model, Model):
        raise InvalidTypeError(
            f"the model is of the type {type(model).__name__}: give a model of gpucnn"
        )
    return model.exported()
