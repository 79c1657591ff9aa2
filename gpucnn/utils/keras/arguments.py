"""Arguments of Keras 3 that functions of this library have not.

Such an argument is taken at the values that say what is done anyway, and refused at any other.
"""

from abc import ABCMeta
from collections.abc import Callable, Collection
from functools import cache, wraps
from inspect import Parameter, Signature, signature
from typing import Any, NamedTuple, ParamSpec, TypeVar

from gpucnn.errors import InvalidTypeError, printable

P = ParamSpec("P")
R = TypeVar("R")


class Absent(NamedTuple):
    """An argument that is not there.

    Attributes:
        advice: what to do instead.
        taken: the values that say what is done anyway; None for any.
    """

    advice: str
    taken: tuple[Any, ...] | None = (None,)


CHANNELS_LAST = "the channels are the last axis of images"
OWN_LAYER = "write a layer of your own, a subclass of gpucnn.layers.Layer"
UNCONSTRAINED = "weights are not constrained; leave it out"
NO_STEPS = "nothing is told of single steps, which do not wait for Python; use epochs"
ONE_SHAPE = "a model takes batches of any size; give the shape of one image"

TABLE: dict[str, Absent] = {
    # Of layers
    "name": Absent("leave it out", taken=None),  # of what has no use for one
    "trainable": Absent("all weights are trained; leave it out", (True,)),
    "autocast": Absent("a model has one dtype; leave it out", (True,)),
    "data_format": Absent(CHANNELS_LAST, (None, "channels_last")),
    "axis": Absent("it is the last one", (-1,)),
    "seed": Absent("a model has one, as in Sequential(layers, seed=...)"),
    "kernel_constraint bias_constraint depthwise_constraint pointwise_constraint beta_constraint"
    " gamma_constraint": Absent(UNCONSTRAINED),
    "bias_initializer beta_initializer moving_mean_initializer": Absent(
        "these begin as zeros; use set_weights", ("zeros",)
    ),
    "gamma_initializer moving_variance_initializer": Absent(
        "these begin as ones; use set_weights", ("ones",)
    ),
    "bias_regularizer beta_regularizer gamma_regularizer activity_regularizer": Absent(
        "use kernel_regularizer of Conv2D and Dense"
    ),
    "lora_rank lora_alpha quantization_config": Absent("leave it out"),
    "renorm": Absent("leave it out", (False,)),
    "renorm_clipping renorm_momentum": Absent("leave it out", (None, 0.99)),
    "synchronized": Absent("statistics are those of the whole batch", (False, True)),
    "keepdims": Absent("put Reshape after it", (False,)),
    "noise_shape": Absent("use SpatialDropout2D"),
    "ReLU.negative_slope": Absent("use LeakyReLU", (0,)),
    "ReLU.threshold": Absent(OWN_LAYER, (0,)),
    "invert": Absent("use Rescaling", (False,)),
    "weights": Absent("use set_weights of the model"),
    "input_dim": Absent("give input_shape, such as (784,)"),
    "batch_size batch_shape batch_input_shape": Absent(ONE_SHAPE),
    "sparse ragged optional": Absent("images are arrays; leave it out", (False,)),
    "tensor": Absent("give the shape alone"),
    # Of presets
    "include_top": Absent("leave it out, or make a model of new layers", (True,)),
    "classifier_activation": Absent("predict gives probabilities; leave it out", ("softmax",)),
    "input_tensor": Absent("call the preset on it"),
    "pooling": Absent("leave it out"),
    # Of losses and metrics
    "dtype": Absent("a model has one, as in Sequential(layers, dtype=...)", (None, "float32")),
    "reduction": Absent("the loss of a batch is its mean", ("sum_over_batch_size",)),
    "ignore_class": Absent("give images of that class the sample_weight 0"),
    "from_logits": Absent("metrics are of what predict returns", (False,)),
    "top_k class_id": Absent("use a function of y_true and y_pred"),
    "from_sorted_ids": Absent("leave it out", (False,)),
    # Of optimizers
    "amsgrad": Absent("leave it out", (False,)),
    "loss_scale_factor": Absent("the arithmetic is that of float32 or float64; leave it out"),
    "gradient_accumulation_steps": Absent("use larger batches", (None, 1)),
    "lr": Absent("it is called learning_rate", ()),
    "decay": Absent("give a schedule as learning_rate", (None, 0)),
    # Of callbacks
    # as a whole model, which load_weights takes too
    "save_weights_only": Absent("leave it out", (False, True)),
    "save_freq update_freq": Absent(NO_STEPS, ("epoch",)),
    "on_train_batch_begin on_train_batch_end": Absent(NO_STEPS),
    "on_predict_begin on_predict_end": Absent("predict takes no callbacks"),
    "write_graph": Absent("leave it out", (False, True)),  # Keras writes none either
    "write_images write_steps_per_second": Absent("leave it out", (False,)),
    "histogram_freq profile_batch embeddings_freq": Absent("only metrics are written", (0,)),
    "embeddings_metadata": Absent("only metrics are written"),
    "raise_error": Absent("fit raises TrainingError in any case", (False, True)),
    # Of models
    "loss_weights": Absent("a model has one loss; leave it out"),
    "weighted_metrics": Absent("use metrics"),
    "jit_compile": Absent("nothing is compiled; leave it out", (None, False, "auto")),
    "auto_scale_loss": Absent("leave it out", (False, True)),
    "steps_per_execution": Absent("leave it out; a GPU replays steps together", (None, 1, "auto")),
    "validation_batch_size": Absent("it is batch_size"),
    "validation_freq": Absent("validation follows each epoch; leave it out", (1,)),
    "workers": Absent("batches are asked for one after the other; leave it out", (1,)),
    "use_multiprocessing": Absent("batches are asked for in this process", (False,)),
    "max_queue_size": Absent("leave it out", (10,)),
    "reset_metrics": Absent("what is measured is of this batch alone; leave it out", (True,)),
    "mask": Absent("images have none; leave it out"),
    "callbacks": Absent("callbacks are told of training; give them to fit"),
    "skip_mismatch by_name": Absent("all weights are loaded, by their names", (False,)),
    "max_shard_size": Absent("a model is in one file; leave it out"),
    "rebuild": Absent("a model is built when it is first used; leave it out", (True,)),
    "overwrite": Absent("a file that is there is replaced", (True,)),
    "zipped save_format include_optimizer": Absent("leave it out", (None, True)),
    "custom_objects": Absent("put @gpucnn.utils.register before the classes"),
    "compile": Absent("a model is compiled as it was; leave it out", (False, True)),
    "safe_mode": Absent("a file holds no code; leave it out", (False, True)),
    "input_signature": Absent("the file takes any number of images; leave it out"),
    "opset_version": Absent("leave it out"),
    "line_length positions print_fn layer_range": Absent("leave it out"),
    "expand_nested show_trainable": Absent("leave it out", (False,)),
}
"""The arguments by name, or by class and name where another has one that means something else.

Where a function has one of that name, it is not looked up here.
"""

ABSENT = {name: absent for names, absent in TABLE.items() for name in names.split()}


FOLLOWING: dict[str, str] = {
    "amsgrad": "Adam",
    "axis": "Softmax BinaryCrossentropy CategoricalCrossentropy",
    "batch_size": "Input",
    "beta_initializer": "BatchNormalization",
    "callbacks": "evaluate predict",
    "data_format": "MaxPool2D AveragePooling2D GlobalMaxPooling2D GlobalAveragePooling2D"
    " SpatialDropout2D",
    "histogram_freq": "TensorBoard",
    "line_length": "summary",
    "name": "CosineDecay ExponentialDecay PiecewiseConstantDecay PolynomialDecay",
    "negative_slope": "ReLU",
    "noise_shape": "Dropout",
    "raise_error": "TerminateOnNaN",
}
"""Arguments that in Keras follow those that are given by position, and what takes them there."""

NEXT = {what: name for name, whats in FOLLOWING.items() for what in whats.split()}


class KerasArguments(ABCMeta):
    """The class of classes whose constructor takes arguments as `without_absent` says."""

    def __call__(cls, *given: Any, **named: Any) -> Any:
        """Make an object."""
        lacking = sorted(getattr(cls, "__abstractmethods__", ()))
        if lacking:
            raise InvalidTypeError(
                f"{cls.__name__} does not define {', '.join(lacking)}, which it has to: see "
                "docs/own.md"
            )
        given, named = _by_position(cls.__name__, _positional(cls), given, named)
        return super().__call__(*given, **without_absent(cls.__name__, _names(cls), named))

    @property
    def __signature__(cls) -> Signature:
        """That of the constructor, for `help`."""
        _, *others = signature(cls.__init__).parameters.values()  # type: ignore[misc]
        return Signature(others)


def keras_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Have a function take arguments as `without_absent` says; a decorator."""
    name = function.__qualname__.removesuffix(".__call__").rpartition(".")[2]
    names = tuple(each for each in signature(function).parameters if each != "self")
    positional = _positional(function)

    @wraps(function)
    def call(*given: P.args, **named: P.kwargs) -> R:
        if not named and (positional is None or len(given) <= len(positional)):
            return function(*given)  # type: ignore[call-arg]
        mine, others = _by_position(name, positional, given, named)
        return function(*mine, **without_absent(name, names, others))

    return call


def without_absent(
    what: str, names: Collection[str] | None, named: dict[str, Any]
) -> dict[str, Any]:
    """The named arguments of a call, without those that it has not, and that change nothing.

    Args:
        what: is called.
        names: of the arguments that it has; None if it has any.
        named: the arguments that it is given.

    Raises:
        InvalidTypeError: it has one of them not, and that would change something.
    """
    others = [] if names is None else [name for name in named if name not in names]
    for name in others:
        _check(what, names or (), name, named[name])
    return {name: value for name, value in named.items() if name not in others}


def _by_position(
    what: str, names: tuple[str, ...] | None, given: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call: by position those that it has, and by name any that follows.

    Args:
        what: is called.
        names: of the arguments that it has by position; None if it has any.
        given: the arguments by position.
        named: those by name.

    Raises:
        InvalidTypeError: more are given than it has, and than are known to follow in Keras.
    """
    if names is None or len(given) <= len(names):
        return given, named
    if len(given) == len(names) + 1 and what in NEXT:
        return given[:-1], {NEXT[what]: given[-1]} | named
    of_caller = [name for name in names if name != "self"]
    takes = f"takes {', '.join(of_caller)}" if of_caller else "takes no arguments"
    others = len(given) - len(names)
    raise InvalidTypeError(
        f"{what} {takes} by position, but is given {others} more: give what it has by name"
    )


def _check(what: str, names: Collection[str], name: str, value: Any) -> None:
    absent = ABSENT.get(f"{what}.{name}", ABSENT.get(name))
    if absent is None:
        takes = f"it takes {', '.join(names)}" if names else "it takes none"
        raise InvalidTypeError(f"{what} has no argument {printable(name, 50)}: {takes}")
    if absent.taken is not None and not any(_is_same(value, each) for each in absent.taken):
        given = printable(repr(value), 50)
        raise InvalidTypeError(f"{what} has no argument {name}={given}: {absent.advice}")


def _is_same(value: Any, taken: Any) -> bool:
    """Whether two values are the same; of arrays, whose comparison is an array, none is."""
    return value is taken or (isinstance(value, (str, int, float)) and bool(value == taken))


@cache
def _names(kind: type) -> tuple[str, ...] | None:
    """The names of the arguments of a class; None if it takes any."""
    parameters = signature(kind).parameters.values()
    takes_any = any(each.kind is Parameter.VAR_KEYWORD for each in parameters)
    return None if takes_any else tuple(each.name for each in parameters)


@cache
def _positional(function: Callable[..., Any]) -> tuple[str, ...] | None:
    """The names of the arguments that a class or a function has by position; None if any."""
    parameters = signature(function).parameters.values()
    if any(each.kind is Parameter.VAR_POSITIONAL for each in parameters):
        return None
    by_position = Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD
    return tuple(each.name for each in parameters if each.kind in by_position)
